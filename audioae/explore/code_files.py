"""Files of codes, derived from a generation in a worker process: of all its tracks, or of a sample of its clips.

Conventions
-----------
- `codes.npy` (n_books, n) uint16 and `distances.npy` (n_books, n) float16: the nearest code of each book and how far it
  is, in the units of the latent. `counts.npy` (n_books, codebook_size) int64.
- Of tracks, n counts the rows of the index; `NONE` where an index row has no embedding. `ranges.npy` (2, 128) float32
  has the percentiles 1 and 99 of each dimension of the places of up to `RANGE_ROWS` tracks. A model without a codebook
  has ranges only.
- Of clips, n counts those of whole tracks with the smallest hashes, up to `MAX_CLIPS` clips; `clips.arrow` says which.
- A part of the embeddings is in memory at a time, or a group of mels.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa

from audioae.explore.latent_facts import book_shape, lengths
from audioae.library.array_files import MappedFiles, write_table
from audioae.library.generation import Generation
from audioae.pipeline.clips import mel_codes
from audioae.pipeline.embed_outside import worker_embedder
from audioae.pipeline.training_clips import choose_tracks, iter_sample
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

NONE = 65_535
MAX_CLIPS = 2_048
RANGE_ROWS = 1 << 15
PERCENTILES = (1, 99)
CLIP_COLUMNS = ("track_id", "clip", "start_s")


def write_track_codes(folder: str, root: str, index: DatasetRef) -> None:
    """Write the codes of all tracks of an index."""
    from audioae.model.latent_space import assign_codes

    library, path = Generation(Store(root, verify=False), index), Path(folder)
    n_books, size = book_shape(library)
    embedder = worker_embedder(root, library.model_ref) if n_books else None
    shape = (n_books, len(library))
    codes = np.lib.format.open_memmap(path / "codes.npy", "w+", np.uint16, shape) if embedder else None
    distances = np.lib.format.open_memmap(path / "distances.npy", "w+", np.float16, shape) if embedder else None
    counts, sample = np.zeros((n_books, size), np.int64), []
    step = max(library.store.manifest(library.embeddings_ref).rows // RANGE_ROWS, 1)
    if codes is not None:
        codes[:] = NONE
    for table in library.store.iter_parts(library.embeddings_ref, ["track_id", "embedding", "spread"]):
        rows = library.alignment.index_row[library.lookup.rows_of(table["track_id"].combine_chunks())]
        units = table["embedding"].combine_chunks().flatten().to_numpy().reshape(table.num_rows, -1)
        places = units * lengths(table["spread"].to_numpy())[:, None]
        sample.append(thinned(places, step))
        if embedder and codes is not None and distances is not None:
            indexed = rows >= 0
            found = assign_codes(embedder, places[indexed])
            codes[:, rows[indexed]], distances[:, rows[indexed]] = found
            _count(counts, found[0])
    np.save(path / "ranges.npy", np.percentile(np.concatenate(sample), PERCENTILES, axis=0).astype(np.float32))
    np.save(path / "counts.npy", counts)


def write_clip_codes(folder: str, root: str, index: DatasetRef) -> None:
    """Write the codes of a sample of the clips that the model was trained on, of tracks that the index still has."""
    from audioae.model.latent_space import assign_codes

    store = Store(root, verify=False)
    library, files = Generation(store, index), MappedFiles(Path(folder))
    mels = store.manifest(library.model_ref).parent("mels")
    embedder = worker_embedder(root, library.model_ref)
    counts, codes, distances, clips = np.zeros(book_shape(library), np.int64), [], [], []
    for table in iter_sample(store, mels, choose_tracks(store, mels, MAX_CLIPS), (*CLIP_COLUMNS, "mel")):
        catalog_rows = library.lookup.rows_of(table["track_id"].combine_chunks())
        known = (catalog_rows >= 0) & (library.alignment.index_row[catalog_rows] >= 0)
        table = table.filter(pa.array(known))
        found = assign_codes(embedder, embedder.embed(mel_codes(table))[0])
        _count(counts, found[0])
        codes.append(found[0])
        distances.append(found[1].astype(np.float16))
        clips.append(table.select(CLIP_COLUMNS))
    files.write("codes", np.concatenate(codes, axis=1))
    files.write("distances", np.concatenate(distances, axis=1))
    files.write("counts", counts)
    write_table(files, "clips", pa.concat_tables(clips))


def thinned(rows: np.ndarray, step: int) -> np.ndarray:
    """Every `step`-th row, as a copy: a view would keep the others in memory.

    >>> thinned(np.zeros((5, 2)), 2).shape, thinned(np.zeros((5, 2)), 2).base
    ((3, 2), None)
    """
    return rows[::step].copy()


def load(_folder: str, root: str, index: DatasetRef) -> None:
    """Import what the functions above need, in a worker."""
    import audioae.model.latent_space  # noqa: F401

    library = Generation(Store(root, verify=False), index)
    if book_shape(library)[0]:
        worker_embedder(root, library.model_ref)


def _count(counts: np.ndarray, codes: np.ndarray) -> None:
    for book, of_book in enumerate(codes):
        counts[book] += np.bincount(of_book, minlength=counts.shape[1])
