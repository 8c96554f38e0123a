"""Clips of tracks over HTTP: from the click to the first byte, and what they cost the searches beside them.

    python -m tests.bench clips

A real server over a made catalog whose tracks are real files: ten minutes each as WAV, FLAC and MP3, made
here. Nothing is cached: each request asks for another second. Searches are asked for at a constant rate, with and
without eight clips a second, in turn; the figure is the ratio of their 99th percentiles.
"""

import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np

from tests.audio import made
from tests.bench.harness import Row
from tests.bench.server_process import ServerProcess, serving
from tests.bench.wrk import Load, Wrk
from tests.stores import made_store

KINDS = ("wav", "flac", "mp3")
LONG_S = 600.0
CLIPS = 9  # of each file
TRACKS = 1_000
CLIPS_PER_S, SEARCHES_PER_S = 8, 100
ROUNDS, SECONDS = 3, 5
CLICK_MS, P99_RATIO = 300.0, 1.5


def measure() -> list[Row]:
    rows = []
    with _server() as (server, ids):
        client = httpx.Client(base_url=server.url, headers=server.headers, timeout=60)
        for kind in KINDS:
            first_ms = [_first_byte_ms(client, ids[kind], 10.0 + 37.3 * i) for i in range(CLIPS)]
            again_ms = [_first_byte_ms(client, ids[kind], 10.0 + 37.3 * i) for i in range(CLIPS)]
            picture_ms = [_first_byte_ms(client, ids[kind], 10.0 + 37.3 * i, "spectrogram") for i in range(CLIPS)]
            note = f"{kind}, 10 s of 600 s; slowest {max(first_ms):.0f} ms"
            rows.append(Row(f"click to first byte, {kind}", _median(first_ms), CLICK_MS, "ms", note, False))
            rows.append(Row(f"the same once more, {kind}", _median(again_ms), None, "ms", "cached"))
            rows.append(Row(f"spectrogram, {kind}", _median(picture_ms), CLICK_MS, "ms", "", False))
        rows += _beside_searches(server, client, list(ids.values()))
    return rows


def _median(values: list[float]) -> float:
    return statistics.median(values)


def _first_byte_ms(client: httpx.Client, track_id: str, start_s: float, what: str = "clip") -> float:
    start = time.perf_counter()
    with client.stream("GET", f"/v1/tracks/{track_id}/{what}", params={"start": start_s}) as answer:
        answer.raise_for_status()
        next(answer.iter_raw())
        return 1000 * (time.perf_counter() - start)


@contextmanager
def _server() -> Iterator[tuple[ServerProcess, dict[str, str]]]:
    """A server over `TRACKS` tracks, the first of which have audio: their IDs by format."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        music = np.tile(made.music(60.0), (round(LONG_S / 60), 1))
        paths = [made.write(folder / f"long.{kind}", music, 44_100) for kind in KINDS]
        uris = [str(path) for path in paths] + ["/none"] * (TRACKS - len(paths))
        store = made_store(folder / "store", TRACKS, columns={"uri": uris})
        os.environ["AUDIOAE_CACHE"] = str(folder / "cache")
        with serving(store.root, folder, "--warm-decoders") as server:
            time.sleep(10)  # until the processes are warm
            yield server, {kind: f"t{i:02d}" for i, kind in enumerate(KINDS)}


def _beside_searches(server: ServerProcess, client: httpx.Client, ids: list[str]) -> list[Row]:
    bodies = [json.dumps({"seeds": [{"track_id": f"t{i:02d}"}], "k": 10}) for i in range(10, TRACKS)]
    wrk = Wrk(server.url, "/v1/similar", bodies, server.headers)
    wrk.run(2, 8)
    alone: list[Load] = []
    beside: list[Load] = []
    clips_ms: list[float] = []
    for number in range(ROUNDS):
        alone.append(wrk.run(SECONDS, 16, SEARCHES_PER_S))
        with _clips(client, ids, number, clips_ms):
            beside.append(wrk.run(SECONDS, 16, SEARCHES_PER_S))
    before, after = (_median([load.p99_ms for load in loads]) for loads in (alone, beside))
    note = f"{before:.1f} ms alone, {after:.1f} ms beside {CLIPS_PER_S} clips/s; {len(clips_ms)} clips"
    assert not any(load.bad or load.broken for load in (*alone, *beside))
    return [
        Row("p99 of /v1/similar beside clips, to p99 alone", after / before, P99_RATIO, "x", note, False),
        Row("a clip meanwhile, median", _median(clips_ms), None, "ms", "uncached"),
    ]


@contextmanager
def _clips(client: httpx.Client, ids: list[str], number: int, took_ms: list[float]) -> Iterator[None]:
    """Ask for clips at a constant rate while the block runs."""
    done, threads = threading.Event(), []

    def ask(i: int) -> None:
        took_ms.append(_first_byte_ms(client, ids[i % len(ids)], 11.0 + number * 150 + i * 1.3))

    def run() -> None:
        i = 0
        while not done.wait(1 / CLIPS_PER_S):
            threads.append(threading.Thread(target=ask, args=(i,)))
            threads[-1].start()
            i += 1

    asking = threading.Thread(target=run)
    asking.start()
    try:
        yield
    finally:
        done.set()
        for thread in (asking, *threads):
            thread.join()
