"""audioae makes a music catalog searchable by sound: 128-d embeddings, an index, and the jobs that stand on them.

    library = audioae.open("data")
    for neighbor in library.similar("Night Drive", k=10).neighbors:
        print(neighbor.score, neighbor.title)

Importing this package loads none of the heavy ones (torch, faiss, librosa, prefect); opening a store and searching it
loads faiss and pyarrow.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from audioae.api import Library

__version__ = "0.2.0"
__all__ = ["__version__", "open"]


def open(store: str, *, index: str | None = None) -> "Library":
    """Open the newest published generation of a store.

    Parameters
    ----------
    store : str
        A folder, or `s3://bucket/prefix`.
    index : str, optional
        An earlier generation, by its index: `index@3f2a91c0` (`audioae versions` lists them).

    Raises
    ------
    StoreError
        If the store has no index yet, or no such version.
    """
    from audioae.api import open_library

    return open_library(store, index=index)
