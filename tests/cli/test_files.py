"""The files of a dataset are read by other tools, in one line each, as docs/store.md shows."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from audioae.cli import app
from audioae.store.dataset import Store
from tests.stores import made_store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder: Path = tmp_path_factory.mktemp("it's a store")
    return made_store(folder / "store", 6, indexed=False)


def files(store: Store, *arguments: str) -> str:
    result = CliRunner().invoke(app, ["files", *arguments, "--store", store.root])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_prints_the_parts_of_the_current_version(store: Store):
    (path,) = files(store, "embeddings").splitlines()
    assert Path(path).is_file()
    assert json.loads(files(store, "embeddings", "--json")) == [path] == store.files("embeddings")
    assert files(store, str(store.require("embeddings"))).splitlines() == [path]


def test_duckdb_reads_them(store: Store):
    duckdb = pytest.importorskip("duckdb")
    listed = files(store, "tracks", "--sql").strip()
    query = f"select label, count(*) from read_parquet([{listed}]) group by label order by label"
    assert duckdb.sql(query).fetchall() == [("style 0", 3), ("style 1", 3)]
    relation = duckdb.read_parquet(store.files("tracks")).aggregate("label, count(*)")
    assert sorted(relation.fetchall()) == [("style 0", 3), ("style 1", 3)]


def test_polars_pandas_and_datasets_read_them(store: Store):
    polars, pandas, datasets = (pytest.importorskip(name) for name in ("polars", "pandas", "datasets"))
    ids = [f"t{i:02d}" for i in range(6)]
    assert polars.read_parquet(store.files("embeddings"))["track_id"].to_list() == ids
    assert pandas.read_parquet(store.files("embeddings"))["track_id"].tolist() == ids
    assert datasets.Dataset.from_parquet(store.files("embeddings"), cache_dir=store.root)["track_id"][:] == ids


def test_pyarrow_reads_a_dataset_lazily(store: Store):
    dataset = store.dataset("embeddings")
    assert dataset.count_rows() == 6
    assert dataset.head(2, columns=["track_id"]).to_pylist() == [{"track_id": "t00"}, {"track_id": "t01"}]
