"""The report of a store: collects everything that its page shows, from one generation of its datasets.

Conventions
-----------
- The generation is that of the published index; without an index, that of the published embeddings. A store that has
  neither is reported as far as possible. Findings and recommendations of another generation are shown and named as
  outdated.
- The map and the lists of neighbors have at most `MAX_TRACKS` tracks, evenly spaced through the catalog.
"""

from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from audioae.audio.mel import decode_mel
from audioae.display import shown
from audioae.errors import StoreError
from audioae.library.catalog_columns import open_columns
from audioae.library.generation import Generation
from audioae.library.track_vectors import TrackVectors, vectors_from_store
from audioae.metrics import hubness
from audioae.metrics.document import hub_rows
from audioae.pages.layout import MAX_POINTS, map_rows
from audioae.pages.neighbors import choose_queries, nearest
from audioae.pages.report_page import ReportData
from audioae.pipeline.accounting import account_store
from audioae.pipeline.config import Workers
from audioae.pipeline.index import read_gate
from audioae.progress import Progress
from audioae.report.examples import example_listeners, example_walks
from audioae.report.excerpts import PageTracks
from audioae.report.findings import read_findings
from audioae.spacing import evenly_spaced
from audioae.store.artifacts import read_artifact
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

MAX_TRACKS = MAX_POINTS
K = 10
N_RECONSTRUCTIONS = 6
PER_REASON, MAX_REJECTED = 3, 24
TOO_FEW = "fewer than two tracks have an embedding"
MISSING = {
    "training": "no model is published",
    "map": TOO_FEW,
    "findings": "this store was not screened",
    "playlists": TOO_FEW,
    "index": "no index is published",
    "recommendations": "this store has no recommendations, which need a play log",
}


def make_report(
    store: Store, *, budget: int = 10, workers: Workers | None = None, progress: Progress | None = None
) -> ReportData:
    """Collect the data of a store's page; `pages.report_page.render_report` renders it.

    Parameters
    ----------
    store : Store
    budget : int
        Findings to show per check, the worst first.
    workers : Workers, optional
        Processes that read the excerpts.
    progress : Progress, optional

    Raises
    ------
    StoreError
        If the store has no catalog.
    """
    workers, progress = workers or Workers(), progress or (lambda what, done, total: None)
    library = _generation(store)
    tracks_ref = library.tracks_ref if library else store.require("tracks")
    embeddings = library.embeddings_ref if library else None
    accounting = account_store(store, embeddings)
    vectors = vectors_from_store(store, embeddings, MAX_TRACKS) if embeddings and accounting.embedded >= 2 else None
    columns = library.columns if library else open_columns(store, tracks_ref)
    tracks = PageTracks(columns, vectors.metadata.ids.tolist() if vectors else ())

    sections: dict[str, Any] = {}
    missing = dict(MISSING)
    if library and vectors:
        progress("playlists", 0, 1)
        sections["walks"], why = example_walks(library, vectors, tracks)
        missing["playlists"] = why or "all tracks have the same embedding"
        progress("playlists", 1, 1)
        sections |= _neighbors(vectors, tracks)
    progress("findings", 0, 1)
    checks, outdated_findings = read_findings(store, embeddings, tracks, budget)
    listeners, outdated_listeners = example_listeners(store, tracks, embeddings)
    progress("findings", 1, 1)
    if vectors:  # in random order, since not all of them may get an excerpt
        rows = map_rows(vectors.metadata.n)
        tracks.add_rows(rows[np.random.default_rng(0).permutation(len(rows))].tolist())
    excerpts, unreadable = tracks.read_excerpts(library, workers, progress) if library else ({}, ())
    if library and vectors:
        codes = [excerpts[row].codes for row in range(vectors.metadata.n) if row in excerpts]
        sections |= _reconstructions(library, codes)
    return ReportData(
        store=store.storage.locate(""),
        date=datetime.now(UTC).date().isoformat(),
        versions=_versions(store, library, tracks_ref),
        accounting={**asdict(accounting), "pending_states": accounting.pending_states},
        rejected=_rejected(store, library.rejects_ref if library else store.latest("rejects"), tracks),
        checks=checks,
        listeners=listeners,
        tracks=tracks.as_shown(excerpts),
        omitted=[*(vectors.omitted if vectors else ()), *outdated_findings, *outdated_listeners, *unreadable],
        missing=missing,
        metrics=_training_log(store, library.model_ref if library else store.latest("model")),
        **_gate(store, library),
        **sections,
    )


def _generation(store: Store) -> Generation | None:
    index, embeddings = store.latest("index"), store.latest("embeddings")
    if index:
        return Generation(store, index)
    return Generation(store, embeddings=embeddings) if embeddings else None


def _versions(store: Store, library: Generation | None, tracks: DatasetRef) -> dict[str, str]:
    refs = [tracks]
    if library:
        refs += [library.model_ref, library.embeddings_ref]
    refs += [ref for name in ("index", "findings", "recommendations") if (ref := store.latest(name))]
    return {ref.dataset: str(ref) for ref in refs}


def _neighbors(vectors: TrackVectors, tracks: PageTracks) -> dict[str, Any]:
    """The vectors, the nearest tracks of some queries, and the biggest hubs; names their tracks."""
    lists = nearest(vectors.vectors, choose_queries(vectors.metadata.labels))
    hubs = hubness.biggest_hubs(vectors.vectors, K)
    tracks.add_rows(row for query in lists for row in (query.query, *query.rows))
    tracks.add_rows(row for row, _ in hubs)
    return {
        "vectors": vectors.vectors,
        "metadata": vectors.metadata,
        "neighbors": lists,
        "hubs": {"k": K, "hubs": hub_rows(hubs, vectors.metadata, vectors.titles)},
    }


def _reconstructions(library: Generation, codes: list[np.ndarray]) -> dict[str, Any]:
    """A few clips with their reconstructions, and the mean error over all tracks."""
    errors = library.store.read(library.embeddings_ref, ["reconstruction_error"])["reconstruction_error"].to_numpy()
    pairs = None
    if codes:
        chosen = np.stack([codes[i] for i in evenly_spaced(len(codes), N_RECONSTRUCTIONS)])
        pairs = decode_mel(chosen), library.embedder.reconstruct(chosen)
    return {"error": float(np.mean(errors)), "reconstructions": pairs}


def _training_log(store: Store, model: DatasetRef | None) -> list[dict[str, Any]]:
    """What training logged; empty for a model without a log (principal components have no training steps)."""
    if model is None:
        return []
    try:
        return pq.read_table(pa.BufferReader(read_artifact(store, model, "metrics.parquet"))).to_pylist()
    except StoreError:
        return []


def _gate(store: Store, library: Generation | None) -> dict[str, Any]:
    index = store.latest("index")
    if library is None or index is None:
        return {}
    return {"gate": read_gate(store, index), "limits": store.manifest(index).config}


def _rejected(store: Store, ref: DatasetRef | None, tracks: PageTracks) -> list[dict[str, Any]]:
    """Some rejected tracks of each reason, so that a frequent reason does not hide the others."""
    if ref is None:
        return []
    most = MAX_REJECTED if store.manifest(ref).rows <= MAX_REJECTED else PER_REASON
    rows, seen = [], Counter[str]()
    for part in store.iter_parts(ref):
        reasons = part["reason"].to_numpy()
        rare = np.flatnonzero(np.isin(reasons, [reason for reason, n in seen.items() if n >= most], invert=True))
        for i in rare.tolist():
            if seen[reasons[i]] >= most or len(rows) >= MAX_REJECTED:
                continue
            seen[reasons[i]] += 1
            row = part.slice(i, 1).to_pylist()[0]
            track = tracks.metadata(row["track_id"])
            name, uri = shown(track["title"]), track["uri"]
            reason = f"{row['reason']}, tried again" if row["retry_at"] else row["reason"]
            rows.append({"name": name, "uri": uri, "reason": reason, "detail": row["detail"]})
    return sorted(rows, key=lambda row: row["reason"])
