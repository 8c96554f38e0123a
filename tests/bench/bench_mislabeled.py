"""Wrong labels: how many are found in two catalogs whose right labels are known, and how long 100,000 tracks take.

The demo's store is that of AUDIOAE_STORE (default: data). The store of the recordings is that of AUDIOAE_RECORDINGS, or
the one that `bench_quality` makes. In each, 8 % of the right labels are swapped, with ten seeds: for any other label,
for the label that is most often confused with theirs, or (on the demo) for whole albums. The check is compared with
each of its parts alone, with neighbors plus logistic regression, and with cleanlab's rankings (`cleanlab_rankings`).
Then it runs on the demo as it is, with its nine wrong labels.
"""

import csv
import os
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from audioae.api import Library
from audioae.config import load_config
from audioae.pipeline.config import Workers
from audioae.pipeline.index import read_embeddings
from audioae.screening.mislabeled.config import MislabeledConfig
from audioae.screening.mislabeled.label_model import LabelScores
from audioae.screening.mislabeled.label_noise import swap_labels
from audioae.screening.mislabeled.labels import TrackLabels, Vectors, read_labels
from audioae.screening.mislabeled.panel import make_panel
from audioae.screening.mislabeled.screen import score_labels, screen_mislabeled
from audioae.search.factory import IndexConfig
from audioae.search.index import SearchIndex
from audioae.settings import PipelineConfig
from audioae.store.dataset import Store
from tests.bench.bench_quality import RECORDINGS, ROOT, STEPS
from tests.bench.cleanlab_rankings import CLEANLAB, datalab_ranking, probability_rankings
from tests.bench.harness import Row, installed
from tests.chain import run_chain
from tests.recommend.made import styles
from tests.screening.mislabeled.made import NONE, label_model
from tests.search.made import clustered, make_table

SHARE, SEEDS, K = 0.08, 10, 30
N, N_ARTISTS, N_LABELS = 100_000, 5_000, 50
BARS = {"random": 0.9, "confusable": 0.75, "albums": 0.75}
VARIANTS: dict[str, Callable[[LabelScores], np.ndarray]] = {
    "neighbors alone": lambda scores: scores.neighbors,
    "classifier alone": lambda scores: scores.classifier,
    "both": lambda scores: np.where(
        np.isnan(scores.without_artist), scores.margin, 2 * scores.margin - np.nan_to_num(scores.without_artist)
    ),
}


def measure() -> list[Row]:
    demo = Library(Store(os.environ.get("AUDIOAE_STORE", "data")))
    rows = measure_swaps("demo", demo, true_labels(demo)) + measure_planted(demo)
    if recordings := recordings_store():
        rows = measure_swaps("recordings", Library(recordings), None) + measure_untouched(Library(recordings)) + rows
    return rows + (measure_overlap() if installed("cleanlab") else []) + measure_scale()


def recordings_store() -> Store | None:
    if given := os.environ.get("AUDIOAE_RECORDINGS"):
        return Store(given)
    if not RECORDINGS.exists():
        return None
    overrides = [f"store={ROOT}/recordings", f"train.steps={STEPS}", f"catalog.source={RECORDINGS}"]
    config = load_config(PipelineConfig, "configs/pipeline.yaml", [*overrides, "catalog.columns={split: fold}"])
    run_chain(config)
    return Store(config.store)


def true_labels(library: Library) -> dict[str, str]:
    """By track_id, from the truth.csv of a synthesized catalog; copies that it does not list keep their label."""
    rows = library.tracks.to_pylist()
    folder = next(path for path in Path(rows[0]["uri"]).parents if (path / "truth.csv").exists())
    with open(folder / "truth.csv", newline="", encoding="utf-8") as file:
        truth = {str(folder / row["path"]): row["true_label"] for row in csv.DictReader(file)}
    return {row["track_id"]: truth.get(row["uri"], row["label"]) for row in rows}


def measure_swaps(name: str, library: Library, truth: dict[str, str] | None) -> list[Row]:
    tracks, _ = read_labels(library)
    right = (
        tracks.names[tracks.label] if truth is None else [truth[track_id] for track_id in tracks.track_ids.to_pylist()]
    )
    names, labels = np.unique(right, return_inverse=True)
    vectors = Vectors(library.index, read_embeddings(library.store, library.embeddings_ref))
    model = make_panel(tracks, labels, np.arange(len(tracks)), len(names), vectors, K).model
    confusion, n = model.score(labels).confusion, round(SHARE * len(labels))
    rows = []
    for kind, bar in BARS.items():
        if kind == "albums" and (tracks.album < 0).all():
            continue
        precision: dict[str, list[float]] = {}
        missed = np.zeros((len(names), len(names), 2), int)
        for seed in range(SEEDS):
            swapped = swap_labels(labels, kind, n, np.random.default_rng(seed), confusion, tracks.album)
            wrong, scores = swapped != labels, model.score(swapped)
            margins = {variant: of(scores) for variant, of in VARIANTS.items()}
            probability = _logistic(tracks, library, swapped)
            margins["neighbors and logistic regression"] = scores.neighbors + _margin(probability, swapped)
            if installed("cleanlab"):
                margins |= probability_rankings(swapped, probability)
                margins |= datalab_ranking(swapped, library.index.embeddings(tracks.index_row))
            margins["the check"] = scores.margin
            for variant, margin in margins.items():
                precision.setdefault(variant, []).append(float(average_precision_score(wrong, -margin)))
            overlooked = wrong & (np.argsort(np.argsort(scores.margin)) >= wrong.sum())
            np.add.at(missed, (labels[wrong], swapped[wrong]), np.stack([overlooked, wrong], axis=1)[wrong])
        ours = precision.pop("the check")
        peers = {ranking: precision.pop(ranking) for ranking in CLEANLAB if ranking in precision}
        note = f"+- {np.std(ours):.2f} over {SEEDS} seeds; " + ", ".join(
            f"{variant} {np.mean(values):.3f}" for variant, values in precision.items()
        )
        if kind == "confusable":
            worst = np.dstack(np.unravel_index(np.argsort(-missed[:, :, 0], axis=None)[:3], missed.shape[:2]))[0]
            pairs = [
                f"{names[a]} as {names[b]} {missed[a, b, 0]}/{missed[a, b, 1]}" for a, b in worst if missed[a, b, 0]
            ]
            note += f"; not among the {n} lowest: {', '.join(pairs) or 'none'}"
        rows.append(
            Row(f"{name}, swaps: {kind}, {n} of {len(labels)}: average precision", float(np.mean(ours)), bar, "", note)
        )
        rows += [_peer(ranking, np.array(ours), np.array(values)) for ranking, values in peers.items()]
    return rows


def _peer(name: str, ours: np.ndarray, theirs: np.ndarray) -> Row:
    """A ranking of cleanlab on the same swaps, and how much the check is above it, seed by seed."""
    above = ours - theirs
    note = f"the check: {above.mean():+.3f} +- {above.std():.3f}; better with {(above > 0).sum()} of {SEEDS} seeds"
    return Row(f"  {name}", float(theirs.mean()), None, "", note)


def measure_overlap() -> list[Row]:
    """Four made labels of 30 tracks whose clusters overlap, 10 labels swapped: where cleanlab ranks better."""
    rows = []
    for spread in (1.0, 1.5):
        precision: dict[str, list[float]] = {}
        for seed in range(SEEDS):
            vectors, labels = styles(4, 30, spread=spread, seed=seed)
            swapped = swap_labels(labels, "random", 10, np.random.default_rng(seed), np.eye(4), np.full(120, NONE))
            model = LogisticRegression(C=0.3, max_iter=500)
            probability = np.asarray(cross_val_predict(model, vectors, swapped, cv=5, method="predict_proba"))
            scores = {"the check": label_model(vectors, 4).score(swapped).margin}
            for name, score in (scores | probability_rankings(swapped, probability)).items():
                precision.setdefault(name, []).append(float(average_precision_score(swapped != labels, -score)))
        ours = np.array(precision.pop("the check"))
        rows.append(Row(f"made clusters, spread {spread}: average precision", float(ours.mean()), None, ""))
        rows += [_peer(name, ours, np.array(values)) for name, values in precision.items()]
    return rows


def _logistic(tracks: TrackLabels, library: Library, labels: np.ndarray) -> np.ndarray:
    """Cross-validated probabilities, shape (n, n_labels), folds by recording."""
    vectors = library.index.embeddings(tracks.index_row)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.03, max_iter=500))
    probability: Any = cross_val_predict(
        model, vectors, labels, groups=tracks.recording, cv=GroupKFold(5, shuffle=True, random_state=0),
        method="predict_proba",
    )  # fmt: skip
    return probability


def _margin(probability: np.ndarray, labels: np.ndarray) -> np.ndarray:
    rows, others = np.arange(len(labels)), probability.copy()
    others[rows, labels] = -1
    return probability[rows, labels] - others.max(axis=1)


def measure_planted(library: Library) -> list[Row]:
    truth = true_labels(library)
    tracks, _ = read_labels(library)
    labels = tracks.names[tracks.label]
    wrong = {t for t, label in zip(tracks.track_ids.to_pylist(), labels, strict=True) if truth[t] != label}
    screened = screen_mislabeled(library, MislabeledConfig(), Workers(), lambda what, done, total: None)
    order = np.argsort(screened.score)
    ids = np.array(screened.track_ids.to_pylist())
    hit = np.isin(ids[order], list(wrong))
    issues, measured = int(screened.is_issue.sum()), screened.measured
    assert screened.suggestion is not None
    right = sum(screened.suggestion[row] == truth[str(ids[row])] for row in order[: len(wrong)].tolist())
    note = f"{hit[:issues].sum()} of {issues} issues are wrong; {right} suggestions are right; self-test: "
    note += ", ".join(
        f"{kind} {measured[kind]['average_precision']:.3f}" for kind in ("random", "confusable", "albums")
    )
    return [
        Row(f"demo as it is: wrong labels among the {len(wrong)} lowest", float(hit[: len(wrong)].sum()), 8, "", note),
        Row("... among the 20 lowest", float(hit[:20].sum()), len(wrong), ""),
    ]


def measure_untouched(library: Library) -> list[Row]:
    screened = screen_mislabeled(library, MislabeledConfig(), Workers(), lambda what, done, total: None)
    share, note = float(screened.is_issue.mean()), f"{screened.is_issue.sum()} of {len(screened.score)}"
    return [Row("recordings as they are: share of issues", share, 0.05, "", note, higher_is_better=False)]


def measure_scale() -> list[Row]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        result = pool.submit(run, N).result()
    note = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in result["seconds"].items())
    about = f"imports, mostly torch, take {result['imports_gb']:.2f} GB more"
    total = sum(result["seconds"].values())
    return [
        Row("100,000 tracks of 50 labels, with an index", total, 60, " s", note, higher_is_better=False),
        Row("... peak memory beyond imports, building the index included", result["own_gb"], 1, " GB", about, False),
    ]


def run(n: int) -> dict[str, Any]:
    """Seconds by step, on one thread, and peak memory. A track's label is the nearest of 50 given tracks."""
    imports = _peak_gb()
    with threadpool_limits(1):
        vectors = clustered(n, seed=1, n_artists=N_ARTISTS)
        table = make_table(vectors)
        index = SearchIndex.build(table, IndexConfig())
        labels = (vectors @ vectors[:N_LABELS].T).argmax(axis=1)
        artist = np.random.default_rng(1).integers(N_ARTISTS, size=n)
        tracks = TrackLabels(
            track_ids=table.track_ids,
            label=labels,
            names=np.char.add("label ", np.arange(N_LABELS).astype(str)),
            index_row=np.argsort(table.rows_of(index.ids)),
            recording=np.arange(n),
            artist=artist,
            album=artist,
            artist_name=artist.astype(str),
            album_name=artist.astype(str),
        )
        marks = [("", time.perf_counter())]
        config = MislabeledConfig()
        score_labels(tracks, index, table, config, lambda what, *_: marks.append((what, time.perf_counter())))
        marks.append(("", time.perf_counter()))
    names = ["preparing", "neighbors and matrices", *(name or "evidence" for name, _ in marks[3:])]
    seconds: dict[str, float] = {}
    for name, (_, start), (_, end) in zip(names, marks, marks[1:], strict=False):
        seconds[name] = seconds.get(name, 0) + end - start
    return {"seconds": seconds, "own_gb": _peak_gb() - imports, "imports_gb": imports}


def _peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
