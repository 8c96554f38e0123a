"""A folder for TensorBoard's Embedding Projector: `tensorboard --logdir DIR`.

Conventions
-----------
- `tensors.tsv` has a line per track, with numbers of 7 digits; `metadata.tsv` has a header and the same tracks;
  `projector_config.pbtxt` names both.
- Tabs, line breaks and control characters of tags are escaped, as everywhere (`audioae.display`): a track stays a line.
- The projector runs in the browser and becomes slow above some 10,000 points: above `max_tracks`, tracks are taken
  evenly spaced.

Why text and not the raw floats: TensorBoard reads a file as text first, and takes it as floats only if it is no UTF-8.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from audioae.display import shown
from audioae.errors import StoreError
from audioae.library.export import parts_with_tracks
from audioae.library.generation import Generation
from audioae.output import whole_file
from audioae.spacing import evenly_spaced

MAX_TRACKS = 10_000
COLUMNS = ("title", "artist", "album", "label", "year", "track_id")
CONFIG = """embeddings {{
  tensor_name: "{name}"
  tensor_shape: {n}
  tensor_shape: {dim}
  tensor_path: "tensors.tsv"
  metadata_path: "metadata.tsv"
}}
"""


def export_projector(library: Generation, folder: str, *, max_tracks: int = MAX_TRACKS) -> tuple[int, int]:
    """Write the embeddings of a library with their tracks' metadata.

    Parameters
    ----------
    library : Generation
    folder : str
        Made if it does not exist.
    max_tracks : int

    Returns
    -------
    n, total : int
        Tracks written, and tracks of the library.

    Raises
    ------
    StoreError
        If the folder cannot be written.
    """
    manifest = library.store.manifest(library.embeddings_ref)
    chosen = evenly_spaced(manifest.rows, max_tracks)
    dim = 0
    try:
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        with (
            whole_file(path / "tensors.tsv") as tensors,
            whole_file(path / "metadata.tsv") as metadata,
            tensors.open("w", encoding="utf-8") as numbers,
            metadata.open("w", encoding="utf-8") as texts,
        ):
            texts.write("\t".join(COLUMNS) + "\n")
            for embeddings, tracks in _chosen(library, chosen):
                dim = embeddings.shape[1]
                np.savetxt(numbers, embeddings, fmt="%.7g", delimiter="\t")
                texts.writelines(_line(row) for row in tracks.to_pylist())
        config = CONFIG.format(name=str(library.embeddings_ref).replace("@", "_"), n=len(chosen), dim=dim)
        with whole_file(path / "projector_config.pbtxt") as unfinished:
            unfinished.write_text(config, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{folder}: cannot be written ({error}); name a folder that can be made") from error
    return len(chosen), manifest.rows


def _chosen(library: Generation, chosen: np.ndarray) -> Iterator[tuple[np.ndarray, pa.Table]]:
    """Embeddings and tracks of the chosen rows, part by part."""
    start = 0
    for part, tracks in parts_with_tracks(library.store, library.embeddings_ref, COLUMNS):
        stop = start + part.num_rows
        rows = chosen[np.searchsorted(chosen, start) : np.searchsorted(chosen, stop)] - start
        start = stop
        if len(rows):
            column = part["embedding"].take(pa.array(rows)).combine_chunks()
            yield column.flatten().to_numpy().reshape(len(rows), -1), tracks.take(pa.array(rows))


def _line(row: dict) -> str:
    cells = ("" if row[name] is None else shown(str(row[name])) for name in COLUMNS)
    return "\t".join(cells) + "\n"
