"""The report of a store: everything that one page says of it, collected from one generation of its datasets.

Conventions
-----------
- The generation is that of the published index, else of the published embeddings; a store without either is reported
  as far as it goes. Findings and recommendations of another generation are shown and named as such.
- At most `MAX_TRACKS` tracks, evenly taken, are on the map and in the lists of neighbors.
"""

import io
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from audioae.audio.mel import decode_mel
from audioae.errors import StoreError
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
from audioae.report.excerpts import Book
from audioae.report.findings import read_findings
from audioae.spacing import evenly_spaced
from audioae.store.artifacts import read_artifact
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

MAX_TRACKS = MAX_POINTS
K = 10
N_PICTURES = 6
PER_REASON, MAX_REJECTED = 3, 24
NOT_TRAINED = "no model is published"
FEW = "fewer than two tracks have an embedding"
NOT_INDEXED = "no index is published"
NOT_SCREENED = "the store holds no findings; it was not screened"
NO_PLAYS = "the store holds no recommendations; it was given no play log"


def make_report(
    store: Store, *, budget: int = 10, workers: Workers | None = None, report: Progress | None = None
) -> ReportData:
    """Collect the page of a store; `pages.report_page.render_report` makes it.

    Parameters
    ----------
    store : Store
    budget : int
        Findings to show per check, the worst first.

    Raises
    ------
    StoreError
        If there is no catalog.
    """
    workers, report = workers or Workers(), report or (lambda what, done, total: None)
    library = _library(store)
    tracks_ref = library.tracks_ref if library else store.require("tracks")
    embeddings = library.embeddings_ref if library else None
    sums = account_store(store, embeddings)
    subject = vectors_from_store(store, embeddings, MAX_TRACKS) if embeddings and sums.embedded >= 2 else None
    book = Book(store.read(tracks_ref), subject.metadata.ids.tolist() if subject else ())

    of_space: dict[str, Any] = {}
    missing = {"findings": NOT_SCREENED, "coldstart": NO_PLAYS, "map": FEW, "playlists": FEW}
    missing |= {"training": NOT_TRAINED, "index": NOT_INDEXED}
    if library and subject:
        report("playlists", 0, 1)
        of_space["walks"], why = example_walks(library, subject, book)
        missing["playlists"] = why or "all tracks have the same embedding"
        report("playlists", 1, 1)
        of_space |= _space(subject, book)
    report("findings", 0, 1)
    checks, said = read_findings(store, embeddings, book, budget)
    listeners, more = example_listeners(store, book, embeddings)
    report("findings", 1, 1)
    if subject:  # drawn by lot: not all may be heard
        rows = map_rows(subject.metadata.n)
        book.add_rows(rows[np.random.default_rng(0).permutation(len(rows))].tolist())
    excerpts, failures = book.hear(library, workers, report) if library else ({}, ())
    if library and subject:
        of_space |= _rebuilt(library, [excerpts[row].codes for row in range(subject.metadata.n) if row in excerpts])
    return ReportData(
        store=store.storage.locate(""),
        date=datetime.now(UTC).date().isoformat(),
        versions=_versions(store, library, tracks_ref),
        accounting=asdict(sums),
        rejected=_rejected(store, library.rejects_ref if library else store.latest("rejects"), book),
        checks=checks,
        listeners=listeners,
        tracks=book.show(excerpts),
        omitted=[*(subject.omitted if subject else ()), *said, *more, *failures],
        missing=missing,
        metrics=_metrics(store, library.model_ref if library else store.latest("model")),
        **_gate(store, library),
        **of_space,
    )


def _library(store: Store) -> Generation | None:
    index, embeddings = store.latest("index"), store.latest("embeddings")
    if index:
        return Generation(store, index)
    return Generation(store, embeddings=embeddings) if embeddings else None


def _versions(store: Store, library: Generation | None, tracks: DatasetRef) -> dict[str, str]:
    refs = [tracks]
    if library:
        refs += [library.model_ref, library.embeddings_ref]
    refs += [ref for name in ("index", "findings", "coldstart") if (ref := store.latest(name))]
    return {ref.dataset: str(ref) for ref in refs}


def _space(subject: TrackVectors, book: Book) -> dict[str, Any]:
    """What is shown of the embeddings; the tracks of the gallery and the hubs are told to the book."""
    near = nearest(subject.vectors, choose_queries(subject.metadata.labels))
    hubs = hubness.biggest_hubs(subject.vectors, K)
    book.add_rows(row for found in near for row in (found.query, *found.rows))
    book.add_rows(row for row, _ in hubs)
    return {
        "vectors": subject.vectors,
        "metadata": subject.metadata,
        "neighbors": near,
        "hubs": {"k": K, "hubs": hub_rows(hubs, subject.metadata, subject.titles)},
    }


def _rebuilt(library: Generation, codes: list[np.ndarray]) -> dict[str, Any]:
    """A few clips beside what the model makes of them, and how far off it is over all tracks."""
    errors = library.store.read(library.embeddings_ref, ["reconstruction_error"])["reconstruction_error"].to_numpy()
    pairs = None
    if codes:
        chosen = np.stack([codes[i] for i in evenly_spaced(len(codes), N_PICTURES)])
        pairs = decode_mel(chosen), library.embedder.reconstruct(chosen)
    return {"error": float(np.mean(errors)), "reconstructions": pairs}


def _metrics(store: Store, model: DatasetRef | None) -> list[dict[str, Any]]:
    """What training logged; nothing for a model that has no log (principal components are not trained by steps)."""
    if model is None:
        return []
    try:
        return pq.read_table(io.BytesIO(read_artifact(store, model, "metrics.parquet"))).to_pylist()
    except StoreError:
        return []


def _gate(store: Store, library: Generation | None) -> dict[str, Any]:
    index = store.latest("index")
    if library is None or index is None:
        return {}
    return {"gate": read_gate(store, index), "limits": store.manifest(index).config}


def _rejected(store: Store, ref: DatasetRef | None, book: Book) -> list[dict[str, Any]]:
    """Some of each reason, so that a frequent one does not hide the others."""
    rows, seen = [], dict[str, int]()
    rejects = store.read(ref).to_pylist() if ref else []
    most = MAX_REJECTED if len(rejects) <= MAX_REJECTED else PER_REASON
    for row in rejects:
        seen[row["reason"]] = seen.get(row["reason"], 0) + 1
        if seen[row["reason"]] <= most and len(rows) < MAX_REJECTED:
            metadata = book.metadata(row["track_id"])
            rows.append(
                {"name": metadata["title"], "uri": metadata["uri"], "reason": row["reason"], "detail": row["detail"]}
            )
    return sorted(rows, key=lambda row: row["reason"])
