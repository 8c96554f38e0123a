"""False merges among many different made tracks: by the patterns of `audio.fingerprint`, and by Chromaprint.

Conventions
-----------
- Tracks are the pieces of `made_music`, `N` of them (AUDIOAE_MADE_TRACKS). Their prints are kept in blocks in the
  folder AUDIOAE_MADE (default: a temporary one), so that a run that was interrupted goes on.
- Only the `JUDGED` closest pairs are judged, of each method by its own closeness: pieces with the most similar
  patterns (random projections, cosine), and those that share most hashes. Embeddings and durations, which in the index
  rule most of these pairs out, are ignored.
"""

import os
import tempfile
from pathlib import Path

import faiss
import numpy as np
import scipy.sparse

from audioae.audio.fingerprint import Fingerprint, fingerprint_clips, is_same, similarity
from audioae.audio.mel import encode_mel, log_mel
from audioae.constants import CLIP_S, CLIP_SAMPLES, SAMPLE_RATE
from tests.bench.chromaprint_prints import SAME, print_similarity, print_waveform
from tests.bench.harness import Row
from tests.bench.made_music import SECONDS, made_piece

N = int(os.environ.get("AUDIOAE_MADE_TRACKS", "10000"))
JUDGED = 20_000
_BLOCK = 1000
_CLIPS = int(SECONDS / CLIP_S)
_STARTS_S = CLIP_S * np.arange(_CLIPS)


def measure_made() -> list[Row]:
    """Pairs of different pieces that each method takes for one recording."""
    with tempfile.TemporaryDirectory() as temporary:
        levels, prints = made_prints(Path(os.environ.get("AUDIOAE_MADE", temporary)), N)
    tracks = [Fingerprint(of, _STARTS_S) for of in levels]
    pairs = closest_patterns(levels)
    ours = np.array([similarity(tracks[a], tracks[b]) for a, b in pairs])
    merged = sum(is_same(tracks[a], tracks[b]) for a, b in pairs[ours > 0.5])
    shared = closest_hashes(prints)
    theirs = np.array([print_similarity(prints[a], prints[b]) for a, b in shared])
    name = f"pairs of {len(levels):,} different made tracks merged"
    of = f"of the {JUDGED:,} closest"
    return [
        Row(name, float(merged), 0.0, "", f"{of}; patterns {ours.max():.2f} or less", False),
        Row("  Chromaprint", float((theirs >= SAME).sum()), None, "", f"{of}; similarity {theirs.max():.2f} or less"),
    ]


def made_prints(folder: Path, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Levels (n, n_clips, 16, 130) uint8 and Chromaprint's hashes (n, n_hashes) uint32 of the first `n` pieces."""
    blocks = [_block(folder / f"{start:07d}.npz", start) for start in range(0, n, _BLOCK)]
    levels, prints = (np.concatenate([block[name] for block in blocks])[:n] for name in ("levels", "prints"))
    return levels, prints


def _block(path: Path, start: int) -> dict[str, np.ndarray]:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        waveforms = [made_piece(number) for number in range(start, start + _BLOCK)]
        clips = (waveform[: _CLIPS * CLIP_SAMPLES].reshape(_CLIPS, -1) for waveform in waveforms)
        levels = np.stack([fingerprint_clips(encode_mel(log_mel(of))[0], _STARTS_S).levels for of in clips])
        prints = np.stack([print_waveform(waveform, SAMPLE_RATE) for waveform in waveforms])
        np.savez(path, levels=levels, prints=prints)
    with np.load(path) as block:
        return dict(block)


def closest_patterns(levels: np.ndarray, n: int = JUDGED) -> np.ndarray:
    """The pairs (n, 2) whose patterns have the highest cosine."""
    rng, n_cells = np.random.default_rng(0), levels[0, :, 1:, 1:].size
    projection = rng.standard_normal((n_cells, 192)).astype(np.float32)
    vectors = np.empty((len(levels), 192), np.float32)
    for start in range(0, len(levels), _BLOCK):
        block = levels[start : start + _BLOCK].astype(np.float32)
        vectors[start : start + _BLOCK] = np.diff(np.diff(block, axis=2), axis=3).reshape(len(block), -1) @ projection
    faiss.normalize_L2(vectors)
    scores, rows = faiss.knn(vectors, vectors, 11, faiss.METRIC_INNER_PRODUCT)
    return _highest(np.repeat(np.arange(len(rows)), 11), rows.ravel(), scores.ravel(), n)


def closest_hashes(prints: np.ndarray, n: int = JUDGED) -> np.ndarray:
    """The pairs (n, 2) that share most hashes; hashes of more than a hundred pieces count for none."""
    values, hashes = np.unique(prints, return_inverse=True)
    rows = np.repeat(np.arange(len(prints)), prints.shape[1])
    contains = scipy.sparse.csr_array(
        (np.ones(len(rows), np.int32), (rows, hashes.ravel())), (len(prints), len(values))
    )
    contains.data[:] = 1
    frequent = np.asarray(contains.sum(axis=0)).ravel() > 100
    contains = contains[:, ~frequent]
    shared = scipy.sparse.coo_array(contains @ contains.T)
    first, second = shared.coords
    return _highest(first, second, shared.data, n)


def _highest(first: np.ndarray, second: np.ndarray, scores: np.ndarray, n: int) -> np.ndarray:
    """The `n` pairs with the highest scores, each once, no track with itself."""
    kept = first != second
    pairs, scores = np.sort(np.stack([first, second], axis=1)[kept], axis=1), scores[kept]
    pairs, at = np.unique(pairs, axis=0, return_index=True)
    return pairs[np.argsort(-scores[at], kind="stable")[:n]]
