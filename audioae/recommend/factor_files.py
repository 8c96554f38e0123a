"""Predict the collaborative vectors that a file of them lacks.

Convention: a collaborative vector holds the CF factors of a track (see `recommend.cf_regression`), such as those of
ALS.
"""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from audioae.errors import SearchError, StoreError
from audioae.library.generation import Generation
from audioae.library.track_ids import TrackIds
from audioae.library.track_vectors import vectors_from_store
from audioae.library.vector_files import vector_columns
from audioae.output import whole_file
from audioae.recommend.cf_regression import CrossValidation, FactorRegression


def predict_vectors(library: Generation, path: str, out: str) -> tuple[int, int, CrossValidation]:
    """Learn from the vectors in a file, and write predictions for all other tracks to `out` (Parquet).

    Parameters
    ----------
    library : Generation
    path : str
        A Parquet or .npz file with track_id (or id) and vector of tracks that were played.
    out : str
        Gets track_id and vector of every other track with an embedding.

    Returns
    -------
    n_known, n_predicted : int
    cross_validation : CrossValidation
        Accuracy of the predictions on held-out known vectors.

    Raises
    ------
    SearchError
        If too few of the file's tracks have an embedding, or a track has several rows.
    EvaluationError
        If the file cannot be read.
    StoreError
        If `out` cannot be written.
    """
    tracks = vectors_from_store(library.store, library.embeddings_ref)
    columns = vector_columns(path)
    rows = TrackIds(pa.array(tracks.metadata.ids, pa.string())).rows_of([str(name) for name in columns["id"]])
    known = rows[rows >= 0]
    if not len(known):
        raise SearchError(f"{path}: none of its {len(rows)} tracks has an embedding, such as {columns['id'][0]}")
    if repeated := len(known) - len(np.unique(known)):
        raise SearchError(f"{path}: {repeated} rows repeat a track; keep one row per track")
    regression = FactorRegression(tracks.vectors[known], columns["vector"][rows >= 0], tracks.metadata.groups[known])
    rest = np.setdiff1d(np.arange(tracks.metadata.n), known)
    vectors = regression.predict(tracks.vectors[rest])
    table = pa.table({"track_id": tracks.metadata.ids[rest].tolist(), "vector": list(vectors)})
    try:
        with whole_file(out) as unfinished:
            pq.write_table(table, unfinished)
    except OSError as error:
        raise StoreError(f"{out}: cannot be written ({error}); choose a file in an existing folder") from error
    return len(known), len(rest), regression.cross_validation
