"""Cases of growth: commands and queries on a made store of n tracks (`made_catalog.million`)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import audioae
from audioae.errors import SearchError
from audioae.library.export import export_embeddings
from audioae.pipeline.accounting import account_store
from audioae.store.dataset import Store
from audioae.store.fsck import check_store
from audioae.store.prune import prune


def coverage(root: Path, n: int) -> None:
    """`audioae coverage`."""
    sums = account_store(Store(str(root), verify=False))
    assert sums.n_tracks == sums.embedded + sums.duplicates == n + n // 100


def export(root: Path, n: int) -> None:
    """`audioae export embeddings`."""
    assert export_embeddings(Store(str(root), verify=False), "/dev/null") == n


def versions(root: Path, n: int) -> None:
    """`audioae versions`."""
    store = Store(str(root), verify=False)
    assert all(store.versions(dataset) for dataset in ("tracks", "embeddings", "index"))


def check(root: Path, n: int) -> None:
    """`audioae fsck`."""
    assert not check_store(Store(str(root)))


def prune_nothing(root: Path, n: int) -> None:
    """`audioae prune`, where nothing is old enough."""
    prune(Store(str(root)))


def open_library(root: Path, n: int) -> None:
    """Open a library and ask it once."""
    library = audioae.open(str(root))
    assert len(library.similar(_any_id(library), k=10).neighbors) == 10


def similar(root: Path, n: int) -> Iterator[None]:
    """100 questions to an open library: what a question costs may not follow n."""
    library = audioae.open(str(root))
    ids = library.tracks["track_id"][: 101 * 90 : 90].to_pylist()
    library.similar(ids[0], k=10)
    yield
    for track_id in ids[1:]:
        assert len(library.similar(track_id, k=10).neighbors) == 10


def close_titles(root: Path, n: int) -> Iterator[None]:
    """A misspelled title: the error names titles that are close."""
    library = audioae.open(str(root))
    library.similar(_any_id(library), k=1)
    yield
    for number in range(10):
        with pytest.raises(SearchError, match="Night Drive"):
            library.similar(f"Nihgt Drive {number}", k=10)


def playlist(root: Path, n: int) -> Iterator[None]:
    """A playlist of 25 tracks."""
    library = audioae.open(str(root))
    ids = library.tracks["track_id"][:200:199].to_pylist()
    library.similar(ids[0], k=1)
    yield
    assert library.playlist(ids).document["n"] == 25


def _any_id(library: "audioae.Library") -> str:
    return library.tracks["track_id"][5].as_py()
