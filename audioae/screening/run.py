"""Stage screen: every check looks at the catalog, people's verdicts move its decisions, and `findings` is published.

Conventions
-----------
- A check writes one part of `findings` (a row per track) and one of `screenings` (what it measured about itself). Their
  name is a fingerprint of the check's code, its settings and its input, so an existing part is not computed again.
  After a crash, only the step that was running is repeated, of the check that was running (`screening.steps`).
- Applying verdicts to a part makes another part, so new verdicts decode nothing.
- Verdicts that were saved in the store (`screening.verdict_log`) count always. A file that says otherwise wins.
- A check that cannot run writes no rows and gives the reason in `omitted`. A check that could not read some audio runs
  again the next time: the name of its part includes what it lacked.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from audioae.config import Config, fingerprint
from audioae.errors import ConfigError, EvaluationError, SearchError
from audioae.library.generation import Generation
from audioae.pipeline.config import Workers
from audioae.progress import Progress
from audioae.screening.check import Check
from audioae.screening.config import ScreenConfig
from audioae.screening.registry import CHECKS
from audioae.screening.result import Screened
from audioae.screening.steps import Steps
from audioae.screening.tables import BLOCK, decided_blocks, findings_blocks, numbers, screening_table
from audioae.screening.text import count
from audioae.screening.verdict_files import load_verdicts
from audioae.screening.verdict_log import VerdictLog
from audioae.screening.verdicts import decide
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

DECISION_CODE = 1  # increase it when the same scores and verdicts would give other decisions


def screen_store(
    store: Store, config: ScreenConfig, index: DatasetRef, workers: Workers, progress: Progress | None = None
) -> DatasetRef:
    """Publish `findings` and `screenings` for the catalog that `index` was built from.

    Raises
    ------
    ConfigError
        If no check is on, or a verdict file cannot be used or has verdicts for a check that is off; nothing has been
        computed then.
    """
    if not config.checks:
        raise ConfigError(f"screen: no check is on; give one of {', '.join(CHECKS)} a section, such as duplicate: {{}}")
    verdicts = load_verdicts(config.verdicts)
    if off := next((check for check in verdicts if check not in config.checks), None):
        raise ConfigError(
            f"screen.verdicts: got {count(len(verdicts[off]), 'verdict')} for the check {off}, which is off; turn it "
            f"on (screen.{off}={{}}), or remove them"
        )
    for check, saved in VerdictLog(store.storage).read().is_issue().items():
        verdicts[check] = saved | verdicts.get(check, {})
    library = Generation(store, index)
    names = []
    for check, settings in config.checks.items():
        name = _screen(library, CHECKS[check], settings, workers, progress or _no_progress)
        if verdicts_on_check := verdicts.get(check):
            name = _apply_verdicts(store, check, name, verdicts_on_check)
        names.append(name)
    recipes = {name: CHECKS[name].recipe(check) for name, check in config.checks.items()}
    settings = {**config.model_dump(mode="json"), **recipes}
    parents = [index, library.embeddings_ref, library.tracks_ref]
    recipe = fingerprint([names, settings])
    screenings = store.commit("screenings", names, recipe=recipe, config=settings, parents=parents)
    return store.commit("findings", names, recipe=recipe, config=settings, parents=[*parents, screenings])


def _screen(library: Generation, check: Check, settings: Config, workers: Workers, progress: Progress) -> str:
    """The name of a check's part, which is computed if it does not exist."""
    input_ref = {"index": library.index_ref, "embeddings": library.embeddings_ref}[check.looks_at]
    name = _part_name(check.name, [check.code, check.recipe(settings), _file_hashes(check, settings), str(input_ref)])
    if _exists(library.store, name):
        return name
    screened = _run(library, check, settings, workers, progress, Steps(library.store, name))
    if not screened.settled:
        name = _part_name(check.name, [name, list(screened.omitted)])
    _write_result(library.store, name, screened)
    return name


def _run(
    library: Generation, check: Check, settings: Config, workers: Workers, progress: Progress, steps: Steps
) -> Screened:
    try:
        screened = check.run(library, settings, workers, progress, steps)
    except (SearchError, EvaluationError) as error:  # a property of this catalog; any other error stops the run
        omitted = [f"the check could not run: {error}"]
        return Screened(check.name, pa.array([], pa.string()), np.empty(0, np.float32), 0.0, omitted=omitted)
    if screened.check != check.name:
        raise ValueError(f"check {check.name}: got a result of check {screened.check!r}")
    return screened


def _apply_verdicts(store: Store, check: str, name: str, verdicts: dict[str, bool]) -> str:
    """The name of the part that verdicts make of part `name`."""
    decided = _part_name(check, [name, DECISION_CODE, sorted(verdicts.items())])
    if not _exists(store, decided):
        rows = store.read_part("findings", name, ["track_id", "score", "confidence"])
        (screening,) = store.read_part("screenings", name).to_pylist()
        score, confidence = numbers(rows["score"]), numbers(rows["confidence"])
        ids = rows["track_id"].combine_chunks()
        decision = decide(ids, score, screening["threshold"], confidence, verdicts)
        blocks = store.part_blocks("findings", name, rows=BLOCK)
        row = screening_table(check, decision, json.loads(screening["measured"]), screening["omitted"])
        _write(store, decided, decided_blocks(blocks, decision), row)
    return decided


def _file_hashes(check: Check, settings: Config) -> list[str | None]:
    """Hashes of the files that the settings name: a file with new content under its old name changes the result."""
    paths = [Path(path) for path in check.files(settings)]
    return [hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None for path in paths]


def _part_name(check: str, made_from: list[Any]) -> str:
    return f"{check}-{fingerprint(made_from)}"


def _exists(store: Store, name: str) -> bool:
    return store.has_part("screenings", name) and store.has_part("findings", name)


def _write_result(store: Store, name: str, screened: Screened) -> None:
    decision = decide(screened.track_ids, screened.score, screened.threshold, screened.confidence, {})
    row = screening_table(screened.check, decision, screened.measured, screened.omitted)
    _write(store, name, findings_blocks(screened, decision), row)


def _write(store: Store, name: str, findings: Iterable[pa.Table], screening: pa.Table) -> None:
    with store.part_writer("findings") as writer:
        for block in findings:
            writer.write(block)
        writer.finish(name)
    store.write_part("screenings", name, screening)


def _no_progress(what: str, done: int, total: int) -> None:
    pass
