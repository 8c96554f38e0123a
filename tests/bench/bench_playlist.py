"""Playlists: time over 100,000 tracks, and smoothness compared with the nearest tracks.

The 100,000 embeddings are synthetic. Half of the time goes into two beam searches, for the playlist and for the nearest
tracks that it is compared with; a third goes into the pool and its angles. If rules cannot be kept, a playlist takes
2 s, because the wide search runs too. Smoothness is measured on the demo's store (AUDIOAE_STORE; `audioae demo` makes
it) for `PAIRS` random pairs of tracks. A playlist counts as smoother if neither its mean nor its largest step is larger
than that of the tracks nearest to the same path, found under the same rules. Tempos are analyzed in a copy of the
store.
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
    cases = {f"{n} tracks": PlaylistOptions(n=n) for n in (25, 15, 10)}
    cases["12 tracks, energy monotone"] = PlaylistOptions(n=12, energy=Curve(monotone=True))
    smoothness = [measure_smoothness(demo, name, options) for name, options in cases.items()]
    return [*measure_time(), *smoothness, measure_tempo(library)]


def measure_time() -> list[Row]:
    """Median seconds of a playlist of 25 tracks, with default and with more rules."""
    rng = np.random.default_rng(0)
    tracks = PlaylistTracks(
        clustered(N, seed=1, n_artists=ARTISTS),
        np.array([f"artist {i}" for i in rng.integers(ARTISTS, size=N)], object),
        rng.uniform(120, 360, N),
        np.ones(N, bool),
        {"tempo": rng.uniform(80, 160, N)},
    )
    cases = {
        "25 tracks": PlaylistOptions(n=25),
        "25 tracks, tempo monotone by 8 BPM at most": PlaylistOptions(n=25, tempo=Curve(monotone=True, max_step=8)),
        "90 minutes +- 1": PlaylistOptions(duration_s=5_400, tolerance_s=60),
    }
    rows = []
    for name, options in cases.items():
        seconds, cpu, relaxed = [], [], 0
        for _ in range(ROUNDS):
            ends = rng.choice(N, 2, replace=False).tolist()
            start = time.perf_counter(), time.process_time()
            relaxed += bool(make_playlist(tracks, ends, options).relaxed)
            seconds.append(time.perf_counter() - start[0])
            cpu.append(time.process_time() - start[1])
        note = f"worst of {ROUNDS}: {max(seconds):.3f} s, rules relaxed in {relaxed}; "
        note += f"{np.median(cpu):.3f} s of CPU at load {os.getloadavg()[0]:.0f}"
        rows.append(Row(f"playlist over {N:,}: {name}", float(np.median(seconds)), 0.5, "s", note, False))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    memory = Row(
        "peak memory of the process", peak_mb, 1000, "MB", "mostly imports and the synthetic embeddings", False
    )
    return [*rows, memory]


def measure_smoothness(tracks: PlaylistTracks, name: str, options: PlaylistOptions, pairs: int = PAIRS) -> Row:
    """Share of random pairs whose playlist is smoother than the nearest tracks (see the module)."""
    rng = np.random.default_rng(0)
    steps, relaxed = [], 0
    for _ in range(pairs):
        ends = rng.choice(len(tracks.embeddings), 2, replace=False).tolist()
        playlist = make_playlist(tracks, ends, options)
        relaxed += bool(playlist.relaxed)
        smoothness = playlist.smoothness
        steps.append([[smoothness[kind][key] for key in ("mean", "largest")] for kind in ("playlist", "nearest")])
    ours, nearest = np.moveaxis(np.array(steps), 1, 0)
    smoother = ours <= nearest + 1e-9
    note = (
        f"smaller mean step {smoother[:, 0].mean():.1%}, largest {smoother[:, 1].mean():.1%}; on average mean "
        f"{ours[:, 0].mean():.3f} against {nearest[:, 0].mean():.3f}, largest {ours[:, 1].mean():.3f} against "
        f"{nearest[:, 1].mean():.3f}; rules relaxed in {relaxed}"
    )
    return Row(
        f"{name}: share of {pairs} pairs smoother than nearest", float(smoother.all(axis=1).mean()), 0.9, "", note
    )


def measure_tempo(library: Library) -> Row:
    """Seconds of a playlist with a monotone tempo after the tempos have been saved, in the same process."""
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
    note = f"the first time, with analysis, {seconds[0]:.1f} s; {answer.document['notes'][0]}"
    return Row("12 tracks, tempo monotone, second time", seconds[1], 2.0, "s", note, False)
