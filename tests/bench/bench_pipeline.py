"""From a file to its embedding on one core: compared with the sum of its stages, and with the obvious implementation.

The obvious implementation uses librosa.load, librosa's mel clip by clip, and the encoder eagerly in float32.
"""

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from audioae.audio.clips import plan_clips
from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.audio.decode import decode_track
from audioae.audio.extract import extract
from audioae.audio.librosa_modules import librosa
from audioae.audio.mel import encode_mel, log_mel
from audioae.config import load_config
from audioae.constants import CLIP_SAMPLES, EMBEDDING_DIM, SAMPLE_RATE
from audioae.demo.config import SynthConfig
from audioae.demo.write import synthesize
from audioae.evaluation.robustness import embed_clips
from audioae.model.autoencoder import ConvAutoencoder, build_model
from audioae.model.config import ModelConfig
from audioae.model.embedder import Embedder
from audioae.store.dataset import Store
from audioae.store.schemas import EMBEDDINGS
from tests.bench.harness import Row, interleave

N_TRACKS = 12
FORMATS = (".mp3", ".flac", ".ogg", ".wav")  # librosa reads m4a only with the ffmpeg program
N_EMBEDDINGS = 100_000


def measure() -> list[Row]:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        return [*_pipeline(Path(folder)), _reading(Path(folder))]


def _pipeline(folder: Path) -> list[Row]:
    synthesize(folder / "audio", SynthConfig(n_tracks=N_TRACKS, faults=False))
    files = [str(p) for p in sorted((folder / "audio").rglob("*")) if p.suffix in FORMATS]
    model = build_model(load_config(ModelConfig, "configs/model/vqvae_consistency.yaml"))
    assert isinstance(model, ConvAutoencoder)
    model.eval()
    embedder = Embedder(model, device="cpu")
    clips, decode = ClipConfig(), DecodeConfig()
    waveforms = [decode_track(file, clips, decode).clips for file in files]
    mels = [encode_mel(log_mel(waveform)) for waveform in waveforms]

    def embed(tracks: list[tuple[np.ndarray, np.ndarray]]) -> list[np.ndarray]:
        """Embed a shard at once, as the stage does."""
        return list(embed_clips(embedder, tracks, batch=sum(len(codes) for codes, _ in tracks)))

    def whole() -> list[np.ndarray]:
        extracted = [extract(file, clips, decode) for file in files]
        return embed([(of.codes, of.peak_db) for of in extracted])

    def obvious() -> None:
        for file in files:
            waveform, _ = librosa.load(file, sr=SAMPLE_RATE)
            decibels = []
            for start in plan_clips(len(waveform) / SAMPLE_RATE, clips):
                clip = waveform[round(start * SAMPLE_RATE) :][:CLIP_SAMPLES]
                power = librosa.feature.melspectrogram(y=clip, sr=SAMPLE_RATE)
                decibels.append(librosa.power_to_db(power, ref=np.max))
            with torch.no_grad():
                model.embed(torch.from_numpy(np.stack(decibels))).mean(dim=0)

    median = interleave(
        {
            "whole": whole,
            "decode": lambda: [decode_track(file, clips, decode) for file in files],
            "mel": lambda: [encode_mel(log_mel(waveform)) for waveform in waveforms],
            "encode": lambda: embed(mels),
            "obvious": obvious,
        },
        rounds=5,
    )
    stages = {name: median[name] for name in ("decode", "mel", "encode")}
    n_clips = sum(len(codes) for codes, _ in mels)
    shares = ", ".join(f"{name} {1000 * seconds / n_clips:.2f}" for name, seconds in stages.items())
    per_clip = 1000 * median["whole"] / n_clips
    return [
        Row("whole pipeline: sum of stages / measured", sum(stages.values()) / median["whole"], 0.85),
        Row(
            "whole pipeline: obvious implementation / measured",
            median["obvious"] / median["whole"],
            1.7,
            "x",
            f"{per_clip:.2f} ms per clip on one core: {shares}",
        ),
    ]


def _reading(folder: Path) -> Row:
    vectors = np.random.default_rng(0).standard_normal((N_EMBEDDINGS, EMBEDDING_DIM)).astype(np.float32)
    np.save(folder / "vectors.npy", vectors)
    n = len(vectors)
    table = pa.Table.from_arrays(
        [
            pa.array([f"{i:016x}" for i in range(n)]),
            pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), type=EMBEDDINGS.field("embedding").type),
            pa.array(np.full(n, 8, np.int16)),
            pa.array(np.zeros(n, bool)),
            pa.array(np.zeros(n, np.float32)),
            pa.array(np.zeros(n, np.float32)),
        ],
        schema=EMBEDDINGS,
    )
    store = Store(str(folder / "store"))
    store.write_part("embeddings", "000000-x", table)
    ref = store.commit("embeddings", ["000000-x"], recipe="x", config={})
    median = interleave(
        {
            "np.load": lambda: np.load(folder / "vectors.npy"),
            "store": lambda: store.read(ref, ["track_id", "embedding"]),
        },
        rounds=9,
    )
    return Row("reading embeddings: np.load / store (with IDs)", median["np.load"] / median["store"], 0.18)
