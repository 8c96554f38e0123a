"""The rows of `findings` and `screenings` that a check's result becomes, block by block, and new decisions on them."""

# pyright: reportAttributeAccessIssue=false

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

from audioae.screening.result import Screened
from audioae.screening.text import count
from audioae.screening.verdicts import Decision
from audioae.store.schemas import FINDINGS, SCREENINGS

BLOCK = 1 << 16  # rows in memory with their evidence


def findings_blocks(screened: Screened, decision: Decision) -> Iterator[pa.Table]:
    """A row of `findings` per track, in the order of the result, in blocks of at most `BLOCK`; one block at least."""
    n, evidence_rows = len(screened.track_ids), screened.evidence_rows
    for start in range(0, max(n, 1), BLOCK):
        block = slice(start, min(start + BLOCK, n))
        size = block.stop - start
        texts: list[str | None] = [None] * size
        for row in evidence_rows[slice(*np.searchsorted(evidence_rows, (block.start, block.stop)))].tolist():
            texts[row - start] = _json(screened.evidence[row])
        columns = {
            "track_id": screened.track_ids[block],
            "check": pa.array([screened.check], pa.string()).take(pa.array(np.zeros(size, np.int64))),
            "score": _numbers(screened.score[block]),
            "is_issue": pa.array(np.asarray(decision.is_issue[block], bool)),
            "group": _texts(screened.group, block, size),
            "suggestion": _texts(screened.suggestion, block, size),
            "confidence": _confidence(decision, block, size),
            "evidence": _with_verdicts(pa.array(texts, pa.string()), decision, start),
        }
        yield pa.table(columns, schema=FINDINGS)


def decided_blocks(blocks: Iterable[pa.Table], decision: Decision) -> Iterator[pa.Table]:
    """The same rows of `findings` with another decision.

    Parameters
    ----------
    blocks : iterable of pa.Table
        Rows that were written without verdicts, in their order.
    decision : Decision
        On all of these rows.
    """
    start = 0
    for block in blocks:
        rows = slice(start, start + block.num_rows)
        changed = {
            "is_issue": pa.array(np.asarray(decision.is_issue[rows], bool)),
            "confidence": _confidence(decision, rows, block.num_rows),
            "evidence": _with_verdicts(block["evidence"].combine_chunks(), decision, start),
        }
        yield pa.table({name: changed.get(name, block[name]) for name in FINDINGS.names}, schema=FINDINGS)
        start = rows.stop


def screening_table(check: str, decision: Decision, measured: Mapping[str, Any], omitted: Iterable[str]) -> pa.Table:
    """The row of `screenings` of a check."""
    omitted = [*omitted]
    if n_unknown := decision.measured.get("unknown tracks", 0):
        omitted.append(f"{count(n_unknown, 'verdict')} on tracks that this check did not look at")
    screening = {
        "check": check,
        "threshold": decision.threshold,
        "measured": _json({**measured, **({"verdicts": decision.measured} if decision.measured else {})}),
        "omitted": omitted,
    }
    return pa.Table.from_pylist([screening], schema=SCREENINGS)


def numbers(column: pa.ChunkedArray) -> np.ndarray:
    """A column of numbers, float32, NaN where it is null."""
    return column.to_numpy().astype(np.float32)


def _with_verdicts(texts: pa.Array, decision: Decision, start: int) -> pa.Array:
    """Evidence, as JSON, with people's verdicts on the rows from `start` on."""
    judged = {row - start: word for row, word in decision.verdicts.items() if 0 <= row - start < len(texts)}
    if not judged:
        return texts
    values = texts.to_pylist()
    for row, word in judged.items():
        values[row] = _json({**json.loads(values[row] or "{}"), "verdict": word})
    return pa.array(values, pa.string())


def _confidence(decision: Decision, block: slice, size: int) -> pa.Array:
    return pa.nulls(size, pa.float32()) if decision.confidence is None else _numbers(decision.confidence[block])


def _numbers(values: np.ndarray) -> pa.Array:
    values = np.asarray(values, np.float32)
    return pa.array(values, pa.float32(), mask=~np.isfinite(values))


def _texts(values: np.ndarray | None, block: slice, size: int) -> pa.Array:
    if values is None:
        return pa.nulls(size, pa.string())
    texts = pa.array(values[block], pa.string())
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)


def _json(content: Mapping[str, Any]) -> str:
    """JSON with numpy's numbers and arrays as plain ones, and null for NaN and infinity."""
    text = json.dumps(content, default=lambda value: value.tolist())
    return json.dumps(json.loads(text, parse_constant=lambda _: None)) if "NaN" in text or "Infinity" in text else text
