"""Latent space: a sweep, a way between tracks and a plane are what the decoder answers; only a 2-D VAE has a plane."""

import base64
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from tests.explore.browser.driver import Explorer, served
from tests.explore.browser.panels import ask, panel
from tests.explore.browser.test_codebook import pixels
from tests.explore.made_latents import latent_store
from tests.explore.made_map import add_map


@pytest.fixture
def chosen(explorer: Explorer) -> str:
    """The panel with a selected track, whose first sweep is shown; its track_id."""
    panel(explorer, "latent")
    assert explorer.texts(".subject") == ["Select a track on the map."]
    explorer.click(5)
    explorer.page.wait_for_selector(".filmstrip:visible", timeout=60_000)
    return explorer.track(5)["track_id"]


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory, made) -> Iterator[str]:
    """A server over a store whose model is a two-dimensional VAE; `made` built the page."""
    folder = tmp_path_factory.mktemp("plane")
    store, _ = latent_store(folder, "vae_2d")
    add_map(store)
    with served(store.root, folder / "log", "--audio", "none", AUDIOAE_CACHE=str(folder / "cache")) as url:
        yield url


def shows(picture: np.ndarray, mel: str) -> float:
    """How well a picture shows a mel: the correlation of its brightness with the values."""
    values = np.frombuffer(base64.b64decode(mel), np.uint8).reshape(128, 130)
    brightness = picture[::-1].astype(int).sum(axis=2)  # low bands are drawn below
    return float(np.corrcoef(brightness.ravel(), values.ravel())[0, 1])


def test_a_dimension_is_swept(explorer: Explorer, chosen: str):
    body = panel(explorer, "latent")
    body.get_by_role("spinbutton", name="Dimension").fill("3")
    with explorer.page.expect_response("**/v1/latent:decode") as waiting:
        body.get_by_role("spinbutton", name="Dimension").press("Tab")
    assert waiting.value.request.post_data_json == {"track_id": chosen, "dimension": 3, "steps": 15}
    answer = ask(explorer, "/v1/latent:decode", {"track_id": chosen, "dimension": 3, "steps": 15})
    own = int(np.argmin(np.abs(np.array(answer["values"]) - answer["track_value"])))
    slider = body.get_by_role("slider", name="Sweep")
    explorer.wait("document.querySelector('input[aria-label=Sweep]').value === String(argument)", own)
    assert shows(pixels(explorer, ".filmstrip canvas"), answer["frames"][own]) > 0.98
    slider.fill("14")
    assert shows(pixels(explorer, ".filmstrip canvas"), answer["frames"][14]) > 0.98
    assert slider.get_attribute("aria-valuetext") == explorer.texts(".filmstrip output")[0]


def test_the_way_between_two_tracks(explorer: Explorer, chosen: str):
    body = panel(explorer, "latent")
    body.get_by_role("button", name="Start here").click()
    explorer.click(30)
    explorer.wait("document.querySelector('.subject').textContent.startsWith(argument)", explorer.track(30)["title"])
    with explorer.page.expect_response(lambda answer: "from" in (answer.request.post_data or "")) as waiting:
        body.get_by_role("button", name="End here").click()
    ends = {"from": chosen, "to": explorer.track(30)["track_id"]}
    assert waiting.value.request.post_data_json == {**ends, "steps": 15}
    slider = body.get_by_role("slider", name="Interpolation")
    slider.wait_for()
    slider.fill("0")
    assert explorer.texts(".filmstrip output")[1] == "0 % of the way"
    frames = ask(explorer, "/v1/latent:decode", {**ends, "steps": 15})["frames"]
    assert shows(pixels(explorer, "canvas[aria-label=Interpolation]"), frames[0]) > 0.98
    slider.fill("14")
    assert explorer.texts(".filmstrip output")[1] == "100 % of the way"
    assert shows(pixels(explorer, "canvas[aria-label=Interpolation]"), frames[14]) > 0.98


def test_a_frame_can_be_heard(explorer: Explorer, chosen: str):
    explorer.page.get_by_role("slider", name="Sweep").fill("2")
    with explorer.page.expect_response("**/v1/latent:listen", timeout=60_000) as waiting:
        explorer.page.get_by_role("button", name="Hear it (illustration)").first.click()
    asked = waiting.value.request.post_data_json
    assert (waiting.value.status, asked["track_id"], asked["frame"]) == (200, chosen, 2)
    assert explorer.violations() == []


def test_a_grid_only_of_two_dimensions(explorer: Explorer, chosen: str):
    assert chosen
    assert not explorer.page.get_by_role("button", name="Draw 15 × 15").is_visible()


def test_a_plane_is_drawn_as_a_grid(open_page: Callable[..., Explorer], plane: str):
    explorer = open_page("#panel=latent", url=plane)
    explorer.page.get_by_role("button", name="Draw 15 × 15").click()
    explorer.page.locator("canvas.latent-grid").wait_for(timeout=60_000)
    frames = ask(explorer, "/v1/latent:decode", {"grid": 15})["frames"]
    picture = pixels(explorer, "canvas.latent-grid")
    assert (picture.shape, len(frames)) == ((15 * 128, 15 * 130, 3), 225)
    for place in (0, 14, 47, 210, 224):  # not the center, where this model draws one tone
        top, left = 128 * (place // 15), 130 * (place % 15)
        assert shows(picture[top : top + 128, left : left + 130], frames[place]) > 0.98, place


def test_a_model_without_a_codebook_says_so(open_page: Callable[..., Explorer], plane: str):
    explorer = open_page("#panel=codebook", url=plane)
    explorer.page.locator("#panel-codebook .status.failed").wait_for(timeout=60_000)
    assert "has no codebook" in explorer.texts("#panel-codebook .status.failed")[0]
    explorer.expect("404", "Failed to load resource")
