"""Missing sound: the rules of the check corrupt next to ffmpeg's silencedetect, on the same files.

Evenly spaced tracks of the stores AUDIOAE_STORE (default: data) and, if given, AUDIOAE_RECORDINGS get one fault each in
turn, and are stored as the check does it: 3 to 12 gaps of 20 to 200 ms, 1 to 3 stretches of faint noise of 0.4 to 2 s,
or an end of zeros. Ours are the rules sudden silence, digital silence and silent end, with the limits of the catalog;
theirs is the longest silence below -60 dB (silencedetect's default), of at least 2 s (its default) or of 20 ms.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import av.error
import av.filter
import numpy as np
from sklearn.metrics import roc_auc_score

from audioae.api import Library
from audioae.audio.extract import extract
from audioae.audio.perturbations import read_whole, write_version
from audioae.screening.corrupt.config import CorruptConfig
from audioae.screening.corrupt.faults import FAULTS, INTACT
from audioae.screening.corrupt.features import read_evidence
from audioae.screening.corrupt.rules import RULES, RuleLimits
from audioae.spacing import evenly_spaced
from audioae.store.dataset import Store
from tests.bench.harness import Row

N_TRACKS = 24
USED_S = 30.0
KINDS = ("dropouts", "silence", "cut short")
STORED = (("wav", 0), ("mp3", 192_000), ("vorbis", 0))
OURS = tuple(rule for rule in RULES if rule.name in ("sudden silence", "digital silence", "silent end"))
DEFAULT_S, SHORT_S = 2.0, 0.02


def measure() -> list[Row]:
    stores = {"demo": os.environ.get("AUDIOAE_STORE", "data"), "recordings": os.environ.get("AUDIOAE_RECORDINGS")}
    return [row for name, root in stores.items() if root for row in measure_store(name, Library(Store(root)))]


def measure_store(name: str, library: Library) -> list[Row]:
    """Caught and falsely flagged shares and AUROC of each kind, ours with theirs in the note."""
    found = list(_versions(library))
    kinds = np.array([kind for kind, _, _ in found])
    ours, theirs = (np.array([row[column] for row in found]) for column in (1, 2))
    intact = kinds == INTACT
    flagged = {"ours": ours > 0, "silencedetect, 2 s": theirs >= DEFAULT_S, "20 ms": theirs >= SHORT_S}
    rows = [_shares(f"{name}: intact tracks flagged", flagged, intact, f"{intact.sum()} tracks", False)]
    for kind in KINDS:
        rows.append(_shares(f"{name}: {kind} found", flagged, kinds == kind, FAULTS[kind].what, True))
        both = intact | (kinds == kind)
        auroc, other = (float(roc_auc_score(kinds[both] == kind, score[both])) for score in (ours, theirs))
        rows.append(Row("  AUROC", auroc, None, "", f"silencedetect, by its longest silence: {other:.3f}"))
    return rows


def _shares(name: str, flagged: Mapping[str, np.ndarray], rows: np.ndarray, note: str, higher: bool) -> Row:
    shares = {method: float(of[rows].mean()) for method, of in flagged.items()}
    ours = shares.pop("ours")
    of_others = ", ".join(f"{method}: {share:.0%}" for method, share in shares.items())
    return Row(name, ours, None, "", f"{of_others}; {note}", higher)


def _versions(library: Library) -> Iterator[tuple[str, float, float]]:
    """Of each version its kind, how far it is beyond the strictest of our limits, and its longest silence (s)."""
    evidence = read_evidence(library)
    limits = RuleLimits(evidence.columns, evidence.labels, CorruptConfig().percentile).of(evidence.labels)
    config = library.mels_config
    for turn, row in enumerate(evenly_spaced(len(evidence), N_TRACKS)):
        planes, rate = read_whole(evidence.track(row)["uri"])
        spare = max(planes.shape[1] - round(USED_S * rate), 0) // 2
        planes = planes[:, spare : planes.shape[1] - spare]
        codec, bit_rate = STORED[turn % len(STORED)]
        for kind in (INTACT, *KINDS):
            with tempfile.TemporaryDirectory() as folder:
                fault = replace(FAULTS[kind], codec=codec, bit_rate=bit_rate)
                path = write_version(planes, rate, fault, Path(folder))
                health = extract(path, config.clips, config.decode).health
                excess = max(((health[r.column] or 0) - limits[r.name][row]) / r.scale for r in OURS)
                yield kind, float(excess), longest_silence_s(path)


def longest_silence_s(path: Path, noise_db: float = -60.0, shortest_s: float = SHORT_S) -> float:
    """The longest silence that ffmpeg's silencedetect finds in a file; 0 if there is none."""
    graph, starts, ends, end_s = av.filter.Graph(), [], [], 0.0
    with av.open(str(path)) as file:
        stream = file.streams.audio[0]
        nodes = [graph.add_abuffer(template=stream), graph.add("silencedetect", f"noise={noise_db}dB:d={shortest_s}")]
        nodes.append(graph.add("abuffersink"))
        for source, target in pairwise(nodes):
            source.link_to(target)
        graph.configure()
        for frame in (*file.decode(stream), None):
            if frame is not None:
                end_s += frame.samples / frame.sample_rate
            graph.push(frame)
            for metadata in _pulled(nodes[-1]):
                starts += [float(metadata["lavfi.silence_start"])] if "lavfi.silence_start" in metadata else []
                ends += [float(metadata["lavfi.silence_end"])] if "lavfi.silence_end" in metadata else []
    ends += [end_s] * (len(starts) - len(ends))  # a silence at the end of the file is not reported to have ended
    return max((end - start for start, end in zip(starts, ends, strict=True)), default=0.0)


def _pulled(sink: Any) -> Iterator[dict[str, str]]:
    while True:
        try:
            yield dict(sink.pull().metadata)
        except (av.error.BlockingIOError, av.error.EOFError):
            return
