"""Robustness of embeddings on the demo's store (run `python -m flows.pipeline configs/demo.yaml` first).

A shift removes the first 1.2 s of the decoded track. The dtype of stored mels is judged by its effect on embeddings.
"""

import os
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import torch

from audioae.api import Library
from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.audio.decode import decode_track
from audioae.audio.extract import extract
from audioae.audio.mel import decode_mel, encode_mel, log_mel
from audioae.constants import CLIP_S, FLOOR_DB, N_FRAMES, N_MELS, SAMPLE_RATE
from audioae.evaluation.robustness import embed_clips
from audioae.spacing import evenly_spaced
from audioae.store.dataset import Store
from tests.bench.harness import Row

N_TRACKS = 40
SHIFT_S = 1.2


def measure() -> list[Row]:
    library = Library(Store(os.environ.get("AUDIOAE_STORE", "data")))
    uris = library.tracks.filter(library.tracks["duplicate_of"].is_null())["uri"].to_pylist()
    uris = [uri for uri in uris if library.embedding_row(library.find(uri))]
    uris = [uris[i] for i in evenly_spaced(len(uris), N_TRACKS)]
    return [*_shift(library, uris), *_dtype(library, uris[:20]), _batch(library, uris[:20])]


def _shift(library: Library, uris: list[str]) -> list[Row]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        shifted = []
        for i, uri in enumerate(uris):
            waveform, rate = soundfile.read(uri) if not uri.endswith(".m4a") else _whole(uri)
            shifted.append(str(Path(folder) / f"{i}.wav"))
            soundfile.write(shifted[-1], waveform[round(SHIFT_S * rate) :], rate, subtype="FLOAT")
        default = library.mels_config.clips
        for max_clips in sorted({4, 8, 16, 32, default.max_clips}):
            clips = default.model_copy(update={"max_clips": max_clips})
            cosines = [
                _embed(library, a, clips) @ _embed(library, b, clips) for a, b in zip(uris, shifted, strict=True)
            ]
            name = f"shift of {SHIFT_S} s, mean cosine, max_clips={max_clips}"
            share = np.mean(np.array(cosines) >= 0.99)
            note = f"min {min(cosines):.4f}, {share:.0%} of {len(uris)} tracks >= .99"
            note += " (default)" if max_clips == default.max_clips else ""
            rows.append(Row(name, float(np.mean(cosines)), 0.99 if max_clips == default.max_clips else None, "", note))
    return rows


def _dtype(library: Library, uris: list[str]) -> list[Row]:
    """Embeddings from mels rounded to each dtype against embeddings from float32 mels."""
    errors: dict[str, list[float]] = {"uint8": [], "float16": []}
    for uri in uris:
        mel = log_mel(decode_track(uri, library.mels_config.clips, DecodeConfig()).clips)
        relative = np.maximum(mel - mel.max(axis=(1, 2), keepdims=True), FLOOR_DB)
        codes, peak_db = encode_mel(mel)
        stored = {"uint8": decode_mel(codes), "float16": relative.astype(np.float16).astype(np.float32)}
        exact = _embed_db(library, relative, peak_db)
        for name, values in errors.items():
            values.append(1 - float(exact @ _embed_db(library, stored[name], peak_db)))
    return [
        Row(
            f"1 - cosine of embeddings, {name} mels against float32, worst of {len(uris)}",
            max(values),
            1e-3,
            "",
            f"{bytes_} bytes per clip",
            higher_is_better=False,
        )
        for (name, values), bytes_ in zip(errors.items(), (N_MELS * N_FRAMES, 2 * N_MELS * N_FRAMES), strict=True)
    ]


def _batch(library: Library, uris: list[str]) -> Row:
    codes = np.concatenate([extract(uri, library.mels_config.clips, DecodeConfig()).codes for uri in uris])
    together = library.embedder.embed(codes)[0]
    alone = np.concatenate([library.embedder.embed(clip[None])[0] for clip in codes])
    shuffle = np.random.default_rng(0).permutation(len(codes))
    shuffled = np.empty_like(together)
    shuffled[shuffle] = library.embedder.embed(codes[shuffle])[0]
    worst = min(_cosines(together, alone).min(), _cosines(together, shuffled).min())
    return Row(
        "worst cosine of a clip: batch 1, shuffled, all at once", float(worst), 0.99999, "", f"{len(codes)} clips"
    )


def _cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def _embed(library: Library, uri: str, clips: ClipConfig) -> np.ndarray:
    extracted = extract(uri, clips, DecodeConfig())
    return embed_clips(library.embedder, [(extracted.codes, extracted.peak_db)])[0]


def _embed_db(library: Library, mel_db: np.ndarray, peak_db: np.ndarray) -> np.ndarray:
    level_db = peak_db + 10 * np.log10((10 ** (mel_db / 10)).mean(axis=(1, 2)))
    with torch.inference_mode():
        clips = library.embedder.model.embed_and_score(torch.from_numpy(mel_db))[0].numpy()
    return library.embedder.pool(clips, level_db)[0]


def _whole(uri: str) -> tuple[np.ndarray, int]:
    """Read a whole file that soundfile cannot read, from clips that cover it."""
    decoded = decode_track(uri, ClipConfig(max_clips=10_000, hop_s=1.0), DecodeConfig())
    ends = np.round((decoded.starts_s + CLIP_S) * SAMPLE_RATE).astype(int)
    waveform = np.zeros(ends[-1], np.float32)
    for end, clip in zip(ends, decoded.clips, strict=True):
        waveform[end - len(clip) : end] = clip
    return waveform, SAMPLE_RATE
