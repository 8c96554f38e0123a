"""`Check`: everything that the rest of audioae knows about a check.

Conventions
-----------
- A check is a folder `audioae/screening/<name>/` whose `check.py` defines a `Check` called `CHECK`, plus its name in
  `registry.NAMES`. Configuration, verdicts, command, report and page read the registry; no other code names a check.
- `check.py` and its settings, `config.py`, are imported with every config, so they import nothing heavy: `run` imports
  the module that does the work.
- All checks run the same way: `run(library, config, workers, progress, steps) -> Screened`. What takes long is done in
  steps, and `steps` keeps those that are finished.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from audioae.config import Config
from audioae.progress import Progress

if TYPE_CHECKING:
    from audioae.library.generation import Generation
    from audioae.pipeline.config import Workers
    from audioae.screening.result import Screened
    from audioae.screening.steps import Steps

Run = Callable[["Generation", Any, "Workers", Progress, "Steps"], "Screened"]


def _no_files(config: Any) -> Sequence[str]:
    return ()


def _no_self_test(measured: Mapping[str, Any]) -> list[str]:
    return []


@dataclass(frozen=True)
class Check:
    """One check of the catalog.

    Parameters
    ----------
    name : str
        Name of the folder and of the section in the config.
    title : str
        Heading on the page: the name, a colon, and what an issue means.
    code : int
        Part of the fingerprint. Increase it when the check would write other findings for the same catalog.
    looks_at : "index" or "embeddings"
        The input that a result depends on. A check of the embeddings does not run again when only the index is rebuilt.
    config : type of Config
        Its settings; all of them have defaults.
    run : callable
        Looks at the whole catalog: (library, config, workers, progress, steps) to `Screened`.
    by_default : bool
        Whether the check runs when the config does not mention it.
    files : callable
        Paths among the settings whose content changes the result: (config) to paths.
    later : sequence of str
        Settings that were added after the check was first released. At their defaults they are no part of the
        fingerprint, so nobody's findings are computed again because of a setting that he does not use.
    self_test : callable
        Sentences on how accurate the check is, from what it measured about itself: (`Screened.measured`) to sentences.
        It also gets documents of older versions, so a missing figure is no error.
    """

    name: str
    title: str
    code: int
    looks_at: Literal["index", "embeddings"]
    config: type[Config]
    run: Run
    by_default: bool = True
    files: Callable[[Any], Sequence[str]] = _no_files
    later: Sequence[str] = ()
    self_test: Callable[[Mapping[str, Any]], list[str]] = _no_self_test

    def recipe(self, settings: Config) -> dict[str, Any]:
        """The settings that a result depends on, as they were when the check was first released."""
        values, defaults = settings.model_dump(mode="json"), self.config().model_dump(mode="json")
        return {name: value for name, value in values.items() if name not in self.later or value != defaults[name]}
