"""Saved tempos: a derived dataset that grows with every playlist that has to analyze audio.

Conventions
-----------
- A tempo is stored by content hash and decoding settings, so it survives renaming and moving the file. NaN means that
  the track has no onsets.
- A version has all tempos of one recipe in one part; new tempos make a new version. If two processes save at the same
  time the last one wins, and the tempos of the other will be analyzed again when needed.
"""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from audioae.config import fingerprint
from audioae.errors import StoreError
from audioae.pipeline.config import MelsConfig
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import TEMPOS

CODE = 1  # increment when the same file would get another tempo


class Tempos:
    """The saved tempos of a store for one `MelsConfig`.

    Attributes
    ----------
    known : dict of content hash to float
        BPM.
    """

    def __init__(self, store: Store, config: MelsConfig):
        self._store = store
        self._settings, self._recipe = _settings(config), _recipe(config)
        self.known: dict[str, float] = {}
        if ref := saved_tempos(store, config):
            table = store.read(ref)
            tempos = table["tempo"].to_numpy().tolist()  # null becomes NaN
            self.known = dict(zip(table["content_hash"].to_pylist(), tempos, strict=True))

    def save(self, tempos: Mapping[str, float]) -> str | None:
        """Publish new tempos together with the known ones; returns a sentence if the store cannot be written to."""
        if not tempos.keys() - self.known.keys():
            return None
        self.known = dict(sorted({**tempos, **self.known}.items()))
        column = pa.array([*self.known.values()], pa.float64(), from_pandas=True)  # NaN becomes null
        table = pa.Table.from_arrays([pa.array([*self.known], pa.string()), column], schema=TEMPOS)
        name = fingerprint([self._recipe, [*self.known]])
        try:
            self._store.write_part("tempos", name, table)
            self._store.commit("tempos", [name], recipe=self._recipe, config=self._settings)
        except StoreError as error:
            return f"the tempos could not be saved and will be analyzed again next time: {error}"
        return None


def saved_tempos(store: Store, config: MelsConfig) -> DatasetRef | None:
    """The version that holds the tempos of one `MelsConfig`; None if none was saved."""
    return store.find("tempos", _recipe(config))


def _settings(config: MelsConfig) -> dict[str, Any]:
    return {"clips": config.clips.model_dump(), "decode": config.decode.model_dump()}


def _recipe(config: MelsConfig) -> str:
    return fingerprint([CODE, _settings(config)])
