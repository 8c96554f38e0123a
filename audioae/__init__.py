"""audioae makes a music catalog searchable by sound: 128-d embeddings, an index, and the jobs that stand on them.

    library = audioae.open("data")
    for neighbor in library.similar("Night Drive", k=10).neighbors:
        print(neighbor.score, neighbor.title)

`audioae.connect("http://127.0.0.1:8000")` is a library that `audioae serve` answers for, with the same methods.
Importing this package loads none of the heavy ones (torch, faiss, librosa, prefect); opening a store and searching it
loads faiss and pyarrow.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from audioae.api import Library
    from audioae.client import RemoteLibrary

__version__ = "0.2.0"
__all__ = ["__version__", "connect", "open"]


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


def connect(url: str, *, api_key: str | None = None, timeout_s: float = 60.0) -> "RemoteLibrary":
    """A library that `audioae serve` answers for, with the methods of an opened one.

    Needs the extra `audioae[client]`. Nothing is sent before the first question.

    Parameters
    ----------
    url : str
        `http://127.0.0.1:8000`.
    api_key : str, optional
        What `audioae serve` wants to see, if it has keys.
    timeout_s : float
        For one request, uploads included.
    """
    from audioae.client import RemoteLibrary

    return RemoteLibrary(url, api_key=api_key, timeout_s=timeout_s)
