"""Duplicates on the store of AUDIOAE_STORE (default: data): are copies found, and is nothing else merged?

Copies of evenly spaced tracks are re-encoded, resampled, cut or filtered. Each is judged as in the index: by its cosine
to the track, its duration and its pattern. Different tracks are judged by pattern alone, ignoring embeddings and
durations: pairs of one artist first, then others, `PAIRS` in all. Pairs that the index of the store marks as duplicates
(on the demo catalog exactly the planted ones) do not count as different.
"""

import os
import tempfile
from itertools import combinations
from pathlib import Path

import numpy as np

from audioae.api import Library
from audioae.audio.fingerprint import MAX_SECONDS, MIN_COSINE, is_same, similarity
from audioae.audio.perturbations import PERTURBATIONS, read_whole, write_version
from audioae.pipeline.fingerprints import read_fingerprints
from audioae.pipeline.index_neighbors import read_index_neighbors
from audioae.spacing import evenly_spaced
from audioae.store.dataset import Store
from tests.bench.harness import Row

TRACKS = 12
PAIRS = 20_000
REENCODED = ("mp3 128 kb/s", "mp3 64 kb/s", "aac 96 kb/s", "ogg vorbis", "48 kHz", "gain -6 dB")
OTHERS = ("shift 150 ms", "16 kHz", "eq bright", "noise 20 dB")


def measure() -> list[Row]:
    library = Library(Store(os.environ.get("AUDIOAE_STORE", "data")))
    return [*measure_copies(library), *measure_pairs(library)]


def measure_copies(library: Library) -> list[Row]:
    ids = sorted(library.index.ids.to_pylist())
    tracks = [library.find(ids[i]) for i in evenly_spaced(len(ids), TRACKS)]
    found: dict[str, list[bool]] = {}
    alike: dict[str, list[float]] = {}
    for track in tracks:
        assert track.uri is not None
        original = library.embed(track.uri)
        planes, rate = read_whole(track.uri)
        for perturbation in PERTURBATIONS:
            if perturbation.name not in REENCODED + OTHERS:
                continue
            with tempfile.TemporaryDirectory() as folder:
                copy = library.embed(write_version(planes, rate, perturbation, Path(folder)))
            cosine = float(original.embedding @ copy.embedding)
            prints = original.fingerprint, copy.fingerprint
            seconds = abs(original.duration_s - copy.duration_s)
            near = cosine >= MIN_COSINE and seconds <= MAX_SECONDS
            found.setdefault(perturbation.name, []).append(near and is_same(*prints))
            alike.setdefault(perturbation.name, []).append(similarity(*prints))
    recall = float(np.mean([value for name in REENCODED for value in found[name]]))
    rows = [Row("re-encoded copies found", recall, 0.98, "", f"{TRACKS} tracks, {', '.join(REENCODED)}")]
    for name, values in found.items():
        bar = 0.98 if name in REENCODED else None
        rows.append(Row(f"  {name}", float(np.mean(values)), bar, "", f"pattern {min(alike[name]):.2f} or more"))
    return rows


def measure_pairs(library: Library) -> list[Row]:
    neighborhood = read_index_neighbors(library.store, library.index_ref)
    table = neighborhood.to_pylist() if neighborhood else []
    group = {row["track_id"]: row["duplicate_group"] or row["track_id"] for row in table}
    artist = dict(zip(library.tracks["track_id"].to_pylist(), library.tracks["artist"].to_pylist(), strict=True))
    pairs = [
        (a, b) for a, b in combinations(sorted(library.index.ids.to_pylist()), 2) if group.get(a) != group.get(b, b)
    ]
    order = np.random.default_rng(0).permutation(len(pairs))
    chosen = sorted((pairs[i] for i in order), key=lambda pair: artist[pair[0]] != artist[pair[1]])[:PAIRS]
    prints = read_fingerprints(library.store, library.embeddings_ref, {track for pair in chosen for track in pair})
    values = np.array([similarity(prints[a], prints[b]) for a, b in chosen])
    merged = sum(is_same(prints[a], prints[b]) for (a, b), value in zip(chosen, values, strict=True) if value > 0.4)
    note = (
        f"of {len(chosen):,} pairs; patterns {values.max():.2f} or less, 99.9 % below {np.quantile(values, 0.999):.2f}"
    )
    return [Row("pairs of different tracks merged", float(merged), 0.0, "", note, higher_is_better=False)]
