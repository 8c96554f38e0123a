"""The folder for TensorBoard's projector, read back by TensorBoard's own plugin."""

import json
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.plugins import base_plugin
from tensorboard.plugins.projector.projector_plugin import ProjectorPlugin
from typer.testing import CliRunner
from werkzeug.test import Client

import audioae
from audioae.cli import app
from audioae.errors import StoreError
from audioae.explore.projector_export import export_projector
from audioae.pipeline.embeddings import read_embeddings
from tests.stores import made_store

N = 20
HOSTILE = "tab\there\nline\r\x1b[31m \u2028 <script>"


@pytest.fixture
def store(tmp_path: Path):
    columns = {"title": [HOSTILE, None, *[f"Title {i}" for i in range(2, N)]], "year": [1990 + i for i in range(N)]}
    return made_store(tmp_path / "store", N, same_bytes={7: 2}, columns=columns)


class Projector:
    """What the projector in the browser asks TensorBoard for."""

    def __init__(self, folder: Path):
        multiplexer = EventMultiplexer()
        self.plugin = ProjectorPlugin(base_plugin.TBContext(logdir=str(folder), multiplexer=multiplexer))
        self.apps = self.plugin.get_plugin_apps()

    def get(self, path: str, **parameters) -> bytes:
        response = Client(self.apps[path]).get("/", query_string=parameters)
        assert response.status_code == 200, response.data
        return response.data


@pytest.fixture
def projector(store, tmp_path: Path) -> Projector:
    assert export_projector(audioae.open(store.root), str(tmp_path / "out")) == (N - 1, N - 1)
    return Projector(tmp_path / "out")


def test_tensorboard_finds_the_embeddings(projector: Projector):
    (run,) = json.loads(projector.get("/runs"))
    (embedding,) = json.loads(projector.get("/info", run=run))["embeddings"]
    assert embedding["tensorShape"] == [N - 1, 128]


def test_tensorboard_reads_the_numbers(projector: Projector, store):
    name = json.loads(projector.get("/info", run="."))["embeddings"][0]["tensorName"]
    read = np.frombuffer(projector.get("/tensor", run=".", name=name), np.float32).reshape(-1, 128)
    assert read == pytest.approx(read_embeddings(store, store.require("embeddings")).embeddings, abs=1e-6)


def test_every_track_is_one_line_of_the_metadata(projector: Projector, store):
    name = json.loads(projector.get("/info", run="."))["embeddings"][0]["tensorName"]
    lines = projector.get("/metadata", run=".", name=name).decode().split("\n")
    assert lines[0].split("\t") == ["title", "artist", "album", "label", "year", "track_id"]
    assert lines[-1] == ""
    rows = [dict(zip(lines[0].split("\t"), line.split("\t"), strict=True)) for line in lines[1:-1]]
    ids = read_embeddings(store, store.require("embeddings")).track_ids.to_pylist()
    assert [row["track_id"] for row in rows] == ids
    assert rows[0]["title"] == r"tab\there\nline\r\x1b[31m \u2028 <script>"
    assert (rows[1]["title"], rows[2]["year"]) == ("", "1992")


def test_a_large_catalog_is_sampled(store, tmp_path: Path):
    result = CliRunner().invoke(
        app, ["export", "projector", str(tmp_path / "few"), "--max-tracks", "5", "--store", store.root]
    )
    assert f"5 tracks written to {tmp_path / 'few'}, evenly spaced over {N - 1}" in result.stdout.replace("\n", " ")
    lines = (tmp_path / "few" / "metadata.tsv").read_text().splitlines()
    assert [line.split("\t")[-1] for line in lines[1:]] == ["t00", "t03", "t08", "t12", "t16"]
    assert len((tmp_path / "few" / "tensors.tsv").read_text().splitlines()) == 5


def test_a_folder_that_cannot_be_made_is_an_error(store, tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        export_projector(audioae.open(store.root), str(tmp_path / "file"))
