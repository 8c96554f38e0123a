"""Codebook: every code with its use, its decoded mel, and clips that play."""

import base64
import io

import numpy as np
import pytest

from tests.explore.browser.driver import Explorer
from tests.explore.browser.panels import ask, panel


@pytest.fixture
def codes(explorer: Explorer) -> list[dict]:
    """The codes of the first book, most used first, with the panel open."""
    panel(explorer, "codebook")
    explorer.page.wait_for_selector(".code-grid .code", timeout=60_000)
    found = [one for one in ask(explorer, "/v1/codebook")["codes"] if one["book"] == 0]
    return sorted(found, key=lambda one: (-one["n"], one["code"]))


def pixels(explorer: Explorer, selector: str) -> np.ndarray:
    """The canvas as (height, width, 3), uint8."""
    from PIL import Image

    address = explorer.js("document.querySelector(argument).toDataURL()", selector)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("RGB"))


def test_codes_are_listed_by_use(explorer: Explorer, codes: list[dict]):
    assert explorer.texts(".code-grid .code span") == [str(one["code"]) for one in codes]
    used = sum(one["n"] > 0 for one in codes)
    assert explorer.texts("#panel-codebook .status")[0].startswith(f"{used} of {len(codes)} codes are in use")
    explorer.page.get_by_role("combobox", name="Order").select_option("code")
    assert explorer.texts(".code-grid .code span") == [str(number) for number in range(len(codes))]


def test_a_code_shows_its_mel_and_plays_its_clips(explorer: Explorer, codes: list[dict]):
    first = codes[0]
    explorer.page.locator(".code-grid .code").first.click()
    explorer.page.wait_for_selector(".code-detail h3")
    answer = ask(explorer, f"/v1/codebook/0/{first['code']}")
    assert explorer.texts(".code-detail h3") == [f"Code {first['code']}"]
    mel = np.frombuffer(base64.b64decode(answer["mel"]), np.uint8).reshape(128, 130)
    drawn = pixels(explorer, ".code-detail canvas")[::-1].astype(int).sum(axis=2)  # low bands are drawn below
    assert np.corrcoef(drawn.ravel(), mel.ravel())[0, 1] > 0.98
    rows = explorer.page.locator(".code-detail .playable li")
    assert rows.count() == len(answer["clips"]) > 0
    rows.first.get_by_role("button").click()
    clip = answer["clips"][0]
    explorer.wait("app.player.current()?.track_id === argument", clip["track_id"])
    if clip["start_s"] is not None:
        assert explorer.js("app.player.current().start_s") == pytest.approx(clip["start_s"])


def test_thumbnails_are_drawn_and_keys_move(explorer: Explorer, codes: list[dict]):
    explorer.page.locator(".code[data-drawn]").nth(3).wait_for(timeout=60_000)
    explorer.page.locator(".code-grid .code").first.focus()
    explorer.page.keyboard.press("ArrowRight")
    assert explorer.js("document.activeElement.dataset.code") == str(codes[1]["code"])
    explorer.page.keyboard.press("ArrowLeft")
    explorer.page.keyboard.press("ArrowDown")
    assert explorer.js("[...document.querySelectorAll('.code')].indexOf(document.activeElement)") > 1
    assert explorer.violations() == []


def test_a_code_can_be_heard(explorer: Explorer, codes: list[dict]):
    explorer.page.locator(".code-grid .code").first.click()
    with explorer.page.expect_response("**/v1/latent:listen", timeout=60_000) as waiting:
        explorer.page.get_by_role("button", name="Hear it (illustration)").click()
    answer = waiting.value
    assert (answer.status, answer.headers["content-type"]) == (200, "audio/mpeg")
    assert answer.request.post_data_json == {"book": 0, "code": codes[0]["code"]}
