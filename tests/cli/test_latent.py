"""`audioae latent` draws what the library decodes."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from typer.testing import CliRunner

from audioae.cli import app
from audioae.explore.codebook import usage
from audioae.explore.latent_picture import tiled
from audioae.library.generation import Generation
from audioae.store.dataset import Store
from tests.explore.made_latents import latent_store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return latent_store(tmp_path_factory.mktemp("latent"))[0]


def draw(store: Store, folder: Path, *arguments: str) -> tuple[dict, np.ndarray]:
    out = folder / "picture.png"
    done = CliRunner().invoke(app, ["latent", str(out), *arguments, "--store", store.root, "--json"])
    assert done.exception is None, repr(done.exception)
    return json.loads(done.stdout), imread(io.BytesIO(out.read_bytes()))


def test_a_sweep_a_way_and_a_book(store: Store, tmp_path: Path):
    sweep, picture = draw(store, tmp_path, "Title 1", "--dimension", "3", "--steps", "4")
    assert sweep["mels"] == len(sweep["labels"]) == 4
    assert [float(label) for label in sweep["labels"]] == sorted(map(float, sweep["labels"]))
    assert picture.shape[1] == 600
    way, _ = draw(store, tmp_path, "t01", "t02", "--steps", "3")
    assert way["labels"] == ["0.00", "0.50", "1.00"]
    book, _ = draw(store, tmp_path, "--book", "1")
    used = sorted((row["n"] for row in usage(Generation(store))["codes"][8:16]), reverse=True)
    assert [label.partition(": ")[2] for label in book["labels"]] == [f"{n / 80:.1%}" for n in used if n]


def test_codes_of_a_grid(tmp_path: Path, store: Store):
    found, picture = draw(latent_store(tmp_path / "grid", "grid")[0], tmp_path, "--events", "1")
    assert (found["mels"], found["labels"]) == (8, [f"{code}: 12.5%" for code in range(8)])
    assert np.unique(picture.reshape(-1, picture.shape[2]), axis=0).shape[0] > 50
    for of, message in ((store, "has no grid of codes"), (Store(str(tmp_path / "grid" / "store")), "got book 2, but")):
        arguments = ["latent", str(tmp_path / "a.png"), "--events", "2", "--store", of.root]
        assert message in str(CliRunner().invoke(app, arguments).exception)


def test_samples_and_their_distances(store: Store, tmp_path: Path):
    found, picture = draw(store, tmp_path, "--sample", "5")
    assert (found["mels"], found["labels"], found["n"]) == (5, [], 40)
    assert list(found["distances"]) == ["drawn", "real", "rebuilt", "noise"]
    assert found["notes"] == ["40 clips per set: distances are too large by a part that all of them share"]
    assert picture.shape[1] == 600
    again, _ = draw(store, tmp_path, "--sample", "5")
    other, _ = draw(store, tmp_path, "--sample", "5", "--seed", "1")
    assert again["distances"] == found["distances"] != other["distances"]


def test_a_model_without_a_prior_says_so(tmp_path: Path):
    store = latent_store(tmp_path, "linear")[0]
    done = CliRunner().invoke(app, ["latent", str(tmp_path / "a.png"), "--sample", "4", "--store", store.root])
    assert "the bottleneck linear has nothing to draw from" in str(done.exception)


def test_the_grid_of_a_plane(tmp_path: Path):
    found, picture = draw(latent_store(tmp_path, "vae_2d")[0], tmp_path, "--grid")
    assert (found["mels"], found["labels"]) == (225, [])
    assert max(picture.shape) <= 2_700


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "got 0 tracks, wanted 1 to sweep or 2 to go between; or --grid; or --book N"),
        (["t01", "--grid"], "got 1 tracks"),
        (["--grid"], "no latent space of two dimensions"),
        (["--book", "4"], "got book 4, code 0"),
    ],
)
def test_what_cannot_be_drawn(store: Store, tmp_path: Path, arguments: list[str], message: str):
    done = CliRunner().invoke(app, ["latent", str(tmp_path / "a.png"), *arguments, "--store", store.root])
    assert message in str(done.exception)
    assert not (tmp_path / "a.png").exists()


def test_low_bands_are_at_the_bottom_of_each_mel():
    mels = np.zeros((2, 128, 130), np.uint8)
    mels[1, 0] = 9
    image = tiled(mels, 1)
    assert (image[-1] == 9).all()
    assert image[128:132].mask.all()
