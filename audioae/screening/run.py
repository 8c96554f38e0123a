"""Stage screen: every check looks at the catalog, people's verdicts move its decisions, and `findings` is published.

Conventions
-----------
- A check makes one part in `findings` (a row per track) and one in `screenings` (what it found out about itself), named
  after its code, its settings and what it looked at. A part that is there is not computed again: after a kill the
  check that was at work is repeated, those before it are not.
- Verdicts are applied to such a part, which makes another one: giving verdicts back costs no decoding.
- A check that cannot run gives no rows, and says why in `omitted`. One whose audio could not be read is asked again by
  the next run: its part is named after what it lacked besides.
"""

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from audioae.config import Config, fingerprint
from audioae.errors import ConfigError, EvaluationError, SearchError
from audioae.library.generation import Generation
from audioae.pipeline.config import Workers
from audioae.progress import Progress
from audioae.screening.corrupt.screen import CorruptConfig, screen_corrupt
from audioae.screening.duplicate.screen import DuplicateConfig, screen_duplicate
from audioae.screening.generated.screen import GeneratedConfig, screen_generated
from audioae.screening.mislabeled.screen import MislabeledConfig, screen_mislabeled
from audioae.screening.result import CHECKS, Screened
from audioae.screening.verdicts import Decision, Judged, add_verdicts, decide, read_verdicts
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import FINDINGS, SCREENINGS

# Raise a check's number when it would find something else in the same catalog.
CODE = {"mislabeled": 1, "corrupt": 2, "generated": 2, "duplicate": 2}
# What a check's answer changes with: another index over the same embeddings does not make the audio decode again.
LOOKS_AT = {"mislabeled": "index", "corrupt": "embeddings", "generated": "embeddings", "duplicate": "index"}
DECIDING = 1  # raise it when the same scores and verdicts would give other decisions
SCREEN: Mapping[str, Callable[..., Screened]] = {
    "mislabeled": screen_mislabeled,
    "corrupt": screen_corrupt,
    "generated": screen_generated,
    "duplicate": screen_duplicate,
}


class ScreenConfig(Config):
    """A section per check; null leaves it out. `generated: {}` asks that one too, which decodes everything again.

    `verdicts` names one or more CSV files of `audioae findings --out` with the column verdict filled in.
    """

    mislabeled: MislabeledConfig | None = MislabeledConfig()
    corrupt: CorruptConfig | None = CorruptConfig()
    generated: GeneratedConfig | None = None
    duplicate: DuplicateConfig | None = DuplicateConfig()
    verdicts: str | tuple[str, ...] = ()

    @property
    def checks(self) -> dict[str, Config]:
        """The settings of the checks that are wanted, in their order."""
        return {check: settings for check in CHECKS if (settings := getattr(self, check)) is not None}


def screen_store(
    store: Store, config: ScreenConfig, index: DatasetRef, workers: Workers, report: Progress | None = None
) -> DatasetRef:
    """Publish `findings` and `screenings` of the catalog behind `index`.

    Raises
    ------
    ConfigError
        If no check is wanted, or a file of verdicts cannot be used or judges a check that is not wanted; nothing was
        computed then.
    """
    if not config.checks:
        raise ConfigError(
            f"screen: no check is wanted; give one of {', '.join(CHECKS)} a section, such as duplicate: {{}}"
        )
    judged = load_verdicts(config.verdicts)
    if unasked := next((check for check in judged if check not in config.checks), None):
        raise ConfigError(
            f"screen.verdicts: {len(judged[unasked])} are of {unasked}, which is not asked; give it a section "
            f"(screen.{unasked}={{}}), or leave them out"
        )
    library = Generation(store, index)
    names = []
    for check, settings in config.checks.items():
        looked_at = {"index": index, "embeddings": library.embeddings_ref}[LOOKS_AT[check]]
        raw = _part_name(check, [CODE[check], settings, _hashes(settings), str(looked_at)])
        if not _is_there(store, raw):
            screened = _run(library, check, settings, workers, report or _silent)
            if not screened.settled:
                raw = _part_name(check, [raw, list(screened.omitted)])
            _write(store, raw, *_tables(*_undisturbed(screened)))
        names.append(raw)
        if own := judged.get(check):
            names[-1] = _part_name(check, [raw, DECIDING, sorted(own.items())])
            if not _is_there(store, names[-1]):
                _write(store, names[-1], *_judge(store, raw, own))
    settings = config.model_dump(mode="json")
    parents = [index, library.embeddings_ref, library.tracks_ref]
    recipe = fingerprint([names, settings])
    screenings = store.commit("screenings", names, recipe=recipe, config=settings, parents=parents)
    return store.commit("findings", names, recipe=recipe, config=settings, parents=[*parents, screenings])


def load_verdicts(paths: str | tuple[str, ...]) -> dict[str, dict[str, bool]]:
    """What people decided, by check and track_id. Raises `ConfigError` naming file and line of what is wrong."""
    known: dict[tuple[str, str], tuple[bool, str]] = {}
    for path in [paths] if isinstance(paths, str) else paths:
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"screen.verdicts: {path} cannot be read ({error}); wanted a CSV in UTF-8") from error
        # by line feeds only: a title may hold other characters that `splitlines` takes for the end of a line
        add_verdicts(known, read_verdicts(io.StringIO(text), path))
    judged: dict[str, dict[str, bool]] = {}
    for (check, track_id), (is_issue, _) in known.items():
        judged.setdefault(check, {})[track_id] = is_issue
    return judged


def _run(library: Generation, check: str, settings: Config, workers: Workers, report: Progress) -> Screened:
    try:
        return SCREEN[check](library, settings, workers, report)
    except (SearchError, EvaluationError) as error:  # of this catalog; what is wrong with the run stops it
        nothing = np.empty(0, np.float32)
        return Screened(check, np.empty(0, dtype=object), nothing, 0.0, omitted=[f"the check could not run: {error}"])


def _undisturbed(screened: Screened) -> tuple[Screened, Decision]:
    return screened, decide(screened.track_ids, screened.score, screened.threshold, screened.confidence, {})


def _judge(store: Store, raw: str, judged: Judged) -> tuple[pa.Table, pa.Table]:
    """The tables of a part as verdicts change them."""
    screened = _screened(store.read_part("findings", raw), store.read_part("screenings", raw))
    decision = decide(screened.track_ids, screened.score, screened.threshold, screened.confidence, judged)
    return _tables(screened, decision)


def _tables(screened: Screened, decision: Decision) -> tuple[pa.Table, pa.Table]:
    """Rows of `findings` and `screenings`."""
    n = len(screened.track_ids)
    evidence = dict(screened.evidence)
    for row, verdict in decision.verdicts.items():
        evidence[row] = {**evidence.get(row, {}), "verdict": verdict}
    columns = {
        "track_id": pa.array([str(track_id) for track_id in screened.track_ids], pa.string()),
        "check": pa.array([screened.check] * n, pa.string()),
        "score": _numbers(screened.score, n),
        "is_issue": pa.array(np.asarray(decision.is_issue, bool)),
        "group": _texts(screened.group, n),
        "suggestion": _texts(screened.suggestion, n),
        "confidence": _numbers(decision.confidence, n),
        "evidence": pa.array([_json(evidence[i]) if i in evidence else None for i in range(n)], pa.string()),
    }
    measured = {**screened.measured, **({"verdicts": decision.measured} if decision.measured else {})}
    told = {
        "check": screened.check,
        "threshold": decision.threshold,
        "measured": _json(measured),
        "omitted": [*screened.omitted, *_unknown(decision.measured.get("unknown tracks", 0))],
    }
    return pa.table(columns, schema=FINDINGS), pa.Table.from_pylist([told], schema=SCREENINGS)


def _unknown(n: int) -> list[str]:
    return [f"{n} verdicts are of tracks that this check did not look at"] if n else []


def _screened(findings: pa.Table, screenings: pa.Table) -> Screened:
    """The inverse of `_tables`, of a part without verdicts."""
    (told,) = screenings.to_pylist()
    texts = {
        name: np.array([text or "" for text in findings[name].to_pylist()], dtype=object)
        for name in ("group", "suggestion")
    }
    return Screened(
        check=told["check"],
        track_ids=np.array(findings["track_id"].to_pylist(), dtype=object),
        score=findings["score"].to_numpy().astype(np.float32),
        threshold=told["threshold"],
        evidence={i: json.loads(text) for i, text in enumerate(findings["evidence"].to_pylist()) if text},
        group=texts["group"],
        suggestion=texts["suggestion"],
        confidence=findings["confidence"].to_numpy().astype(np.float32),
        measured=json.loads(told["measured"]),
        omitted=told["omitted"],
    )


def _hashes(settings: Config) -> list[str | None]:
    """Of the files that settings name: another decoder under the old name is another one."""
    paths = [Path(path) for path in getattr(settings, "decoders", ())]
    return [hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None for path in paths]


def _part_name(check: str, made_from: list[Any]) -> str:
    return f"{check}-{fingerprint(made_from)}"


def _is_there(store: Store, name: str) -> bool:
    return store.has_part("screenings", name) and store.has_part("findings", name)


def _write(store: Store, name: str, findings: pa.Table, screenings: pa.Table) -> None:
    store.write_part("findings", name, findings)
    store.write_part("screenings", name, screenings)


def _numbers(values: np.ndarray | None, n: int) -> pa.Array:
    numbers = np.full(n, np.nan, np.float32) if values is None else np.asarray(values, np.float32)
    return pa.array(numbers, pa.float32(), mask=~np.isfinite(numbers))


def _texts(values: np.ndarray | None, n: int) -> pa.Array:
    return pa.array([str(value) or None for value in values] if values is not None else [None] * n, pa.string())


def _json(content: Mapping[str, Any]) -> str:
    """With numpy's numbers and arrays as JSON has them, and null for NaN."""
    text = json.dumps(content, default=lambda value: value.tolist())
    return json.dumps(json.loads(text, parse_constant=lambda _: None)) if "NaN" in text or "Infinity" in text else text


def _silent(what: str, done: int, total: int) -> None:
    pass
