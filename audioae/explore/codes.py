"""The codes of a generation's tracks, and of a sample of its clips: made once in another process, then mapped.

Conventions
-----------
- A book is one part of the latent at one level of the quantizer (`model.latent_space`); its codes are 0 to
  `codebook_size - 1`. In each book every track, or clip, has one code: the counts of a book add up to their number.
- Files are named by the content that they were made from, and stay until 14 days after their last use.
- The model runs in a worker process: the calling process loads no torch.

Why files are made beside the cache and then moved: the cache is locked while a folder of it is made, and the worker
reads other folders of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
import pyarrow as pa

from audioae.audio.workers import call_killable
from audioae.config import fingerprint
from audioae.errors import AudioError, ModelError, NoCodebookError, StoreError
from audioae.explore import code_files
from audioae.explore.latent_facts import book_shape
from audioae.library.array_files import MappedFiles
from audioae.library.generation import Generation
from audioae.store.cache import cache_folder, cached_folder, is_cached
from audioae.store.storage import UNFINISHED

NONE = code_files.NONE
KIND = "codes-1"  # another number when other files are written
TIMEOUT_S = 900.0

Kind = Literal["tracks", "clips"]


@dataclass(frozen=True, eq=False)
class Codes:
    """The nearest code of each track, or clip, in each book.

    Attributes
    ----------
    of : str
        "tracks" or "clips".
    codes : np.ndarray, shape (n_books, n), uint16
        Tracks are in the order of the index; `NONE`: no embedding.
    distances : np.ndarray, shape (n_books, n), float16
        To the code, in the units of the latent.
    counts : np.ndarray, shape (n_books, codebook_size), int64
    clips : pa.Table or None
        track_id, clip and start_s of each clip; None for tracks.
    """

    of: Kind
    codes: np.ndarray
    distances: np.ndarray
    counts: np.ndarray
    clips: pa.Table | None

    def nearest(self, book: int, code: int, k: int) -> np.ndarray:
        """The up to `k` tracks or clips that have a code and are nearest to it, closest first."""
        having = np.flatnonzero(self.codes[book] == code)
        return having[np.argsort(self.distances[book][having], kind="stable")[:k]]


def track_codes(library: Generation, book: int = 0) -> np.ndarray:
    """The code of each track in one book, for a column of the map.

    Returns
    -------
    codes : np.ndarray, shape (n_index,), uint16, mapped
        In the order of the index's rows (`RowAlignment.catalog_row`); `NONE` (65,535) where a row has no embedding.

    Raises
    ------
    NoCodebookError
        If the model has no codebook, or not so many books.
    ModelError
        If the codes cannot be computed.
    """
    check_book(library, book)
    return open_codes(library, "tracks").codes[book]


def check_book(library: Generation, book: int = 0, code: int = 0) -> None:
    """Raise `NoCodebookError` if the model has no such book, or the book no such code."""
    n_books, size = book_shape(library)
    if not n_books:
        raise NoCodebookError(f"{library.model_ref} has no codebook; train a model with a vq bottleneck (model: vqvae)")
    if book >= n_books or code >= size:
        raise NoCodebookError(
            f"got book {book}, code {code}, but {library.model_ref} has {n_books} books of {size} codes; count from 0"
        )


def stores_mels(library: Generation) -> bool:
    """Whether there are mels that the model was trained on, so that its clips have codes."""
    manifest = library.store.manifest(library.model_ref)
    return "mels" in manifest.parents and library.store.has_version(manifest.parent("mels"))


def open_codes(library: Generation, of: Kind) -> Codes:
    """The codes of all tracks, or of a sample of clips; made now if they were not made before.

    Raises
    ------
    NoCodebookError, ModelError, StoreError
        If the model has no codebook, it cannot be run, or the cache folder cannot be written.
    """
    check_book(library)
    write = code_files.write_track_codes if of == "tracks" else code_files.write_clip_codes
    files = _files(library, of, write)
    clips = files.table("clips") if of == "clips" else None
    return Codes(of, files.array("codes"), files.array("distances"), files.array("counts"), clips)


def dimension_ranges(library: Generation) -> np.ndarray:
    """The percentiles 1 and 99 of each dimension over the places of the catalog's tracks, shape (2, 128), float32."""
    return _files(library, "tracks", code_files.write_track_codes).array("ranges")


def _files(library: Generation, of: Kind, write: Callable[..., None]) -> MappedFiles:
    store = library.store
    refs = (library.model_ref, library.embeddings_ref, library.index_ref)
    sources = [part.sha256 for ref in refs for part in store.manifest(ref).parts]

    name = f"{KIND}-{of}-{fingerprint(sources)}"
    try:
        if is_cached(name):
            return MappedFiles(cached_folder(name, _nothing))
        cache_folder().mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=UNFINISHED, dir=cache_folder()) as made:
            call_killable(write, made, store.root, library.index_ref, timeout_s=TIMEOUT_S, prepare=code_files.load)
            return MappedFiles(cached_folder(name, lambda folder: _move(Path(made), folder)))
    except AudioError as error:
        raise ModelError(f"{library.model_ref}: the codes of its {of} cannot be computed: {error}") from None
    except OSError as error:
        where = cache_folder()
        raise StoreError(f"{where}: cannot be written ({error}); set AUDIOAE_CACHE to a folder that can") from error


def _move(source: Path, target: Path) -> None:
    for path in source.iterdir():
        path.rename(target / path.name)


def _nothing(_: Path) -> None:
    pass
