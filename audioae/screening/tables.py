"""The rows of `findings` and `screenings` that a check's result becomes, and back."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from audioae.screening.result import Screened
from audioae.screening.text import count
from audioae.screening.verdicts import Decision
from audioae.store.schemas import FINDINGS, SCREENINGS


def to_tables(screened: Screened, decision: Decision) -> tuple[pa.Table, pa.Table]:
    """A row of `findings` per track, and one row of `screenings`."""
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
    omitted = [*screened.omitted]
    if n_unknown := decision.measured.get("unknown tracks", 0):
        omitted.append(f"{count(n_unknown, 'verdict')} on tracks that this check did not look at")
    screening = {
        "check": screened.check,
        "threshold": decision.threshold,
        "measured": _json(measured),
        "omitted": omitted,
    }
    return pa.table(columns, schema=FINDINGS), pa.Table.from_pylist([screening], schema=SCREENINGS)


def from_tables(findings: pa.Table, screenings: pa.Table) -> Screened:
    """The inverse of `to_tables` for a result without verdicts."""
    (screening,) = screenings.to_pylist()
    texts = {
        name: np.array([text or "" for text in findings[name].to_pylist()], dtype=object)
        for name in ("group", "suggestion")
    }
    return Screened(
        check=screening["check"],
        track_ids=np.array(findings["track_id"].to_pylist(), dtype=object),
        score=findings["score"].to_numpy().astype(np.float32),
        threshold=screening["threshold"],
        evidence={i: json.loads(text) for i, text in enumerate(findings["evidence"].to_pylist()) if text},
        group=texts["group"],
        suggestion=texts["suggestion"],
        confidence=findings["confidence"].to_numpy().astype(np.float32),
        measured=json.loads(screening["measured"]),
        omitted=screening["omitted"],
    )


def _numbers(values: np.ndarray | None, n: int) -> pa.Array:
    numbers = np.full(n, np.nan, np.float32) if values is None else np.asarray(values, np.float32)
    return pa.array(numbers, pa.float32(), mask=~np.isfinite(numbers))


def _texts(values: np.ndarray | None, n: int) -> pa.Array:
    return pa.array([str(value) or None for value in values] if values is not None else [None] * n, pa.string())


def _json(content: Mapping[str, Any]) -> str:
    """JSON with numpy's numbers and arrays as plain ones, and null for NaN and infinity."""
    text = json.dumps(content, default=lambda value: value.tolist())
    return json.dumps(json.loads(text, parse_constant=lambda _: None)) if "NaN" in text or "Infinity" in text else text
