"""The file for Embedding Atlas: its columns, its neighbors, its addresses."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import audioae
from audioae.cli import app
from audioae.errors import StoreError
from audioae.explore.atlas_export import SCHEMA, export_atlas
from tests.evaluation.versions import commit_map
from tests.explore.made_map import add_findings
from tests.stores import made_store

N = 30


@pytest.fixture
def store(tmp_path: Path):
    columns = {"title": [f"Title {i}" if i else 'a "title"\twith\nlines' for i in range(N)]}
    return made_store(tmp_path / "store", N, same_bytes={7: 2}, rejected=[9], copies={5: 0}, columns=columns)


def exported(store, path: Path, **options):
    library = audioae.open(store.root)
    n_rows = export_atlas(library, str(path), **options)
    table = pq.read_table(path)
    assert table.num_rows == n_rows
    assert table.schema.equals(SCHEMA)
    return library, table


def test_neighbors_are_rows_of_the_file_with_cosine_distances(store, tmp_path: Path):
    library, table = exported(store, tmp_path / "atlas.parquet")
    ids = table["track_id"].to_pylist()
    stored = store.read(store.require("embeddings"))
    vectors = np.stack(stored["embedding"].to_numpy(zero_copy_only=False))
    assert ids == stored["track_id"].to_pylist()
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -np.inf)
    for row, neighbors in enumerate(table["neighbors"].to_pylist()):
        assert neighbors["ids"] == np.argsort(-scores[row])[:10].tolist()
        assert neighbors["distances"] == pytest.approx(1 - np.sort(-scores[row])[:10] * -1, abs=1e-5)
    assert library.similar(ids[3], 1).neighbors[0].track_id == ids[table["neighbors"][3].as_py()["ids"][0]]


def test_places_regions_and_findings(store, tmp_path: Path):
    n = N - 2
    places = np.random.default_rng(0).random((n, 2)).astype(np.float32)
    commit_map(store, places, [-1, *[4] * (n - 1)], {4: "rock <b>"})
    add_findings(
        store,
        [
            ("t01", "corrupt", 0.1, True),
            ("t01", "mislabeled", 0.2, True),
            ("t02", "corrupt", 0.9, False),
            ("t04", "mislabeled", 0.1, True),
        ],
    )
    rows = exported(store, tmp_path / "atlas.parquet")[1].to_pylist()
    assert [(row["x"], row["y"]) for row in rows] == [tuple(place) for place in places.tolist()]
    assert [row["region"] for row in rows[:3]] == [None, "rock <b>", "rock <b>"]
    findings = {row["track_id"]: row["findings"] for row in rows if row["findings"]}
    assert findings == {"t01": "corrupt, mislabeled", "t04": "mislabeled"}
    assert rows[0]["title"] == 'a "title"\twith\nlines'


def test_without_a_map_there_are_no_places(store, tmp_path: Path):
    table = exported(store, tmp_path / "atlas.parquet")[1]
    assert [table[name].null_count for name in ("x", "y", "region", "findings")] == [N - 2] * 4


def test_audio_is_a_file_or_a_clip_of_a_server(tmp_path: Path):
    ids = ["a b/c", "s3", *[f"t{i}" for i in range(10)]]
    uris = ["/music/a b#ü.mp3", "s3://bucket/b.mp3", *["/music/c.mp3"] * 10]
    store = made_store(tmp_path / "store", 12, indexed=True, columns={"uri": uris})
    files = exported(store, tmp_path / "atlas.parquet")[1]["audio"].to_pylist()
    assert files[:2] == ["file:///music/a%20b%23%C3%BC.mp3", "s3://bucket/b.mp3"]
    assert len(ids) == len(files)
    clips = exported(store, tmp_path / "atlas.parquet", server="http://127.0.0.1:8000/")[1]["audio"].to_pylist()
    assert clips[0] == "http://127.0.0.1:8000/v1/tracks/t00/clip"


def test_the_command_writes_the_file(store, tmp_path: Path):
    out = tmp_path / "atlas.parquet"
    result = CliRunner().invoke(app, ["export", "atlas", str(out), "--store", store.root, "--json"])
    assert json.loads(result.stdout) == {"path": str(out), "rows": N - 2}
    assert pq.read_metadata(out).num_rows == N - 2


def test_a_file_that_cannot_be_written_is_an_error(store, tmp_path: Path):
    with pytest.raises(StoreError, match="cannot be written"):
        export_atlas(audioae.open(store.root), str(tmp_path / "none" / "atlas.parquet"))
