"""Schemas of what is computed from audio: mels, evidence of faults, rejects, embeddings and features."""

import pyarrow as pa

from audioae.constants import EMBEDDING_DIM, N_FRAMES, N_MELS
from audioae.store.schema_fields import required

MELS = pa.schema(
    [
        required("track_id", pa.string()),
        required("clip", pa.int16()),
        required("start_s", pa.float32()),
        required("peak_db", pa.float32()),  # dB of the clip's loudest bin, reference 1.0
        required("padded", pa.bool_()),  # the track is shorter than a clip
        # (128, 130) row-major, one byte each; dB below the clip's peak: -80 + code * 80 / 255
        required("mel", pa.binary(N_MELS * N_FRAMES)),
    ]
)
# Version 1 had a list of numbers, which Parquet stores as 32-bit integers: 1.3 times the bytes, 8 times the time.
MEL_V1 = pa.list_(pa.field("element", pa.uint8(), nullable=False), N_MELS * N_FRAMES)

# `audio/health.py` defines the columns and their units. Null: unknown, or without meaning for this track.
HEALTH = pa.schema(
    [
        required("track_id", pa.string()),
        pa.field("container", pa.string()),
        pa.field("codec", pa.string()),
        pa.field("sample_rate", pa.int32()),
        pa.field("channels", pa.int16()),
        pa.field("bit_rate", pa.int32()),
        pa.field("claimed_s", pa.float64()),
        pa.field("duration_s", pa.float64()),
        pa.field("examined_s", pa.float64()),
        pa.field("mono_from", pa.string()),
        pa.field("peak", pa.float32()),
        pa.field("rms_dbfs", pa.float32()),
        pa.field("dc_offset", pa.float32()),
        pa.field("clipped_fraction", pa.float32()),
        pa.field("clipped_run", pa.int32()),
        pa.field("flat_fraction", pa.float32()),
        pa.field("zero_fraction", pa.float32()),
        pa.field("zero_run_s", pa.float32()),
        pa.field("channel_difference_db", pa.float32()),
        pa.field("correlation", pa.float32()),
        pa.field("cutoff_hz", pa.float32()),
        pa.field("noise_floor_dbfs", pa.float32()),
        pa.field("hum_db", pa.float32()),
        # version 2
        pa.field("fall_db", pa.float32()),
        pa.field("burst_db", pa.float32()),
        pa.field("click_db", pa.float32()),
        pa.field("repeat", pa.float32()),
        pa.field("hum_line_db", pa.float32()),
        pa.field("bandwidth_hz", pa.float32()),
        pa.field("edge_db", pa.float32()),
        pa.field("flatness_db", pa.float32()),
        pa.field("flicker_db", pa.float32()),
        pa.field("distinct_fraction", pa.float32()),
        pa.field("quiet_fraction", pa.float32()),
        pa.field("tail_s", pa.float32()),
        # version 3
        pa.field("resyncs", pa.int32()),
        pa.field("missing_s", pa.float32()),
        # version 4
        pa.field("tuning_cents", pa.float32()),
        pa.field("tuning_strength", pa.float32()),
        pa.field("partials", pa.float32()),
        pa.field("octave_125_db", pa.float32()),
        pa.field("octave_250_db", pa.float32()),
        pa.field("octave_500_db", pa.float32()),
        pa.field("octave_1000_db", pa.float32()),
        pa.field("octave_2000_db", pa.float32()),
        pa.field("octave_4000_db", pa.float32()),
        pa.field("octave_8000_db", pa.float32()),
        pa.field("octave_16000_db", pa.float32()),
        pa.field("spike_db", pa.float32()),
        pa.field("spikes_db", pa.float32()),
        pa.field("loop", pa.float32()),
        pa.field("loop_match", pa.float32()),
        pa.field("plateau_db", pa.float32()),
        pa.field("gap_db", pa.float32()),
        pa.field("tops_db", pa.float32()),
    ]
)

REJECTS = pa.schema(
    [
        *(required(name, pa.string()) for name in ("track_id", "stage", "reason", "detail")),
        # version 2
        pa.field("attempts", pa.int32()),  # how often a reason of the moment was met; null for a reason of the file
        pa.field("retry_at", pa.timestamp("us", "UTC")),  # until then the track is not tried again; null: never again
    ]
)

EMBEDDINGS = pa.schema(
    [
        required("track_id", pa.string()),
        required("embedding", pa.list_(pa.field("element", pa.float32(), nullable=False), EMBEDDING_DIM)),
        required("n_clips", pa.int16()),
        required("padded", pa.bool_()),
        required("reconstruction_error", pa.float32()),  # mean squared error per input bin, normalized units
        required("spread", pa.float32()),  # distance of the clips from their mean; 0: all clips are equal
    ]
)

# What a user's network of waveforms says about each track: see `pipeline/network_vectors.py`.
NETWORK_VECTORS = pa.schema(
    [
        required("track_id", pa.string()),
        pa.field("vector", pa.list_(pa.field("element", pa.float32(), nullable=False))),  # null: the network failed
        required("n_windows", pa.int32()),
        pa.field("fault", pa.string()),  # why there is no vector
    ]
)

# Tempos of the tracks that playlists needed, estimated by librosa: see `playlists/tempos.py`.
TEMPOS = pa.schema(
    [
        required("content_hash", pa.string()),
        pa.field("tempo", pa.float64()),  # BPM; null if there is no onset
    ]
)

RESIDUE_DIM = 83

# Decoder artifacts of a track, as `screening/generated/artifacts.py` defines them; NaN: not measurable. The dataset and
# its column keep the name of older versions.
RESIDUES = pa.schema(
    [
        required("track_id", pa.string()),
        required("residue", pa.list_(pa.field("element", pa.float32(), nullable=False), RESIDUE_DIM)),
    ]
)
