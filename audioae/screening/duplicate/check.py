"""The check duplicate: its title, its self-test in words, and where the rest of audioae starts it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from audioae.progress import Progress
from audioae.screening.check import Check
from audioae.screening.duplicate.config import DuplicateConfig
from audioae.screening.text import count

if TYPE_CHECKING:
    from audioae.library.generation import Generation
    from audioae.pipeline.config import Workers
    from audioae.screening.result import Screened
    from audioae.screening.steps import Steps


def run(
    library: "Generation", config: DuplicateConfig, workers: "Workers", progress: Progress, steps: "Steps"
) -> "Screened":
    from audioae.screening.duplicate.screen import screen_duplicate

    return screen_duplicate(library, config, workers, progress)


def self_test(measured: Mapping[str, Any]) -> list[str]:
    """How many copies there are; nothing is estimated here.

    >>> self_test({"groups": 1, "copies": 2})
    ['The catalog contains 1 recording more than once, with 2 copies to remove.']
    >>> self_test({"groups": 0, "copies": 0})
    ['The catalog contains no recording more than once.']
    """
    if not {"groups", "copies"} <= measured.keys():
        return []
    if not measured["groups"]:
        return ["The catalog contains no recording more than once."]
    groups, copies = count(measured["groups"], "recording"), measured["copies"]
    to_remove = "1 copy" if copies == 1 else f"{copies:,} copies"
    return [f"The catalog contains {groups} more than once, with {to_remove} to remove."]


CHECK = Check(
    name="duplicate",
    title="Duplicate: the same recording more than once",
    code=2,
    looks_at="index",
    config=DuplicateConfig,
    run=run,
    self_test=self_test,
)
