"""A finished chain with a simulated play log, to recommend from."""

import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from audioae.api import Library
from audioae.recommend.simulated_log import write_simulated_log
from audioae.store.dataset import Store


@pytest.fixture(scope="module")
def store(chain, tmp_path_factory) -> Store:
    """A copy of the finished chain, to publish into."""
    root = tmp_path_factory.mktemp("recommend") / "store"
    shutil.copytree(chain[0].root, root)
    return Store(str(root))


@pytest.fixture(scope="module")
def library(store) -> Library:
    return Library(store, embeddings=store.require("embeddings"))


@pytest.fixture(scope="module")
def truth(tiny_audio) -> str:
    return str(tiny_audio / "truth.csv")


@pytest.fixture(scope="module")
def plays(library, truth, tmp_path_factory) -> str:
    """A simulated log of 40 listeners without plays of the last six tracks."""
    path = tmp_path_factory.mktemp("plays") / "plays.parquet"
    write_simulated_log(library, truth, str(path), n_listeners=40)
    table = pq.read_table(path)
    new = sorted(library.tracks["track_id"].to_pylist())[-6:]
    pq.write_table(table.filter(pa.array([t not in new for t in table["track_id"].to_pylist()])), path)
    return str(path)
