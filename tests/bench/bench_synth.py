"""The demo catalog: what it costs, and whether its styles are told apart, but not too easily.

The time for the whole catalog on two cores follows from the CPU time of a sample, so that others on the machine do not
count. Separability is that of the textbook features: MFCC means and deviations, five nearest neighbors, leave one out.
"""

import tempfile
import time
from pathlib import Path

import numpy as np

from audioae.audio.librosa_modules import librosa
from audioae.demo.config import SynthConfig
from audioae.demo.make import make_piece, make_score
from audioae.demo.plan import Piece, plan_catalog
from audioae.demo.render import render
from tests.bench.harness import Row

CONFIG = SynthConfig()


def measure() -> list[Row]:
    pieces, _ = plan_catalog(CONFIG)
    accuracy, other_artists = _separability(pieces)
    note = f"{other_artists:.2f} among other artists; {len(pieces)} tracks"
    return [
        Row("synth: the catalog of 176 tracks on 2 cores", _seconds(pieces), 60, "s", "CPU time of 22", False),
        Row("synth: styles by MFCC 5-NN, at least", accuracy, 0.7, "", note),
        Row("synth: styles by MFCC 5-NN, at most", accuracy, 0.95, "", note, False),
    ]


def _seconds(pieces: list[Piece]) -> float:
    sample = pieces[::8]
    with tempfile.TemporaryDirectory() as folder:
        make_piece(Path(folder) / "warm", CONFIG, sample[0])
        start = time.process_time()
        for piece in sample:
            make_piece(Path(folder) / "cold", CONFIG, piece)
        return (time.process_time() - start) * len(pieces) / len(sample) / 2


def _separability(pieces: list[Piece]) -> tuple[float, float]:
    """Share of tracks whose style the majority of five neighbors has: among all, and among other artists' tracks."""
    features = np.stack([_features(piece) for piece in pieces])
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    styles = np.array([piece.style for piece in pieces])
    artists = np.array([piece.artist for piece in pieces])
    scores = features @ features.T
    np.fill_diagonal(scores, -np.inf)
    others = np.where(artists[:, None] == artists, -np.inf, scores)
    return _accuracy(scores, styles), _accuracy(others, styles)


def _accuracy(scores: np.ndarray, styles: np.ndarray) -> float:
    neighbors = styles[np.argsort(-scores, axis=1)[:, :5]]
    return float(np.mean([np.bincount(five).argmax() == style for five, style in zip(neighbors, styles, strict=True)]))


def _features(piece: Piece) -> np.ndarray:
    waveform = render(make_score(CONFIG, piece), 22_050, np.random.default_rng(piece.number)).mean(axis=0)
    mfcc = librosa.feature.mfcc(y=waveform, sr=22_050, n_mfcc=20)
    return np.concatenate([mfcc.mean(axis=1), mfcc.std(axis=1), np.abs(np.diff(mfcc, axis=1)).mean(axis=1)])
