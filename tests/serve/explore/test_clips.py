"""Clips over HTTP: the sound of each format, parts of it, and what happens where there is none."""

import io
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile as sf

from audioae.audio.config import ClipConfig
from audioae.audio.listening import cut_audio
from audioae.serve.explore import clips
from tests.audio.test_cases import SECONDS as CASE_SECONDS
from tests.serve.explore import strange_cuts
from tests.serve.explore.sounding import DURATION_S, KINDS, RATE, sounding_store
from tests.serve.serving import Server, in_thread


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of their own: what an earlier run of these tests made is not in it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDIOAE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sounding")


@pytest.fixture(scope="module")
def store(folder: Path):
    return sounding_store(folder)


@pytest.fixture(scope="module")
def server(store):
    with in_thread(store[0]) as running:
        yield running


def get(server: Server, track_id: str, what: str = "clip", headers: dict | None = None, **query: Any) -> httpx.Response:
    with server.client() as client:
        return client.get(f"/v1/tracks/{track_id}/{what}", params=query, headers=headers)


@pytest.mark.parametrize("kind", KINDS)
def test_a_clip_is_the_sound_of_the_file(server, store, folder, kind):
    answer = get(server, store[1][f"a.{kind}"], start=2, seconds=4)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "audio/flac"), answer.text
    assert answer.content == cut_audio(folder / "audio" / f"a.{kind}", 2.0, 4.0, ClipConfig()).content
    waveform, rate = sf.read(io.BytesIO(answer.content))
    assert (rate, waveform.shape) == (RATE, (4 * RATE, 2))
    about = {name: float(answer.headers[f"X-{name}"]) for name in ("Start-S", "Seconds", "Duration-S")}
    assert about == pytest.approx({"Start-S": 2.0, "Seconds": 4.0, "Duration-S": DURATION_S}, abs=0.05)


@pytest.mark.parametrize("name", CASE_SECONDS)
def test_files_that_once_were_decoded_wrongly_are_heard(server, store, name):
    if name not in store[1]:
        pytest.skip("the folder of cases is not here; see tests/audio/test_cases.py")
    answer = get(server, store[1][name], start=0, seconds=60)
    assert answer.status_code == 200, answer.text
    assert float(answer.headers["X-Seconds"]) == pytest.approx(CASE_SECONDS[name], abs=0.11)


def test_the_default_is_ten_seconds_from_the_middle_clip_on(server, store):
    answer = get(server, store[1]["a.wav"])
    assert answer.headers["X-Seconds"] == "10.000"
    assert answer.headers["X-Start-S"] == "2.000"  # earlier than the middle clip, so that ten seconds fit


def test_parts_of_a_clip(server, store):
    track_id = store[1]["a.flac"]
    whole = get(server, track_id, start=1)
    etag, modified, size = whole.headers["ETag"], whole.headers["Last-Modified"], len(whole.content)
    assert whole.headers["Accept-Ranges"] == "bytes"
    assert whole.headers["Cache-Control"] == "private, max-age=3600"

    def part(**headers: str) -> httpx.Response:
        return get(server, track_id, start=1, headers={name.replace("_", "-"): text for name, text in headers.items()})

    first = part(Range="bytes=0-99")
    assert (first.status_code, first.content) == (206, whole.content[:100])
    assert first.headers["Content-Range"] == f"bytes 0-99/{size}"
    assert part(Range="bytes=100-").content == whole.content[100:]
    assert part(Range="bytes=-7").content == whole.content[-7:]
    assert part(Range="bytes=5-9", If_Range=etag).content == whole.content[5:10]
    assert part(Range="bytes=5-9", If_Range=modified).status_code == 206
    assert part(Range="bytes=5-9", If_Range='"other"').content == whole.content
    assert part(Range="bytes=0-1,4-5").content == whole.content
    late = part(Range=f"bytes={size}-")
    assert (late.status_code, late.headers["Content-Range"]) == (416, f"bytes */{size}")
    assert late.headers["Content-Type"] == "application/problem+json"
    known = part(If_None_Match=f'"x", {etag}')
    assert (known.status_code, known.content, known.headers["ETag"]) == (304, b"", etag)
    assert part(If_Modified_Since=modified).status_code == 304


def test_head_says_what_get_answers(server, store):
    with server.client() as client:
        head = client.head(f"/v1/tracks/{store[1]['a.ogg']}/clip")
        get_ = client.get(f"/v1/tracks/{store[1]['a.ogg']}/clip")
    assert (head.status_code, head.content) == (200, b"")
    for name in ("Content-Length", "Content-Type", "ETag", "X-Start-S"):
        assert head.headers[name] == get_.headers[name]


def test_what_cannot_be_played_is_a_problem_that_names_the_track(server, store, folder):
    gone = get(server, store[1]["gone.mp3"])
    assert (gone.status_code, gone.json()["type"]) == (404, "urn:audioae:audio-unreadable")
    assert store[1]["gone.mp3"] in gone.json()["detail"]
    assert "No such file" in gone.json()["detail"]
    assert "put the file back" in gone.json()["action"]
    text = get(server, store[1]["text.mp3"])
    assert (text.status_code, text.json()["type"]) == (422, "urn:audioae:audio-not_audio")
    beyond = get(server, store[1]["a.wav"], start=12)
    assert (beyond.status_code, beyond.json()["action"]) == (422, "ask for an earlier start than 12 s")
    unknown = get(server, "no such track")
    assert (unknown.status_code, unknown.json()["type"]) == (404, "urn:audioae:unknown-track")
    wrong: list[dict[str, Any]] = [{"start": -1}, {"start": "nan"}, {"seconds": 0}, {"seconds": 61}, {"start": "../a"}]
    for query in wrong:
        assert get(server, store[1]["a.wav"], **query).status_code == 422, query
    with server.client() as client:
        assert client.get(f"/v1/tracks/{folder}/audio/a.wav/clip").status_code == 404


@pytest.mark.parametrize(
    ("function", "reason"),
    [(strange_cuts.hang, "timeout"), (strange_cuts.crash, "crashed"), (strange_cuts.eat, "out_of_memory")],
)
def test_a_file_that_hangs_or_crashes_costs_its_request_only(serve, store, folder, monkeypatch, function, reason):
    server = serve(store[0], clip_decoders=1, limits={"clip_s": 1.0})
    assert get(server, store[1]["a.wav"]).status_code == 200
    strange, calls = store[1]["a.mp3"], folder / "audio" / "a.mp3.calls"
    with monkeypatch.context() as patch:
        patch.setattr(clips, "cut_audio", function)
        first = get(server, strange, start=3)
        assert (first.status_code, first.json()["type"]) == (422, f"urn:audioae:audio-{reason}"), first.text
        assert get(server, strange, start=3).json()["type"] == first.json()["type"]
    assert calls.read_text() == "."  # it is not tried again at once
    calls.unlink()
    assert get(server, store[1]["a.flac"], start=0.5).status_code == 200


def test_requests_for_the_same_clip_share_one_computation(serve, store, folder, monkeypatch):
    server = serve(store[0])
    monkeypatch.setattr(clips, "cut_audio", strange_cuts.slow)
    path = f"/v1/tracks/{store[1]['a.ogg']}/clip"
    with server.client() as client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.get(path, params={"start": 4}), range(8)))
    assert {answer.content for answer in answers} == {b"cut"}
    calls = folder / "audio" / "a.ogg.calls"
    assert calls.read_text() == "."
    calls.unlink()


def test_too_many_clips_are_refused_and_searches_go_on(serve, store, monkeypatch):
    server = serve(store[0], clip_decoders=1, limits={"queue": 1})
    monkeypatch.setattr(clips, "cut_audio", strange_cuts.slow)
    path = f"/v1/tracks/{store[1]['a.m4a']}/clip"
    with server.client() as client, ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(client.get, path, params={"start": i}) for i in range(8)]
        time.sleep(0.2)
        assert client.post("/v1/similar", json={"seeds": [{"track_id": "t00"}], "k": 3}).status_code == 200
        assert not all(one.done() for one in asked)
        statuses = sorted(one.result().status_code for one in asked)
    assert statuses.count(503) == 6
    assert statuses.count(200) == 2


def test_a_cached_clip_needs_no_file(serve, folder, tmp_path):
    path = tmp_path / "b.wav"
    sf.write(path, np.random.default_rng(3).uniform(-1, 1, 3 * RATE), RATE)
    from tests.stores import made_store

    store = made_store(tmp_path / "store", 2, columns={"uri": [str(path), str(path)], "content_hash": ["b0", "b0"]})
    server = serve(store)
    first = get(server, "t00", start=1, seconds=1)
    path.unlink()
    assert get(server, "t01", start=1, seconds=1).content == first.content
    assert get(server, "t00", start=1, seconds=2).status_code == 404


def test_a_server_that_plays_no_audio_says_so(serve, store):
    answer = get(serve(store[0], audio="none"), store[1]["a.wav"])
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:audioae:no-audio")


def test_a_server_with_keys_plays_to_those_who_have_one(serve, store):
    from tests.serve.conftest import KEYS, READ_KEY

    server = serve(store[0], keys=KEYS)
    assert get(server, store[1]["a.wav"]).status_code == 401
    assert get(server, store[1]["a.wav"], headers={"X-API-Key": READ_KEY}).status_code == 200


def test_a_spectrogram_is_that_of_the_clip(server, store):
    from PIL import Image

    answer = get(server, store[1]["a.mp3"], "spectrogram", start=2, seconds=4, width=300, height=64)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/png"), answer.text
    assert Image.open(io.BytesIO(answer.content)).size == (300, 64)
    assert (answer.headers["X-Start-S"], answer.headers["X-Seconds"]) == ("2.000", "4.000")
    again = get(server, store[1]["a.mp3"], "spectrogram", start=2, seconds=4, width=300, height=64)
    assert (again.content, again.headers["ETag"]) == (answer.content, answer.headers["ETag"])
    other = get(server, store[1]["a.mp3"], "spectrogram", start=2, seconds=4, width=301, height=64)
    assert other.headers["ETag"] != answer.headers["ETag"]
    assert get(server, store[1]["gone.mp3"], "spectrogram").status_code == 404
    wrong: list[dict[str, Any]] = [{"width": 15}, {"height": 513}, {"width": "x"}]
    for query in wrong:
        assert get(server, store[1]["a.mp3"], "spectrogram", **query).status_code == 422
