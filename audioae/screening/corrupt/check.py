"""The check corrupt: its title, its self-test in words, and where the rest of audioae starts it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from audioae.progress import Progress
from audioae.screening.check import Check
from audioae.screening.corrupt.config import CorruptConfig
from audioae.screening.text import count, percent

if TYPE_CHECKING:
    from audioae.library.generation import Generation
    from audioae.pipeline.config import Workers
    from audioae.screening.result import Screened
    from audioae.screening.steps import Steps


def run(
    library: "Generation", config: CorruptConfig, workers: "Workers", progress: Progress, steps: "Steps"
) -> "Screened":
    from audioae.screening.corrupt.screen import screen_corrupt

    return screen_corrupt(library, config, workers, progress, steps)


def self_test(measured: Mapping[str, Any]) -> list[str]:
    """How well faults are found that were added to the catalog's own tracks, and how many tracks are flagged.

    >>> types = {"hum": {"seen": 0.99, "left_out": 0.97}, "stutter": {"seen": 0.7, "left_out": 0.6}}
    >>> print(*self_test({"seen": 0.845, "left_out": 0.785, "types": types, "broken": 0.02}), sep="\\n")
    Self-test: with faults added to the catalog's own tracks, the mean AUROC is 0.84 for faults that the classifier was\
 trained on and 0.79 for faults that it was not (0.5 expected by chance); hardest to find: stutter (0.70).
    2 % of the tracks break a rule.
    >>> print(*self_test({"long": {"of": 480, "examined": 32, "faulty": 1}}))
    32 of 480 long tracks were decoded from end to end; 1 has a fault between its clips.
    """
    sentences = []
    if "seen" in measured:
        new = f" and {measured['left_out']:.2f} for faults that it was not" if "left_out" in measured else ""
        types = measured.get("types")
        hardest = sorted(types, key=lambda fault: types[fault]["seen"])[:1] if isinstance(types, Mapping) else []
        listed = "".join(f"; hardest to find: {fault} ({types[fault]['seen']:.2f})" for fault in hardest if types)
        sentences.append(
            f"Self-test: with faults added to the catalog's own tracks, the mean AUROC is {measured['seen']:.2f} for "
            f"faults that the classifier was trained on{new} (0.5 expected by chance){listed}."
        )
    if "broken" in measured:
        rate = measured.get("false_positive_rate")
        flagged = "" if rate is None else f"; the classifier flags {percent(rate)} of the others"
        sentences.append(f"{percent(measured['broken'])} of the tracks break a rule{flagged}.")
    long = measured.get("long")
    if isinstance(long, Mapping) and long["examined"]:
        has = "has a fault between its clips" if long["faulty"] == 1 else "have a fault between their clips"
        examined = f"{long['examined']:,} of {count(long['of'], 'long track')}"
        sentences.append(f"{examined} were decoded from end to end; {long['faulty']:,} {has}.")
    return sentences


CHECK = Check(
    name="corrupt",
    title="Corrupt: the audio has a fault",
    code=4,
    looks_at="embeddings",
    config=CorruptConfig,
    run=run,
    later=("max_tracks",),
    self_test=self_test,
)
