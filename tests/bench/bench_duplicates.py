"""Duplicates on the store of AUDIOAE_STORE (default: data): are copies found, and is nothing else merged?

Copies of evenly spaced tracks are re-encoded, resampled, cut or filtered. Each is judged as in the index: by its cosine
to the track, its duration and its pattern. Different tracks are judged by pattern alone, ignoring embeddings and
durations: pairs of one artist first, then others, `PAIRS` in all. Pairs that the index of the store marks as duplicates
(on the demo catalog exactly the planted ones) do not count as different.

With pyacoustid and Debian's libchromaprint1, Chromaprint judges the same files and pairs (`chromaprint_prints`), and
the closest pairs of many made tracks (`made_duplicates`).
"""

import os
import tempfile
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np

from audioae.api import Library
from audioae.audio.fingerprint import MAX_SECONDS, MIN_COSINE, is_same, similarity
from audioae.audio.perturbations import PERTURBATIONS, Perturbation, Planes, read_whole, write_version
from audioae.pipeline.fingerprints import read_fingerprints
from audioae.pipeline.index_neighbors import read_index_neighbors
from audioae.spacing import evenly_spaced
from audioae.store.dataset import Store
from tests.bench.chromaprint_prints import SAME, available, print_file, print_similarity
from tests.bench.harness import Row
from tests.bench.made_duplicates import measure_made

TRACKS = 12
PAIRS = 20_000
REENCODED = ("mp3 128 kb/s", "mp3 64 kb/s", "aac 96 kb/s", "ogg vorbis", "48 kHz", "gain -6 dB")
OTHERS = ("shift 150 ms", "shift 1,200 ms", "16 kHz", "eq bright", "noise 20 dB")


def _kept(planes: Planes, rate: int, first_s: float, last_s: float) -> tuple[Planes, int]:
    return planes[:, round(first_s * rate) : planes.shape[1] - round(last_s * rate)], rate


CUTS = (
    Perturbation("first 10 s cut", "cut", "the first 10 s are removed", partial(_kept, first_s=10.0, last_s=0.0)),
    Perturbation("last 10 s cut", "cut", "the last 10 s are removed", partial(_kept, first_s=0.0, last_s=10.0)),
)
CHANGES = (*(p for p in PERTURBATIONS if p.name in REENCODED + OTHERS), *CUTS)


def measure() -> list[Row]:
    library = Library(Store(os.environ.get("AUDIOAE_STORE", "data")))
    rows = [*measure_copies(library), *measure_pairs(library)]
    return rows + measure_made() if available() else rows


def measure_copies(library: Library) -> list[Row]:
    ids = sorted(library.index.ids.to_pylist())
    tracks = [library.find(ids[i]) for i in evenly_spaced(len(ids), TRACKS)]
    found: dict[str, list[bool]] = {}
    alike: dict[str, list[float]] = {}
    theirs: dict[str, list[float]] = {}
    for track in tracks:
        assert track.uri is not None
        original = library.embed(track.uri)
        planes, rate = read_whole(track.uri)
        for change in CHANGES:
            with tempfile.TemporaryDirectory() as folder:
                path = write_version(planes, rate, change, Path(folder))
                copy = library.embed(path)
                if available():
                    value = print_similarity(print_file(track.uri), print_file(path))
                    theirs.setdefault(change.name, []).append(value)
            cosine = float(original.embedding @ copy.embedding)
            prints = original.fingerprint, copy.fingerprint
            seconds = abs(original.duration_s - copy.duration_s)
            near = cosine >= MIN_COSINE and seconds <= MAX_SECONDS
            found.setdefault(change.name, []).append(near and is_same(*prints))
            alike.setdefault(change.name, []).append(similarity(*prints))
    recall = float(np.mean([value for name in REENCODED for value in found[name]]))
    rows = [Row("re-encoded copies found", recall, 0.98, "", f"{TRACKS} tracks, {', '.join(REENCODED)}")]
    if theirs:
        value = float(np.mean([value >= SAME for name in REENCODED for value in theirs[name]]))
        rows.append(Row("  Chromaprint", value, None, "", f"similarity of {SAME:g} or more"))
    for name, values in found.items():
        bar = 0.98 if name in REENCODED else None
        note = f"pattern {min(alike[name]):.2f} or more"
        if theirs:
            share = np.mean([value >= SAME for value in theirs[name]])
            note += f"; Chromaprint {share:.2f}, similarity {min(theirs[name]):.2f} or more"
        rows.append(Row(f"  {name}", float(np.mean(values)), bar, "", note))
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
    rows = [Row("pairs of different tracks merged", float(merged), 0.0, "", note, higher_is_better=False)]
    return [*rows, _chromaprint_pairs(library, chosen)] if available() else rows


def _chromaprint_pairs(library: Library, pairs: list[tuple[str, str]]) -> Row:
    prints = {track: print_file(str(library.find(track).uri)) for track in {track for pair in pairs for track in pair}}
    values = np.array([print_similarity(prints[a], prints[b]) for a, b in pairs])
    note = f"similarity {values.max():.2f} or less, 99.9 % below {np.quantile(values, 0.999):.2f}"
    return Row("  Chromaprint", float((values >= SAME).sum()), None, "", note, higher_is_better=False)
