"""Tempos that were heard once are kept: a derived dataset, which every playlist that had to listen adds to.

Conventions
-----------
- A tempo belongs to the content of a file and to the settings it was decoded with, so it is found again whatever the
  track is called and wherever its file lies now. NaN: there is no onset to go by.
- A version has all that is known by one recipe, in one part, and is published anew with what was heard since. Where two
  add at once the last one wins, and what the other heard is heard again one day.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from audioae.config import fingerprint
from audioae.errors import StoreError
from audioae.pipeline.config import MelsConfig
from audioae.store.dataset import Store
from audioae.store.schemas import TEMPOS

CODE = 1  # raise it when the same file would be given another tempo


class Tempos:
    """The tempos that a store knows of files decoded by one `MelsConfig`.

    Attributes
    ----------
    known : dict of content hash to float
        BPM.
    """

    def __init__(self, store: Store, config: MelsConfig):
        self._store = store
        self._settings: dict[str, Any] = {"clips": config.clips.model_dump(), "decode": config.decode.model_dump()}
        self._recipe = fingerprint([CODE, self._settings])
        self.known: dict[str, float] = {}
        if ref := store.find("tempos", self._recipe):
            found = store.read(ref)
            tempos = np.array(found["tempo"].to_pylist(), dtype=float).tolist()  # null becomes NaN
            self.known = dict(zip(found["content_hash"].to_pylist(), tempos, strict=True))

    def keep(self, heard: Mapping[str, float]) -> str | None:
        """Publish what was heard beside what is known; where the store cannot be written to, say so."""
        if not heard.keys() - self.known.keys():
            return None
        self.known = dict(sorted({**heard, **self.known}.items()))
        tempos = pa.array([*self.known.values()], pa.float64(), from_pandas=True)  # NaN becomes null
        table = pa.Table.from_arrays([pa.array([*self.known], pa.string()), tempos], schema=TEMPOS)
        name = fingerprint([self._recipe, [*self.known]])
        try:
            self._store.write_part("tempos", name, table)
            self._store.commit("tempos", [name], recipe=self._recipe, config=self._settings)
        except StoreError as error:
            return f"the tempos heard could not be kept, and will be heard again: {error}"
        return None
