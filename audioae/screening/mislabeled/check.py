"""The check mislabeled: its title, its self-test in words, and where the rest of audioae starts it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from audioae.progress import Progress
from audioae.screening.check import Check
from audioae.screening.mislabeled.config import MislabeledConfig
from audioae.screening.text import percent

if TYPE_CHECKING:
    from audioae.library.generation import Generation
    from audioae.pipeline.config import Workers
    from audioae.screening.result import Screened
    from audioae.screening.steps import Steps


_SHARES = ("recall_at_budget", "precision_at_budget", "chance")


def run(
    library: "Generation", config: MislabeledConfig, workers: "Workers", progress: Progress, steps: "Steps"
) -> "Screened":
    from audioae.screening.mislabeled.screen import screen_mislabeled

    return screen_mislabeled(library, config, workers, progress, steps)


def self_test(measured: Mapping[str, Any]) -> list[str]:
    """One sentence per kind of swap.

    >>> swaps = {"recall_at_budget": 0.87, "precision_at_budget": 0.68, "chance": 0.08, "budget": 18}
    >>> print(*self_test({"random": swaps, "albums": swaps}), sep="\\n")
    Self-test: with 8 % of the labels swapped, the check found 87 % of them, and 68 % of what it flagged (the 18 \
lowest scores) had been swapped (8 % expected by chance).
    With whole albums mislabeled: 87 % found, 68 % of what it flagged had been swapped.
    """
    sentences = []
    if figures := _figures(measured, "random"):
        found, right, chance = (percent(figures[name]) for name in _SHARES)
        sentences.append(
            f"Self-test: with {chance} of the labels swapped, the check found {found} of them, and {right} of what it "
            f"flagged (the {figures['budget']} lowest scores) had been swapped ({chance} expected by chance)."
        )
    for kind, situation in (("confusable", "labels swapped for similar ones"), ("albums", "whole albums mislabeled")):
        if figures := _figures(measured, kind):
            found, right, _ = (percent(figures[name]) for name in _SHARES)
            sentences.append(f"With {situation}: {found} found, {right} of what it flagged had been swapped.")
    return sentences


def _figures(measured: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
    figures = measured.get(kind)
    complete = isinstance(figures, Mapping) and all(name in figures for name in (*_SHARES, "budget"))
    return figures if complete else None


CHECK = Check(
    name="mislabeled",
    title="Mislabeled: the track does not sound like its label",
    code=2,
    looks_at="index",
    config=MislabeledConfig,
    run=run,
    later=("max_tracks",),
    self_test=self_test,
)
