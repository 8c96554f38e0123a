"""The end of a run, for a person: what went in, what was rejected, how long it took, how good the index is, and where.

The picture is a map of the embeddings: their two principal components, one dot a track, colored by label.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from rich.table import Table

from audioae.pipeline.accounting import Accounting, account_store
from audioae.pipeline.index import read_embeddings, read_gate
from audioae.screening.findings import Findings
from audioae.search.embeddings import EmbeddingTable
from audioae.search.recall import exact_neighbors
from audioae.spacing import evenly_spaced
from audioae.store.artifacts import artifact_part
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

MAX_MAPPED = 20_000
K = 10


@dataclass(frozen=True)
class Summary:
    """What one run of the pipeline came to."""

    accounting: Accounting
    seconds: dict[str, float]
    gate: dict[str, Any]
    label_agreement: tuple[float, float] | None  # share of neighbors with the query's label, and what chance gives
    refs: dict[str, str]
    root: str
    screened: tuple[dict[str, Any], ...] = ()  # a row per check, as `Findings.overview` has them


def summarize(
    store: Store, index: DatasetRef, seconds: dict[str, float], findings: DatasetRef | None = None
) -> Summary:
    """Collect what the run behind `index` came to; `seconds` per stage is the caller's to measure."""
    embeddings = store.manifest(index).parent("embeddings")
    manifest = store.manifest(embeddings)
    refs = {name: str(manifest.parent(name)) for name in ("tracks", "model")}
    return Summary(
        accounting=account_store(store, embeddings),
        seconds=seconds,
        gate=read_gate(store, index),
        label_agreement=label_agreement(*_labeled(store, embeddings)),
        refs={**refs, "embeddings": str(embeddings), "index": str(index)},
        root=store.storage.locate(""),
        screened=tuple(Findings(store, findings).overview()) if findings else (),
    )


def label_agreement(embeddings: np.ndarray, labels: np.ndarray, k: int = K) -> tuple[float, float] | None:
    """Share of each track's `k` nearest tracks that have its label, and the share if neighbors were drawn by lot.

    Parameters
    ----------
    embeddings : np.ndarray, shape (n, 128), float32, L2-normalized
    labels : np.ndarray, shape (n,), str

    Returns
    -------
    agreement, chance : float, or None where there are fewer than two labels or fewer than k + 1 tracks
    """
    _, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if len(counts) < 2 or len(labels) <= k:
        return None
    _, rows = exact_neighbors(embeddings, embeddings, k + 1)
    others = [row[row != i][:k] for i, row in enumerate(rows)]
    agreement = np.mean([codes[row] == codes[i] for i, row in enumerate(others)])
    return float(agreement), float((counts * (counts - 1)).sum() / (len(labels) * (len(labels) - 1)))


def write_pictures(store: Store, index: DatasetRef) -> dict[str, str]:
    """Draw the map of the embeddings beside the index; returns where every picture of this run lies."""
    embeddings = store.manifest(index).parent("embeddings")
    key = f"pictures/map-{embeddings.version}.png"
    if not store.storage.exists(key):
        store.storage.write(key, embedding_map(*_labeled(store, embeddings, all_tracks=True)))
    model = store.manifest(embeddings).parent("model")
    parts = {name: f"model/parts/{artifact_part(store, model, name).name}" for name in PICTURES_OF_MODEL}
    return {name: store.storage.locate(part) for name, part in {"map": key, **parts}.items()}


PICTURES_OF_MODEL = ("training.png", "reconstructions.png")


def embedding_map(embeddings: np.ndarray, labels: np.ndarray) -> bytes:
    """A PNG of the first two principal components, one color a label (the 20 most frequent; the rest in gray).

    Parameters
    ----------
    embeddings : np.ndarray, shape (n, 128), float32
    labels : np.ndarray, shape (n,), str; "" where there is none
    """
    centered = embeddings - embeddings.mean(axis=0)
    _, singular, axes = np.linalg.svd(centered, full_matrices=False)
    points = centered @ axes[:2].T
    share = singular[:2] ** 2 / max(float((singular**2).sum()), 1e-12)
    names, counts = np.unique(labels[labels != ""], return_counts=True)
    shown = names[np.argsort(-counts)][:20]
    figure = Figure(figsize=(9, 6.2), layout="constrained")
    axis = figure.subplots()
    rest = ~np.isin(labels, shown)
    axis.scatter(*points[rest].T, s=14, color="lightgray", label="other" if rest.any() else None)
    colors = _colors(len(shown))
    for color, name in zip(colors, sorted(shown), strict=True):
        axis.scatter(*points[labels == name].T, s=20, color=color, label=f"{name} ({(labels == name).sum()})")
    axis.set(xlabel=f"principal component 1 ({share[0]:.0%} of variance)")
    axis.set(ylabel=f"principal component 2 ({share[1]:.0%})" if len(share) > 1 else "")
    axis.set_title(f"{len(points)} tracks by sound")
    figure.legend(loc="outside right upper", fontsize=8, frameon=False)
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=110)
    return png.getvalue()


def summary_table(summary: Summary, pictures: dict[str, str]) -> Table:
    """The short table at the end of a run."""
    sums, gate = summary.accounting, summary.gate
    table = Table(title="audioae", show_header=False, title_justify="left")
    table.add_column()
    table.add_column(overflow="fold")
    table.add_row(
        "tracks",
        f"{sums.n_tracks} in the catalog: {sums.embedded} embedded, {sums.duplicates} exact duplicates, "
        f"{sum(sums.rejected.values())} rejected, {sums.pending} pending",
    )
    if sums.padded:
        table.add_row("padded", f"{sums.padded} tracks shorter than 3 s")
    for reason, count in sums.rejected.items():
        table.add_row(f"  rejected: {reason}", str(count))
    total = sum(summary.seconds.values())
    for stage, seconds in summary.seconds.items():
        table.add_row(f"  {stage}", f"{seconds:.1f} s")
    if total:
        table.add_row("seconds", f"{total:.1f}, {sums.n_tracks / total:.1f} tracks/s")
    table.add_row(
        "index",
        f"{gate['factory']}: recall@{gate['k']} {gate['recall']:.3f}, p50 {gate['p50_ms']:.2f} ms, "
        f"p99 {gate['p99_ms']:.2f} ms, {gate['bytes_per_vector']:.0f} bytes per vector",
    )
    if summary.label_agreement:
        agreement, chance = summary.label_agreement
        table.add_row("neighbors", f"{agreement:.0%} of the {K} nearest have the query's label (by lot: {chance:.0%})")
    if summary.screened:
        table.add_row("findings", f"audioae findings --store {summary.root}")
    for row in summary.screened:
        cannot = f", {row['cannot tell']} cannot be told" if row["cannot tell"] else ""
        left_out = f"; {row['omitted'][0]}" if row["omitted"] and not row["screened"] else ""
        table.add_row(f"  {row['check']}", f"{row['issues']} of {row['screened']} tracks{cannot}{left_out}")
    table.add_row("versions", ", ".join(summary.refs.values()))
    table.add_row("store", summary.root)
    for name, path in pictures.items():
        table.add_row(Path(name).stem, path)
    return table


def _labeled(store: Store, embeddings: DatasetRef, all_tracks: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings and labels of at most `MAX_MAPPED` tracks, evenly taken; of labeled ones unless `all_tracks`."""
    table: EmbeddingTable = read_embeddings(store, embeddings)
    tracks = store.read(store.manifest(embeddings).parent("tracks"), ["track_id", "label"])
    label_of = dict(zip(tracks["track_id"].to_pylist(), tracks["label"].to_pylist(), strict=True))
    labels = np.array([label_of.get(track_id) or "" for track_id in table.track_ids.to_pylist()], dtype=object)
    rows = np.arange(len(labels)) if all_tracks else np.flatnonzero(labels != "")
    rows = rows[evenly_spaced(len(rows), MAX_MAPPED)]
    return table.embeddings[rows], labels[rows].astype(str)


def _colors(n: int) -> list[Any]:
    from matplotlib import colormaps

    palette = colormaps["tab10" if n <= 10 else "tab20"]
    return [palette(i) for i in range(n)]
