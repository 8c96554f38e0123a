"""The benchmark of corrupt tracks compares what a screening found with what was planted beside the catalog."""

import json
from types import SimpleNamespace
from typing import cast

import numpy as np
import pyarrow as pa

from audioae.api import Library
from audioae.screening.result import Screened
from tests.bench.bench_corrupt import measure_planted


def test_planted_tracks_and_others_are_told_apart(tmp_path):
    planted = [{"kind": "clipped", "path": "a.flac"}, {"kind": "clipped", "path": "b.flac"}]
    (tmp_path / "planted.json").write_text(json.dumps({"planted": planted}))
    names = ["a.flac", "b.flac", "c.flac", "d.flac"]
    tracks = pa.table({"track_id": list("abcd"), "uri": [str(tmp_path / name) for name in names]})
    screened = Screened(
        "corrupt", pa.array(list("abcd")), np.array([0.1, 0.9, 0.2, 0.9], np.float32), 0.5, {2: {"why": "hum"}}
    )
    found, others = measure_planted(cast(Library, SimpleNamespace(tracks=tracks)), screened)
    assert (found.value, found.bar) == (1, 2)
    assert (others.value, others.note) == (1, "c.flac: hum")
