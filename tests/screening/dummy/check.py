"""A check for the tests: finds tracks whose title contains a word. `test_registry` adds it to a copy of the package."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from audioae.config import Config
from audioae.progress import Progress
from audioae.screening.check import Check

if TYPE_CHECKING:
    from audioae.library.generation import Generation
    from audioae.pipeline.config import Workers
    from audioae.screening.result import Screened
    from audioae.screening.steps import Steps


class DummyConfig(Config):
    word: str = "t0"


def run(
    library: "Generation", config: DummyConfig, workers: "Workers", progress: Progress, steps: "Steps"
) -> "Screened":
    import numpy as np

    from audioae.screening.result import Screened

    titles = library.tracks["title"].to_pylist()
    has_word = np.array([config.word in title for title in titles])
    evidence = {int(row): {"why": f"its title contains {config.word}"} for row in np.flatnonzero(has_word)}
    score = np.where(has_word, 0.25, 0.75).astype(np.float32)
    ids = library.tracks["track_id"].to_numpy()
    return Screened("dummy", ids, score, 0.5, evidence, measured={"titles": len(titles)})


def self_test(measured: Mapping[str, Any]) -> list[str]:
    return [f"{measured['titles']} titles were read."]


CHECK = Check(
    name="dummy",
    title="Dummy: the title contains a word",
    code=1,
    looks_at="embeddings",
    config=DummyConfig,
    run=run,
    by_default=False,
    self_test=self_test,
)
