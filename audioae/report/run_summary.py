"""The summary at the end of a pipeline run: what went in, what was rejected, how long it took, how good the index is.

Its picture is a map of the embeddings on their two principal axes, one dot per track, colored by label.

Convention: matplotlib is imported when a map is drawn.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc  # its functions are made at import
from rich.table import Table

from audioae.display import drawn
from audioae.library.track_vectors import catalog_rows
from audioae.pages.formats import percent
from audioae.pipeline.accounting import Accounting, account_store
from audioae.pipeline.embeddings import read_embeddings, take_embeddings
from audioae.pipeline.index import read_gate
from audioae.screening.findings import Findings
from audioae.search.projection import fit_plane
from audioae.search.recall import exact_neighbors
from audioae.spacing import evenly_spaced
from audioae.store.artifacts import artifact_part
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

MAX_MAPPED = 20_000
MAX_COLORS = 20
K = 10
MODEL_PICTURES = ("training.png", "reconstructions.png")


@dataclass(frozen=True)
class Summary:
    """The results of one pipeline run.

    Parameters
    ----------
    accounting : Accounting
    seconds : dict of stage to seconds
    gate : dict
        What the index measured before it was published.
    label_agreement : tuple of float, or None
        As returned by `label_agreement`.
    refs : dict of dataset to ref
    root : str
        Location of the store.
    screened : tuple of dict
        A row per check, as returned by `Findings.overview`.
    """

    accounting: Accounting
    seconds: dict[str, float]
    gate: dict[str, Any]
    label_agreement: tuple[float, float] | None
    refs: dict[str, str]
    root: str
    screened: tuple[dict[str, Any], ...] = ()


def summarize(
    store: Store, index: DatasetRef, seconds: dict[str, float], findings: DatasetRef | None = None
) -> Summary:
    """Collect the results of the run that published `index`; the caller measures the `seconds` of each stage."""
    embeddings = store.manifest(index).parent("embeddings")
    manifest = store.manifest(embeddings)
    refs = {name: str(manifest.parent(name)) for name in ("tracks", "model")}
    return Summary(
        accounting=account_store(store, embeddings),
        seconds=seconds,
        gate=read_gate(store, index),
        label_agreement=label_agreement(*_embeddings_and_labels(store, embeddings, labeled_only=True)),
        refs={**refs, "embeddings": str(embeddings), "index": str(index)},
        root=store.storage.locate(""),
        screened=tuple(Findings(store, findings).overview()) if findings else (),
    )


def label_agreement(embeddings: np.ndarray, labels: np.ndarray, k: int = K) -> tuple[float, float] | None:
    """Share of the `k` nearest tracks that have the query's label, over all queries, and the share expected by chance.

    Parameters
    ----------
    embeddings : np.ndarray, shape (n, 128), float32, L2-normalized
    labels : np.ndarray, shape (n,), str

    Returns
    -------
    agreement, chance : float, or None if there are fewer than two labels or fewer than k + 1 tracks
    """
    _, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if len(counts) < 2 or len(labels) <= k:
        return None
    _, rows = exact_neighbors(embeddings, embeddings, k + 1)
    others = [row[row != i][:k] for i, row in enumerate(rows)]
    agreement = np.mean([codes[row] == codes[i] for i, row in enumerate(others)])
    return float(agreement), float((counts * (counts - 1)).sum() / (len(labels) * (len(labels) - 1)))


def write_pictures(store: Store, index: DatasetRef) -> dict[str, str]:
    """Draw the map of the embeddings into the store, and return the locations of all pictures of this run by name."""
    embeddings = store.manifest(index).parent("embeddings")
    key = map_key(store, index)
    if not store.storage.exists(key):
        store.storage.write(key, embedding_map(*_embeddings_and_labels(store, embeddings)))
    model = store.manifest(embeddings).parent("model")
    parts = {name: f"model/parts/{artifact_part(store, model, name).name}" for name in MODEL_PICTURES}
    return {name: store.storage.locate(part) for name, part in {"map": key, **parts}.items()}


def map_key(store: Store, index: DatasetRef) -> str:
    """The key of the map in the store."""
    return f"pictures/map-{store.manifest(index).parent('embeddings').version}.png"


def embedding_map(embeddings: np.ndarray, labels: np.ndarray) -> bytes:
    """A PNG of the embeddings on their two principal axes; the 20 most frequent labels have a color, the rest is gray.

    Parameters
    ----------
    embeddings : np.ndarray, shape (n, 128), float32
    labels : np.ndarray, shape (n,), str
        "" where unknown.
    """
    from matplotlib.figure import Figure

    plane = fit_plane(embeddings)
    points = plane.project(embeddings)
    names, counts = np.unique(labels[labels != ""], return_counts=True)
    colored = sorted(names[np.argsort(-counts)][:MAX_COLORS])
    figure = Figure(figsize=(9, 6.2), layout="constrained")
    axis = figure.subplots()
    rest = ~np.isin(labels, colored)
    axis.scatter(*points[rest].T, s=14, color="lightgray", label="other" if rest.any() else None)
    for color, name in zip(_colors(len(colored)), colored, strict=True):
        of_label = points[labels == name]
        axis.scatter(*of_label.T, s=20, color=color, label=f"{drawn(name, 40)} ({len(of_label)})")
    axis.set(
        xlabel=f"principal component 1 ({percent(plane.explained[0])} of the variance)",
        ylabel=f"principal component 2 ({percent(plane.explained[1])})",
        title=f"{len(points)} tracks by sound",
    )
    figure.legend(loc="outside right upper", fontsize=8, frameon=False)
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=110)
    return png.getvalue()


def summary_table(summary: Summary, pictures: dict[str, str]) -> Table:
    """The table at the end of a run."""
    accounting, gate = summary.accounting, summary.gate
    table = Table(title="audioae", show_header=False, title_justify="left")
    table.add_column()
    table.add_column(overflow="fold")
    table.add_row(
        "tracks",
        f"{accounting.n_tracks} in the catalog: {accounting.embedded} embedded, {accounting.duplicates} exact "
        f"duplicates, {sum(accounting.rejected.values())} rejected, {accounting.pending} pending",
    )
    for reason, n in accounting.rejected.items():
        table.add_row(f"  rejected: {reason}", str(n))
    for state, n in accounting.pending_states.items():
        if state != "pending":
            table.add_row(f"  {state}", str(n))
    if accounting.padded:
        table.add_row("  shorter than 3 s", f"{accounting.padded} of the embedded tracks, repeated to fill a clip")
    total = sum(summary.seconds.values())
    if total:
        table.add_row("time", f"{total:.1f} s, {accounting.n_tracks / total:.1f} tracks/s")
    for stage, seconds in summary.seconds.items():
        table.add_row(f"  {stage}", f"{seconds:.1f} s")
    table.add_row(
        "index",
        f"{gate['factory']}: recall@{gate['k']} {gate['recall']:.3f}, p50 {gate['p50_ms']:.2f} ms, "
        f"p99 {gate['p99_ms']:.2f} ms, {gate['bytes_per_vector']:.0f} bytes per vector",
    )
    if summary.label_agreement:
        agreement, chance = (percent(share) for share in summary.label_agreement)
        table.add_row(
            "neighbors", f"{agreement} of the {K} nearest tracks share the query's label ({chance} expected by chance)"
        )
    if summary.screened:
        table.add_row("findings", f"audioae findings --store {summary.root}")
    for row in summary.screened:
        table.add_row(f"  {row['check']}", _check_result(row))
    table.add_row("versions", ", ".join(summary.refs.values()))
    table.add_row("store", summary.root)
    for name, path in pictures.items():
        table.add_row(Path(name).stem, path)
    return table


def _check_result(row: dict[str, Any]) -> str:
    if not row["screened"] and row["omitted"]:
        return f"no track was checked: {row['omitted'][0]}"
    unknown = f"; cannot tell for {row['cannot tell']}" if row["cannot tell"] else ""
    return f"{row['issues']} of {row['screened']} tracks are issues{unknown}"


def _embeddings_and_labels(
    store: Store, ref: DatasetRef, *, labeled_only: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings and labels of all tracks, or of the labeled ones; of more than `MAX_MAPPED`, evenly spaced."""
    n = store.manifest(ref).rows
    table = take_embeddings(store, ref, evenly_spaced(n, MAX_MAPPED)) if n else read_embeddings(store, ref)
    tracks = catalog_rows(store, store.manifest(ref).parent("tracks"), table.track_ids, ["track_id", "label"])
    rows = pc.index_in(table.track_ids, value_set=tracks["track_id"].combine_chunks())
    labels = pc.fill_null(tracks["label"].take(rows), "").to_numpy()
    rows = np.flatnonzero(labels != "") if labeled_only else np.arange(len(labels))
    return table.embeddings[rows], labels[rows].astype(str)


def _colors(n: int) -> list[Any]:
    from matplotlib import colormaps

    palette = colormaps["tab10" if n <= 10 else "tab20"]
    return [palette(i) for i in range(n)]
