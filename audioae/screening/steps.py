"""The steps of a check that are finished before the check is: a run that goes on after a kill does not repeat them.

Conventions
-----------
- A step is a part of the dataset `steps`, named after the check, all that the check depends on, and the step itself. So
  a step is never used with other settings, another input or other code.
- Its values are arrays, or anything that JSON can express; they come back as they were.
- No version of `steps` is published: `prune` deletes steps when their grace period is over.
"""

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from audioae.config import fingerprint
from audioae.store.dataset import Store
from audioae.store.schemas import STEPS


class Steps:
    """The finished steps of one check; without a store, nothing is kept.

    Parameters
    ----------
    store : Store, optional
    scope : str
        The name of the check's part, which is a fingerprint of all that the check depends on.
    """

    def __init__(self, store: Store | None = None, scope: str = ""):
        self._store, self._scope = store, scope
        self._finished = store.part_fingerprints("steps") if store else set()

    def load(self, step: str | Sequence[str]) -> dict[str, Any] | None:
        """The values of a finished step, by name; None if it has to be done."""
        name = self._name(step)
        if self._store is None or name not in self._finished:
            return None
        rows = self._store.read_part("steps", name).to_pylist()
        return {row["name"]: _array(row["array"]) if row["json"] is None else json.loads(row["json"]) for row in rows}

    def save(self, step: str | Sequence[str], values: Mapping[str, Any]) -> None:
        """Keep the values of a step."""
        if self._store:
            rows = [{"name": name, **_content(value)} for name, value in values.items()]
            self._store.write_part("steps", self._name(step), pa.Table.from_pylist(rows, schema=STEPS))

    def _name(self, step: str | Sequence[str]) -> str:
        return f"{self._scope}-{fingerprint(step)}"


def _content(value: Any) -> dict[str, Any]:
    if not isinstance(value, np.ndarray):
        return {"json": json.dumps(value, default=lambda number: number.item())}
    stream = io.BytesIO()
    np.save(stream, value, allow_pickle=False)
    return {"array": stream.getvalue()}


def _array(content: bytes) -> np.ndarray:
    return np.load(io.BytesIO(content), allow_pickle=False)
