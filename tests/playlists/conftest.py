"""A finished chain to make playlists of."""

import shutil
from pathlib import Path

import pytest

from audioae.api import Library
from audioae.playlists.builder import Playlists
from audioae.store.dataset import Store


@pytest.fixture(scope="module")
def library(chain) -> Library:
    return Library(chain[0])


@pytest.fixture(scope="module")
def playlists(library: Library) -> Playlists:
    return Playlists(library)


@pytest.fixture(scope="module")
def ids(playlists: Playlists) -> list[str]:
    return playlists.vectors.metadata.ids.tolist()


@pytest.fixture
def writable(chain, tmp_path: Path) -> Store:
    """A copy of the finished chain, to write to."""
    shutil.copytree(chain[0].root, tmp_path / "store")
    return Store(str(tmp_path / "store"))
