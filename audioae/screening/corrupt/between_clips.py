"""Faults between the clips of long tracks: a sample of them is decoded from end to end.

Conventions
-----------
- A track is long if it was not examined as a whole when it was decoded (`decode.whole_up_to_s`).
- Only rules on events apply, with the limits of the catalog: what lasts longer, such as hum, is in the clips as well.
- Silence, and sound that ends abruptly, do not count in the first and the last section: so tracks begin and end.
- A rule counts if the track's clips do not break it, and if their evidence is known: an older version did not measure
  all of it. A track that cannot be decoded between its clips is at fault too.

Why a sample: decoding such a track from end to end takes several times as long as its clips do.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from audioae.audio.decode import MOMENTARY
from audioae.audio.sections import measure_sections
from audioae.audio.workers import imap_killable
from audioae.catalog.paths import path_of
from audioae.errors import AudioError
from audioae.pipeline.config import Workers
from audioae.progress import Progress
from audioae.screening.corrupt.features import Evidence
from audioae.screening.corrupt.rules import RULES, RuleLimits, broken_rules, rule_excess
from audioae.screening.steps import Steps
from audioae.screening.text import count

EVENTS = (
    "sudden silence", "digital silence", "clicks", "bursts", "stutter", "repeated buffer", "wrong samples",
    "burst of noise", "gap",
)  # fmt: skip

_ENDS = ("sudden silence", "digital silence", "bursts", "gap")
_SLACK_S = 1.0
_PATIENCE = 4  # a track of hours takes longer than its clips
_UNDECODABLE = 1.0  # excess of a track that cannot be decoded


@dataclass(frozen=True)
class HiddenFault:
    """A fault that a track's clips do not show: how far it is beyond its limits, why, where, and the broken rules."""

    excess: float
    why: str
    listen_s: float
    rules: list[dict[str, object]]


@dataclass(frozen=True)
class LongTracks:
    """What the sample of long tracks has between its clips.

    Parameters
    ----------
    faults : dict of int to HiddenFault
        By row of the evidence that the sample was drawn from.
    n_examined, n_long : int
    omitted : tuple of str
        Which tracks could not be read, as a sentence.
    """

    faults: dict[int, HiddenFault]
    n_examined: int
    n_long: int
    omitted: tuple[str, ...] = ()

    @property
    def settled(self) -> bool:
        """False if none could be read, so that another try may say more."""
        return self.n_examined > 0 or not self.omitted

    @property
    def measured(self) -> dict[str, Any]:
        return {"long": {"of": self.n_long, "examined": self.n_examined, "faulty": len(self.faults)}}


def examine_long_tracks(
    known: Evidence,
    limits: RuleLimits,
    n: int,
    workers: Workers,
    progress: Progress,
    steps: Steps | None = None,
) -> LongTracks:
    """Decode `n` random long tracks from end to end, and look for events beyond the limits. A track is a step."""
    long = np.flatnonzero(known.columns["examined_s"] < known.columns["duration_s"] - _SLACK_S)
    sample = np.sort(np.random.default_rng(2).permutation(long)[:n])
    faults, failures = {}, []
    for done, (row, result) in enumerate(_read_sections(known, sample, workers, steps or Steps())):
        progress("decoding whole tracks", done + 1, len(sample))
        if isinstance(result, AudioError) and result.reason in MOMENTARY:
            failures.append(f"{known.track(row)['uri']}: {result}")
        elif fault := _fault(known.take(np.array([row])), result, limits):
            faults[row] = fault
    omitted = ()
    if failures:
        tracks = f"{len(failures)} of {count(len(sample), 'long track')}"
        omitted = (f"{tracks} could not be read from end to end; the first: {failures[0]}",)
    return LongTracks(faults, len(sample) - len(failures), len(long), omitted)


def _read_sections(
    known: Evidence, sample: np.ndarray, workers: Workers, steps: Steps
) -> Iterator[tuple[int, list[dict[str, Any]] | AudioError]]:
    """Yield each row of `sample` and its sections, from the store if they are there."""
    tracks = {row: known.track(row) for row in sample.tolist()}
    finished = {row: steps.load([track["track_id"], "sections"]) for row, track in tracks.items()}
    items = ((row, (path_of(track),)) for row, track in tracks.items() if finished[row] is None)
    results = imap_killable(measure_sections, items, workers=workers.n, timeout_s=_PATIENCE * workers.timeout_s)
    for row, values in finished.items():
        if values is not None:
            yield row, values["sections"]
            continue
        _, result = next(results)
        if not isinstance(result, AudioError):
            steps.save([tracks[row]["track_id"], "sections"], {"sections": result})
        yield row, result


def _fault(
    track: Evidence, sections: Sequence[Mapping[str, Any]] | AudioError, limits: RuleLimits
) -> HiddenFault | None:
    if isinstance(sections, AudioError):
        return HiddenFault(_UNDECODABLE, f"cannot be decoded between its clips: {sections}", 0.0, [])
    if not sections:
        return None
    bounds = limits.of(track.labels)
    columns = {rule.column: np.full(len(sections), np.nan) for rule in RULES}
    for rule in RULES:
        if rule.name in EVENTS:
            values = [section[rule.column] for section in sections]
            columns[rule.column] = np.array([np.nan if value is None else value for value in values], np.float64)
    excess = rule_excess(columns, bounds)
    of_clips = rule_excess(track.columns, bounds)[0]
    excess[:, (of_clips > 0) | np.isneginf(of_clips)] = -np.inf  # the clips show it, or nobody knows what is normal
    excess[np.ix_([0, -1], [rule.name in _ENDS for rule in RULES])] = -np.inf
    worst = int(excess.max(axis=1).argmax())
    if not excess[worst].max() > 0:
        return None
    repeated = {name: np.repeat(bound, len(sections)) for name, bound in bounds.items()}
    rules = broken_rules(excess, worst, columns, repeated)
    start_s, stop_s = sections[worst]["start_s"], sections[worst]["stop_s"]
    why = "; ".join(str(rule.pop("why")) for rule in rules)
    where = f"between its clips, from {_time(start_s)} to {_time(stop_s)}"
    return HiddenFault(float(excess[worst].max()), f"{where}: {why}", start_s, rules)


def _time(seconds: float) -> str:
    """As minutes and seconds.

    >>> _time(605.4)
    '10:05'
    """
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
