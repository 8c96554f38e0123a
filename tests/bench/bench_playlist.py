"""Playlists: how long one takes over 100,000 tracks, and how much smoother it is than the nearest tracks.

The 100,000 embeddings are synthetic. Half of the time goes into two beams, for the playlist and for the nearest tracks
that it is compared with, a third into choosing the pool and its angles. Where rules cannot be kept it takes 2 s, since
a wide search comes first. Smoothness is asked of the demo's store, for `PAIRS` random pairs of tracks (run
`python -m flows.pipeline configs/demo.yaml` first): a playlist is smoother where its largest step and its mean step are
both no larger than those of the tracks nearest to the same path, found under the same rules. Tempos are heard and kept
in a copy of that store.
"""

import os
import resource
import shutil
import tempfile
import time

import numpy as np

from audioae.api import Library
from audioae.playlists.builder import Playlists
from audioae.playlists.options import Curve, PlaylistOptions
from audioae.playlists.pool import PlaylistTracks
from audioae.playlists.walk import make_playlist
from audioae.store.dataset import Store
from tests.bench.harness import Row
from tests.search.made import clustered

N, ARTISTS = 100_000, 5_000
ROUNDS = 12
PAIRS = 200


def measure() -> list[Row]:
    store = Store(os.environ.get("AUDIOAE_STORE", "data"))
    library = Library(store, embeddings=store.require("embeddings"))
    demo = Playlists(library).tracks()
    asked = {f"{n} tracks": PlaylistOptions(n=n) for n in (25, 15, 10)}
    asked["12 tracks, energy monotone"] = PlaylistOptions(n=12, energy=Curve(monotone=True))
    smoothness = [measure_smoothness(demo, name, options) for name, options in asked.items()]
    return [*measure_time(), *smoothness, measure_tempo(library)]


def measure_time() -> list[Row]:
    """Median seconds of a playlist of 25, plain and under rules."""
    rng = np.random.default_rng(0)
    tracks = PlaylistTracks(
        clustered(N, seed=1, n_artists=ARTISTS),
        np.array([f"artist {i}" for i in rng.integers(ARTISTS, size=N)], object),
        rng.uniform(120, 360, N),
        np.ones(N, bool),
        {"tempo": rng.uniform(80, 160, N)},
    )
    asked = {
        "25 tracks": PlaylistOptions(n=25),
        "25 tracks, tempo monotone by 8 BPM at most": PlaylistOptions(n=25, tempo=Curve(monotone=True, max_step=8)),
        "90 minutes +- 1": PlaylistOptions(duration_s=5_400, tolerance_s=60),
    }
    rows = []
    for name, options in asked.items():
        seconds, processor, gave_way = [], [], 0
        for _ in range(ROUNDS):
            ends = rng.choice(N, 2, replace=False).tolist()
            start = time.perf_counter(), time.process_time()
            gave_way += bool(make_playlist(tracks, ends, options).relaxed)
            seconds.append(time.perf_counter() - start[0])
            processor.append(time.process_time() - start[1])
        note = f"worst of {ROUNDS}: {max(seconds):.3f} s, rules gave way in {gave_way}; "
        note += f"{np.median(processor):.3f} s of processor at load {os.getloadavg()[0]:.0f}"
        rows.append(Row(f"playlist over {N:,}: {name}", float(np.median(seconds)), 0.5, "s", note, False))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    memory = Row("peak memory of the process", peak_mb, 1000, "MB", "most of it imports and the made embeddings", False)
    return [*rows, memory]


def measure_smoothness(tracks: PlaylistTracks, name: str, options: PlaylistOptions, pairs: int = PAIRS) -> Row:
    """Share of random pairs whose playlist is smoother than the nearest tracks."""
    rng = np.random.default_rng(0)
    found, gave_way = [], 0
    for _ in range(pairs):
        ends = rng.choice(len(tracks.embeddings), 2, replace=False).tolist()
        made = make_playlist(tracks, ends, options)
        gave_way += bool(made.relaxed)
        found.append([[made.smoothness[of][key] for key in ("mean", "largest")] for of in ("playlist", "nearest")])
    ours, nearest = np.moveaxis(np.array(found), 1, 0)
    smoother = ours <= nearest + 1e-9
    note = (
        f"smaller mean step {smoother[:, 0].mean():.1%}, largest {smoother[:, 1].mean():.1%}; on average mean "
        f"{ours[:, 0].mean():.3f} against {nearest[:, 0].mean():.3f}, largest {ours[:, 1].mean():.3f} against "
        f"{nearest[:, 1].mean():.3f}; rules gave way in {gave_way}"
    )
    return Row(
        f"{name}: share of {pairs} pairs smoother than nearest", float(smoother.all(axis=1).mean()), 0.9, "", note
    )


def measure_tempo(library: Library) -> Row:
    """Seconds of a playlist with a monotone tempo, once the tempos were heard, in one process."""
    ids = library.tracks["track_id"].to_pylist()
    ends = [track_id for track_id in ids if library.embedding_row(library.find(track_id))][:2]
    options = PlaylistOptions(n=12, tempo=Curve(monotone=True))
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(library.store.root, f"{folder}/store")
        shutil.rmtree(copy + "/tempos", ignore_errors=True)
        seconds = []
        for _ in range(2):
            start = time.perf_counter()
            opened = Library(Store(copy), embeddings=library.embeddings_ref)
            answer = Playlists(opened).make(ends, options)
            seconds.append(time.perf_counter() - start)
    note = f"the first time, in which they are heard, {seconds[0]:.1f} s; {answer.document['notes'][0]}"
    return Row("12 tracks, tempo monotone, asked again", seconds[1], 2.0, "s", note, False)
