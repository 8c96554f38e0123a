"""The check generated: its title, its self-test in words, and where the rest of audioae starts it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from audioae.progress import Progress
from audioae.screening.check import Check
from audioae.screening.generated.config import GeneratedConfig
from audioae.screening.text import percent

if TYPE_CHECKING:
    from audioae.library.generation import Generation
    from audioae.pipeline.config import Workers
    from audioae.screening.result import Screened
    from audioae.screening.steps import Steps


def run(
    library: "Generation", config: GeneratedConfig, workers: "Workers", progress: Progress, steps: "Steps"
) -> "Screened":
    from audioae.screening.generated.screen import screen_generated

    return screen_generated(library, config, workers, progress, steps)


def files(config: GeneratedConfig) -> Sequence[str]:
    return [decoder.path for decoder in config.files]


def self_test(measured: Mapping[str, Any]) -> list[str]:
    """How well resynthesized excerpts are separated from real ones, how many are caught, and how often it abstains.

    >>> families = {"mel": {"left_out": 0.96}, "upsampler": {"left_out": 0.78}}
    >>> rates = {"false_positive_rate": 0.006, "abstained": 0.09}
    >>> tpr = {"0.01": {"tpr": 0.62, "low": 0.3, "high": 0.8}, "0.001": None}
    >>> measured = {"known": 0.969, "tpr": tpr, "n_real": 174, "families": families, **rates}
    >>> print(*self_test(measured), sep="\\n")
    Self-test: excerpts resynthesized by known decoders are separated from real ones with an AUROC of 0.97, those of \
decoders left out of the training with 0.78 to 0.96 (0.5 expected by chance).
    At a false-positive rate of 1 %, 62 % of the copies by known decoders are caught (95 % interval: 30 to 80 %); at \
0.1 %: too few tracks to tell (174; wanted at least 1,000).
    0.6 % of the tracks exceed the limit for generated; for 9 % the check cannot tell.
    """
    sentences = []
    if measured.get("known") is not None:
        families = measured.get("families")
        figures = [figures for figures in families.values() if figures] if isinstance(families, Mapping) else []
        left_out = [value for family in figures if (value := family.get("left_out")) is not None]
        new = f", those of decoders left out of the training with {_range(left_out)}" if left_out else ""
        sentences.append(
            f"Self-test: excerpts resynthesized by known decoders are separated from real ones with an AUROC of "
            f"{measured['known']:.2f}{new} (0.5 expected by chance)."
        )
    if measured.get("tpr"):
        points = [_caught(float(rate), point, measured["n_real"]) for rate, point in measured["tpr"].items()]
        sentences.append(f"At a false-positive rate of {'; at '.join(points)}.")
    rate, abstained = measured.get("false_positive_rate"), measured.get("abstained")
    if rate is not None and abstained is not None:
        unknown = f"for {percent(abstained)} the check cannot tell"
        sentences.append(f"{percent(rate)} of the tracks exceed the limit for generated; {unknown}.")
    return sentences


def _caught(rate: float, point: Mapping[str, float] | None, n_real: int) -> str:
    if point is None:
        return f"{percent(rate)}: too few tracks to tell ({n_real:,}; wanted at least {round(1 / rate):,})"
    interval = f"95 % interval: {100 * point['low']:.0f} to {percent(point['high'])}"
    return f"{percent(rate)}, {percent(point['tpr'])} of the copies by known decoders are caught ({interval})"


def _range(values: Sequence[float]) -> str:
    low, high = (f"{value:.2f}" for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


CHECK = Check(
    name="generated",
    title="Generated: the waveform was written by a decoder",
    code=4,
    looks_at="embeddings",
    config=GeneratedConfig,
    run=run,
    by_default=False,
    files=files,
    self_test=self_test,
)
