"""Codes and decoded mels over HTTP: the library's answers, problems that say what is wrong, a server without torch."""

import base64
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from audioae.explore import decoding, latent
from audioae.explore.codebook import describe_code, usage
from audioae.serve.explore import latent as endpoints
from tests.explore.made_latents import N_CLIPS, latent_store
from tests.serve.explore.own_process import served_process
from tests.serve.floods import libraries
from tests.serve.serving import Server, in_thread


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with in_thread(latent_store(tmp_path_factory.mktemp("product"))[0], decoders=1) as server:
        yield server


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with in_thread(latent_store(tmp_path_factory.mktemp("plane"), "vae_2d")[0], decoders=1) as server:
        yield server


def mels(texts: list[str]) -> np.ndarray:
    return np.stack([np.frombuffer(base64.b64decode(text), np.uint8).reshape(128, 130) for text in texts])


def test_the_codebook_is_the_librarys(product: Server):
    with product.client() as client:
        answer = client.get("/v1/codebook").json()
        of_tracks = client.get("/v1/codebook?of=tracks").json()
    names = {"index": str(product.library.index_ref), "model": str(product.library.model_ref)}
    assert answer == {**names, **usage(product.library)}
    assert (answer["of"], answer["n"]) == ("clips", N_CLIPS)
    assert sum(row["n"] for row in answer["codes"]) == 4 * N_CLIPS
    assert of_tracks == {**names, **usage(product.library, "tracks")}


def test_a_code_is_the_librarys(product: Server):
    with product.client() as client:
        answer = client.get("/v1/codebook/1/3?k=4").json()
    expected = describe_code(product.library, 1, 3, 4)
    assert answer["clips"] == expected["clips"]
    assert 0 < len(answer["clips"]) <= 4
    assert np.array_equal(mels([answer["mel"], answer["mean_mel"]]), [expected["mel"], expected["mean_mel"]])


REQUESTS = {
    "track": ({"track_id": "t01"}, lambda library: latent.of_track(library, "t01")),
    "way": ({"from": "t01", "to": "t02", "steps": 5}, lambda library: latent.between(library, "t01", "t02", 5)),
    "chord": (
        {"from": "t01", "to": "t02", "steps": 3, "path": "linear"},
        lambda library: latent.between(library, "t01", "t02", 3, "linear"),
    ),
    "values": (
        {"track_id": "t01", "dimension": 3, "values": [-1, 2.5]},
        lambda library: latent.sweep(library, "t01", 3, np.array([-1, 2.5])),
    ),
    "range": ({"track_id": "t01", "dimension": 3}, lambda library: latent.sweep(library, "t01", 3, 15)),
}


@pytest.mark.parametrize(("body", "expected"), REQUESTS.values(), ids=REQUESTS)
def test_decoded_mels_are_the_librarys(product: Server, body: dict, expected):
    with product.client() as client:
        answer = client.post("/v1/latent:decode", json=body).json()
    places = expected(product.library)
    assert np.array_equal(mels(answer["frames"]), places.decode(product.library))
    assert (answer["width"], answer["height"], answer["columns"]) == (130, 128, places.columns)
    assert answer["values"] == (None if places.values is None else pytest.approx(places.values))
    assert answer["track_value"] == (None if places.track_value is None else pytest.approx(places.track_value))


def test_the_grid_of_a_plane(plane: Server):
    with plane.client() as client:
        answer = client.post("/v1/latent:decode", json={"grid": 15}).json()
    assert answer["columns"] == 15
    assert np.array_equal(mels(answer["frames"]), latent.grid(plane.library).decode(plane.library))


def test_an_answer_is_computed_once(product: Server, monkeypatch: pytest.MonkeyPatch):
    with product.client() as client:
        first = client.post("/v1/latent:decode", json={"track_id": "t04"}).content
        monkeypatch.setattr(decoding, "call_killable", None)
        assert client.post("/v1/latent:decode", json={"track_id": "t04"}).content == first


@pytest.mark.parametrize(
    "body",
    [{"track_id": "t01", "dimension": 0, "values": [0, 1], "frame": 1}, {"book": 1, "code": 2}],
    ids=["frame", "code"],
)
def test_sound_is_named_an_illustration(product: Server, body: dict):
    with product.client() as client:
        answer = client.post("/v1/latent:listen", json=body)
        description = client.get("/openapi.json").json()["paths"]["/v1/latent:listen"]["post"]["responses"]["200"]
    assert answer.headers["content-type"] == "audio/mpeg"
    assert "no track sounds like this" in answer.headers["x-illustration"]
    assert "no track sounds like this" in description["description"]
    assert answer.content[:2].hex() == "fff3"


@pytest.mark.parametrize(
    ("path", "status", "kind", "detail"),
    [
        ("/v1/codebook/4/0", 404, "no-codebook", "has 4 books of 8 codes"),
        ("/v1/codebook/0/8", 404, "no-codebook", "got book 0, code 8"),
        ("/v1/codebook/x/8", 422, "invalid-request", "valid integer"),
        ("/v1/codebook?of=songs", 422, "invalid-request", "'clips' or 'tracks'"),
    ],
)
def test_what_the_codebook_does_not_have(product: Server, path: str, status: int, kind: str, detail: str):
    with product.client() as client:
        answer = client.get(path)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:audioae:{kind}")
    assert detail in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "status", "kind", "detail"),
    [
        ({"track_id": "x"}, 404, "unknown-track", "no track_id 'x'"),
        ({"grid": 15}, 404, "no-grid", "no latent space of two dimensions"),
        ({}, 422, "invalid-request", "exactly one of track_id, from and to, and grid"),
        ({"from": "t01"}, 422, "invalid-request", "both of from and to"),
        ({"track_id": "t01", "grid": 3}, 422, "invalid-request", "exactly one"),
        ({"track_id": "t01", "values": [1]}, 422, "invalid-request", "values are those of a dimension"),
        ({"track_id": "t01", "steps": 3}, 422, "invalid-request", "steps are those"),
        ({"track_id": "t01", "dimension": 128}, 422, "invalid-request", "less than 128"),
        ({"track_id": "t01", "dimension": 0, "values": [0] * 226}, 422, "invalid-request", "at most 225"),
        ({"grid": 16}, 422, "invalid-request", "less than or equal to 15"),
    ],
)
def test_what_cannot_be_decoded(product: Server, body: dict, status: int, kind: str, detail: str):
    with product.client() as client:
        answer = client.post("/v1/latent:decode", json=body)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:audioae:{kind}")
    assert detail in answer.json()["detail"]


def test_a_model_without_a_codebook_says_so(plane: Server):
    with plane.client() as client:
        answers = [client.get("/v1/codebook"), client.get("/v1/codebook/0/0")]
        answers.append(client.post("/v1/latent:listen", json={"book": 0, "code": 0}))
    for answer in answers:
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:audioae:no-codebook")
        assert "has no codebook" in answer.json()["detail"]
        assert answer.json()["action"] == "train a model with a vq bottleneck (model: vqvae)"


def test_frames_and_codes_are_not_mixed(product: Server):
    with product.client() as client:
        beyond = client.post("/v1/latent:listen", json={"from": "t01", "to": "t02", "steps": 3, "frame": 3})
        mixed = client.post("/v1/latent:listen", json={"book": 0, "code": 0, "track_id": "t01"})
        half = client.post("/v1/latent:listen", json={"book": 0})
    assert (beyond.status_code, beyond.json()["detail"]) == (422, "frame 3 of 3")
    assert "not both" in mixed.json()["detail"]
    assert "both of book and code" in half.json()["detail"]


def test_a_decoder_that_takes_too_long_is_a_problem(product: Server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(decoding, "TIMEOUT_S", 0.0)
    monkeypatch.setattr(endpoints, "_answers", endpoints.AnswerCache(0))
    with product.client() as client:
        answers = [client.post("/v1/latent:decode", json={"track_id": "t01", "dimension": 0, "steps": 225})]
    assert [answer.status_code for answer in answers] == [503]
    assert answers[0].json()["type"] == "urn:audioae:not-decoded"
    assert "timeout" in answers[0].json()["detail"]


def test_a_server_process_that_decodes_has_not_loaded_torch(tmp_path: Path):
    store, _ = latent_store(tmp_path)
    with served_process(store, tmp_path) as (client, pid):
        assert client.get("/v1/codebook").status_code == 200
        assert client.get("/v1/codebook/0/0").status_code == 200
        assert client.post("/v1/latent:decode", json={"track_id": "t01", "dimension": 0}).status_code == 200
        assert client.post("/v1/latent:listen", json={"track_id": "t01"}).status_code == 200
        mapped = libraries(pid)
    assert "faiss" in mapped
    for library in ("torch", "sndfile", "soxr", "numba", "scipy", "sklearn"):
        assert f"/{library}" not in mapped
