"""Drift: false alarms on more of the same music, and alarms on another kind, by MMD, by PSI and by the classifier.

The demo's store is that of AUDIOAE_STORE (default: data). "The same" are artists that are left out of the training's
tracks, drawn at random; "another kind" are the tracks of one style, for each style, and recordings that are no music.
"""

import os
import warnings
from collections.abc import Iterator

import numpy as np

from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.audio.extract import extract
from audioae.errors import AudioError
from audioae.pipeline.drift import CONFIRMED, MOST_ERRORS, P
from audioae.pipeline.drift_statistics import discrepancy, least_share, separability, share_above
from audioae.pipeline.embed import load_embedder
from audioae.store.dataset import Store
from tests import recordings
from tests.bench.harness import Row

DRAWS = 20
SHARES = (8, 4, 2.5)  # one artist in so many is new
PSI = 0.25  # the usual threshold


class Music:
    """Embeddings (n, 128), errors (n,), artists (n,) and styles (n,) of tracks."""

    def __init__(self, vectors: np.ndarray, errors: np.ndarray, artists: np.ndarray, styles: np.ndarray):
        self.vectors, self.errors, self.artists, self.styles = vectors, errors, artists, styles

    def of(self, rows: np.ndarray) -> "Music":
        return Music(self.vectors[rows], self.errors[rows], self.artists[rows], self.styles[rows])


def measure() -> list[Row]:
    warnings.filterwarnings("ignore", module="sklearn")
    store = Store(os.environ.get("AUDIOAE_STORE", "data"))
    music, rng = demo(store), np.random.default_rng(0)
    artists = np.unique(music.artists)
    same = []
    for share in SHARES:
        for _ in range(DRAWS):
            new = np.isin(music.artists, rng.permutation(artists)[: int(len(artists) / share)])
            same.append((music.of(~new), music.of(new)))
    styles = [(music.of(music.styles != style), music.of(music.styles == style)) for style in np.unique(music.styles)]
    rows = [*judged("the same, other artists", same, 0), *judged("a style that is new", styles, 0.9)]
    if recordings.available():
        sounds = embedded_recordings(store)
        for n in (34, 100):
            draws = [(music, sounds.of(rng.permutation(len(sounds.errors))[:n])) for _ in range(5)]
            rows += judged(f"{n} recordings of ESC-10", draws, 1.0)
    return rows


def judged(name: str, cases: list[tuple[Music, Music]], bar: float) -> Iterator[Row]:
    """Shares of the cases that alarm; `bar` is the least, or 0 for none at all."""
    looked = np.array([look(*case) for case in cases])
    note, higher = f"{len(cases)} cases", bar > 0
    moved, wrong, apart, psi = looked.T
    confirmed = ((moved <= P) | (wrong > MOST_ERRORS)) & (apart >= CONFIRMED)
    yield Row(f"{name}: confirmed alarms", confirmed.mean(), bar, "", note, higher)
    yield Row(f"{name}: MMD, p <= {P}", (moved <= P).mean(), None, "", note)
    yield Row(f"{name}: errors", (wrong > MOST_ERRORS).mean(), None, "", note)
    yield Row(
        f"{name}: AUROC >= {CONFIRMED}, median {np.median(apart):.2f}", (apart >= CONFIRMED).mean(), None, "", note
    )
    yield Row(f"{name}: PSI >= {PSI}, median {np.median(psi):.2f}", (psi >= PSI).mean(), None, "", note)


def look(training: Music, new: Music) -> tuple[float, float, float, float]:
    """p of MMD, least share of errors, AUROC, and PSI."""
    moved = discrepancy(training.vectors, training.artists, new.vectors)
    _, above = share_above(training.errors, new.errors)
    apart = separability(training.vectors, training.artists, new.vectors, new.artists)
    return moved.p, least_share(above, len(new.errors)), apart or 0.5, psi(training.vectors, new.vectors)


def psi(training: np.ndarray, new: np.ndarray, components: int = 8, bins: int = 10) -> float:
    """Mean population stability index over principal components, in deciles, without its bias in small samples."""
    center = training.mean(axis=0)
    axes = np.linalg.svd(training - center, full_matrices=False)[2][:components]
    before, after = (training - center) @ axes.T, (new - center) @ axes.T
    values = []
    for a, b in zip(before.T, after.T, strict=True):
        edges = np.quantile(a, np.linspace(0, 1, bins + 1)[1:-1])
        p, q = (np.bincount(np.searchsorted(edges, x), minlength=bins) + 0.5 for x in (a, b))
        p, q = p / p.sum(), q / q.sum()
        values.append(((q - p) * np.log(q / p)).sum())
    return float(np.mean(values)) - (bins - 1) * (1 / len(before) + 1 / len(after))


def demo(store: Store) -> Music:
    embeddings = store.require("embeddings")
    table = store.read(embeddings, ["track_id", "embedding", "reconstruction_error"]).combine_chunks()
    tracks = store.read(store.manifest(embeddings).parent("tracks"), ["track_id", "artist", "label"]).to_pylist()
    by_id = {row["track_id"]: (str(row["artist"]), str(row["label"])) for row in tracks}
    artists, styles = zip(*(by_id[track_id] for track_id in table["track_id"].to_pylist()), strict=True)
    vectors = np.stack(table["embedding"].to_numpy())
    numbers = np.unique(artists, return_inverse=True)[1]
    return Music(vectors, table["reconstruction_error"].to_numpy(), numbers, np.array(styles))


def embedded_recordings(store: Store) -> Music:
    embedder, vectors, errors = load_embedder(store, store.require("model"), "cpu"), [], []
    for path in sorted((recordings.FOLDER / "esc10").glob("*/*"))[::2]:
        try:
            clips = extract(str(path), ClipConfig(), DecodeConfig())
        except AudioError:
            continue
        embeddings, error, levels = embedder.embed(clips.codes)
        vectors.append(embedder.pool(embeddings, levels + clips.peak_db)[0])
        errors.append(error.mean())
    n = len(errors)
    return Music(np.array(vectors), np.array(errors), 10**6 + np.arange(n), np.full(n, "sound"))
