"""How many wrong labels are found, in two catalogs whose right ones are known, and how long 100,000 tracks take.

The demo's store is that of AUDIOAE_STORE (default: data); of the recordings that of AUDIOAE_RECORDINGS, else the one
that `bench_quality` makes. In each, 8 % of the right labels are swapped, with ten seeds: for any other label, for the
one that is most confused with it, or (on the demo) those of whole albums. Beside what the check does stand its parts
alone, and neighbors with logistic regression. Then the check runs on the demo as it is, with nine planted wrong labels.
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
from audioae.screening.mislabeled.label_model import LabelScores
from audioae.screening.mislabeled.label_noise import swap_labels
from audioae.screening.mislabeled.labels import TrackLabels, read_labels
from audioae.screening.mislabeled.screen import MislabeledConfig, make_label_model, score_labels, screen_mislabeled
from audioae.search.factory import IndexConfig
from audioae.search.index import SearchIndex
from audioae.settings import PipelineConfig
from audioae.store.dataset import Store
from tests.bench.bench_quality import RECORDINGS, ROOT, STEPS
from tests.bench.harness import Row
from tests.chain import run_chain
from tests.search.made import clustered, make_table

SHARE, SEEDS, K = 0.08, 10, 30
N, N_ARTISTS, N_LABELS = 100_000, 5_000, 50
BARS = {"random": 0.9, "confusable": 0.75, "albums": 0.75}
VARIANTS: dict[str, Callable[[LabelScores], np.ndarray]] = {
    "neighbors alone": lambda opinion: opinion.neighbors,
    "classifier alone": lambda opinion: opinion.classifier,
    "both": lambda opinion: np.where(
        np.isnan(opinion.apart), opinion.margin, 2 * opinion.margin - np.nan_to_num(opinion.apart)
    ),
}


def measure() -> list[Row]:
    demo = Library(Store(os.environ.get("AUDIOAE_STORE", "data")))
    rows = measure_swaps("demo", demo, true_labels(demo)) + measure_planted(demo)
    if recordings := recordings_store():
        rows = measure_swaps("recordings", Library(recordings), None) + measure_untouched(Library(recordings)) + rows
    return rows + measure_scale()


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
    """By track_id, from the truth.csv of a synthesized catalog; copies that it does not list keep their claim."""
    rows = library.tracks.to_pylist()
    folder = next(path for path in Path(rows[0]["uri"]).parents if (path / "truth.csv").exists())
    with open(folder / "truth.csv", newline="", encoding="utf-8") as file:
        truth = {str(folder / row["path"]): row["true_label"] for row in csv.DictReader(file)}
    return {row["track_id"]: truth.get(row["uri"], row["label"]) for row in rows}


def measure_swaps(name: str, library: Library, truth: dict[str, str] | None) -> list[Row]:
    claims, _ = read_labels(library)
    right = claims.labels if truth is None else [truth[track_id] for track_id in claims.track_ids]
    names, labels = np.unique(right, return_inverse=True)
    jury = make_label_model(
        claims, len(names), library.index, read_embeddings(library.store, library.embeddings_ref), K
    )
    confusion, n = jury.judge(labels).confusion, round(SHARE * len(labels))
    rows = []
    for kind, bar in BARS.items():
        if kind == "albums" and (claims.album < 0).all():
            continue
        found: dict[str, list[float]] = {}
        missed = np.zeros((len(names), len(names), 2), int)
        for seed in range(SEEDS):
            swapped = swap_labels(labels, kind, n, np.random.default_rng(seed), confusion, claims.album)
            wrong, opinion = swapped != labels, jury.judge(swapped)
            margins = {variant: of(opinion) for variant, of in VARIANTS.items()}
            margins["neighbors and logistic regression"] = opinion.neighbors + _logistic(claims, library, swapped)
            margins["ours"] = opinion.margin
            for variant, margin in margins.items():
                found.setdefault(variant, []).append(float(average_precision_score(wrong, -margin)))
            late = wrong & (np.argsort(np.argsort(opinion.margin)) >= wrong.sum())
            np.add.at(missed, (labels[wrong], swapped[wrong]), np.stack([late, wrong], axis=1)[wrong])
        own = found.pop("ours")
        note = f"+- {np.std(own):.2f} over {SEEDS} seeds; " + ", ".join(
            f"{v} {np.mean(f):.3f}" for v, f in found.items()
        )
        if kind == "confusable":
            worst = np.dstack(np.unravel_index(np.argsort(-missed[:, :, 0], axis=None)[:3], missed.shape[:2]))[0]
            pairs = [
                f"{names[a]} as {names[b]} {missed[a, b, 0]}/{missed[a, b, 1]}" for a, b in worst if missed[a, b, 0]
            ]
            note += f"; not among the {n} lowest: {', '.join(pairs) or 'none'}"
        rows.append(
            Row(f"{name}, swaps: {kind}, {n} of {len(labels)}: average precision", float(np.mean(own)), bar, "", note)
        )
    return rows


def _logistic(claims: TrackLabels, library: Library, labels: np.ndarray) -> np.ndarray:
    """The margin of cross-validated probabilities, folds by recording."""
    vectors = library.index.embeddings(claims.index_row)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.03, max_iter=500))
    said: Any = cross_val_predict(
        model, vectors, labels, groups=claims.recording, cv=GroupKFold(5, shuffle=True, random_state=0),
        method="predict_proba",
    )  # fmt: skip
    rows = np.arange(len(labels))
    own = said[rows, labels].copy()
    said[rows, labels] = -1
    return own - said.max(axis=1)


def measure_planted(library: Library) -> list[Row]:
    truth = true_labels(library)
    claims, _ = read_labels(library)
    wrong = {t for t, label in zip(claims.track_ids, claims.labels, strict=True) if truth[t] != label}
    screened = screen_mislabeled(library, MislabeledConfig(), Workers(), lambda what, done, total: None)
    order = np.argsort(screened.score)
    hit = np.isin(screened.track_ids[order], list(wrong))
    issues, own = int(screened.is_issue.sum()), screened.measured
    assert screened.suggestion is not None
    named = sum(screened.suggestion[row] == truth[str(screened.track_ids[row])] for row in order[: len(wrong)].tolist())
    note = f"{hit[:issues].sum()} of {issues} issues are wrong; {named} suggestions are right; the run itself says "
    note += ", ".join(f"{kind} {own[kind]['average_precision']:.3f}" for kind in ("random", "confusable", "albums"))
    return [
        Row(f"demo as it is: wrong labels among the {len(wrong)} lowest", float(hit[: len(wrong)].sum()), 8, "", note),
        Row("... among the 20 lowest", float(hit[:20].sum()), len(wrong), ""),
    ]


def measure_untouched(library: Library) -> list[Row]:
    screened = screen_mislabeled(library, MislabeledConfig(), Workers(), lambda what, done, total: None)
    share, note = float(screened.is_issue.mean()), f"{screened.is_issue.sum()} of {len(screened.score)}"
    return [Row("recordings as they are: called issues", share, 0.05, "", note, higher_is_better=False)]


def measure_scale() -> list[Row]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        found = pool.submit(run, N).result()
    note = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in found["seconds"].items())
    about = f"imports, torch above all, take {found['imports_gb']:.2f} GB more"
    total = sum(found["seconds"].values())
    return [
        Row("100,000 tracks of 50 labels, index at hand", total, 60, " s", note, higher_is_better=False),
        Row("... peak memory beyond imports, building the index included", found["own_gb"], 1, " GB", about, False),
    ]


def run(n: int) -> dict[str, Any]:
    """Seconds by step, on one thread, and the peak of memory. A label is what the nearest of 50 tracks stands for."""
    imports = _peak_gb()
    with threadpool_limits(1):
        vectors = clustered(n, seed=1, n_artists=N_ARTISTS)
        table = make_table(vectors)
        index = SearchIndex.build(table, IndexConfig())
        labels = (vectors @ vectors[:N_LABELS].T).argmax(axis=1)
        artist = np.random.default_rng(1).integers(N_ARTISTS, size=n)
        claims = TrackLabels(
            track_ids=np.array(table.track_ids.to_pylist()),
            labels=np.char.add("label ", labels.astype(str)),
            index_row=np.argsort(table.rows_of(index.ids)),
            recording=np.arange(n),
            artist=artist,
            album=artist,
            artist_name=artist.astype(str),
            album_name=artist.astype(str),
        )
        marks = [("", time.perf_counter())]
        config = MislabeledConfig()
        score_labels(claims, index, table, config, lambda what, *_: marks.append((what, time.perf_counter())))
        marks.append(("", time.perf_counter()))
    names = ["preparing", "neighbors and matrices", *(name or "evidence" for name, _ in marks[3:])]
    seconds: dict[str, float] = {}
    for name, (_, start), (_, end) in zip(names, marks, marks[1:], strict=False):
        seconds[name] = seconds.get(name, 0) + end - start
    return {"seconds": seconds, "own_gb": _peak_gb() - imports, "imports_gb": imports}


def _peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
