"""Faults between the clips of long tracks are found in a sample that is decoded from end to end."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from audioae.api import Library
from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.pipeline.config import MelsConfig, Workers
from audioae.screening.corrupt.between_clips import EVENTS, examine_long_tracks
from audioae.screening.corrupt.config import CorruptConfig
from audioae.screening.corrupt.features import Evidence, read_evidence
from audioae.screening.corrupt.rules import RULES, RuleLimits, rule_excess
from audioae.screening.corrupt.screen import screen_corrupt
from audioae.screening.result import Screened
from audioae.screening.steps import Steps
from audioae.store.dataset import Store
from tests.audio.made import music
from tests.chain import run_chain

RULES_ALONE, CLIPS_ALONE = CorruptConfig(n_sample=0, n_long=24), CorruptConfig(n_sample=0, n_long=0)
RATE = 22_050


@pytest.fixture(scope="module")
def long_tracks(chain, tmp_path_factory: pytest.TempPathFactory) -> tuple[Library, dict[str, Path]]:
    """Tracks of 36 s, of which the clip in the middle is examined. One has a gap before it, one a NaN after it; two
    begin and end with silence."""
    folder = tmp_path_factory.mktemp("long")
    catalog = folder / "catalog"
    catalog.mkdir()
    tracks = [music(36, RATE, seed=i) for i in range(8)]
    tracks[3][13 * RATE : 14 * RATE + RATE // 2] = 0
    tracks[6][32 * RATE] = np.nan
    tracks[0][: 2 * RATE] = tracks[1][-2 * RATE :] = 0
    paths = [catalog / f"{i}.{'wav' if i == 6 else 'flac'}" for i in range(8)]
    for path, samples in zip(paths, tracks, strict=True):
        sf.write(path, samples, RATE, "FLOAT" if path.suffix == ".wav" else "PCM_16")
    store, config = chain
    root = folder / "store"
    shutil.copytree(store.root, root)
    mels = MelsConfig(clips=ClipConfig(max_clips=1), decode=DecodeConfig(whole_up_to_s=5))
    moved = config.catalog.model_copy(update={"source": str(catalog)})
    run_chain(config.model_copy(update={"store": str(root), "catalog": moved, "mels": mels}), store.require("model"))
    return Library(Store(str(root))), {"gap": paths[3], "nan": paths[6]}


def screen(library: Library, config: CorruptConfig = RULES_ALONE, steps: Steps | None = None) -> Screened:
    return screen_corrupt(library, config, Workers(), lambda *_: None, steps)


def row_of(library: Library, result: Screened, path: Path) -> int:
    return result.track_ids.to_pylist().index(library.find(str(path))["track_id"])


def test_what_the_clips_do_not_show_is_found(long_tracks):
    library, paths = long_tracks
    clips_alone, whole = screen(library, CLIPS_ALONE), screen(library)
    rows = {name: row_of(library, whole, path) for name, path in paths.items()}
    assert set(np.flatnonzero(whole.score != clips_alone.score)) <= set(rows.values())
    assert whole.score[rows["gap"]] < clips_alone.score[rows["gap"]]
    assert whole.is_issue[rows["nan"]]
    evidence = whole.evidence[rows["gap"]]
    assert "; between its clips, from 0:11 to 0:23: " in evidence["why"]
    assert "1.5 s in a row are exactly zero (normal here: at most 1 s)" in evidence["why"]
    assert 11 < evidence["listen_s"] < 12
    assert {"digital silence", "sudden silence"} <= {rule["rule"] for rule in evidence["rules"]}
    assert evidence["rules"][0].keys() == {"rule", "value", "limit", "unit"}
    why = whole.evidence[rows["nan"]]["why"]
    assert "; cannot be decoded between its clips: non_finite: " in why
    assert "from 32.00 s on" in why
    assert whole.measured["long"] == {"of": 8, "examined": 8, "faulty": 2}
    assert clips_alone.measured["long"] == {"of": 8, "examined": 0, "faulty": 0}


def test_what_the_clips_show_is_told_once(long_tracks):
    library, _ = long_tracks
    known = read_evidence(library)
    strict = {rule.name: np.full(len(known), -1.0 if rule.name == "clicks" else 1e9) for rule in RULES}

    class Strict(RuleLimits):
        def of(self, labels):
            return {name: bound[: len(labels)] for name, bound in strict.items()}

    limits = Strict(known.columns, known.labels, 99.5)
    assert (rule_excess(known.columns, limits.of(known.labels)).max(axis=1) > 0).all(), "every clip has a 'click'"
    found = examine_long_tracks(known, limits, 24, Workers(), lambda *_: None)
    assert [fault.rules for fault in found.faults.values()] == [[]], "the track that cannot be decoded"


def test_what_an_older_version_did_not_measure_is_no_fault(long_tracks):
    library, _ = long_tracks
    known = read_evidence(library)
    names = {rule.column for rule in RULES if rule.name in EVENTS}
    columns = {name: np.full(len(known), np.nan) if name in names else v for name, v in known.columns.items()}
    old = Evidence(known.tracks, columns)
    found = examine_long_tracks(old, RuleLimits(columns, known.labels, 99.5), 24, Workers(), lambda *_: None)
    assert [fault.rules for fault in found.faults.values()] == [[]], "the track that cannot be decoded"


def test_one_file_that_is_gone_repeats_nothing(long_tracks):
    library, paths = long_tracks
    away = paths["gap"].with_name("away")
    paths["gap"].rename(away)
    try:
        result = screen(library)
    finally:
        away.rename(paths["gap"])
    assert result.settled
    assert result.omitted[0].startswith("1 of 8 long tracks could not be read from end to end; the first: ")
    assert result.measured["long"] == {"of": 8, "examined": 7, "faulty": 1}


def test_a_sample_is_drawn_once_and_kept(long_tracks):
    library, _ = long_tracks
    steps = Steps(library.store, "long")
    first = screen(library, CorruptConfig(n_sample=0, n_long=3), steps)
    assert first.measured["long"]["examined"] == 3
    seen = []
    again = screen_corrupt(library, RULES_ALONE, Workers(), lambda *step: seen.append(step), steps)
    assert again.measured["long"] == {"of": 8, "examined": 8, "faulty": 2}
    assert seen[-1] == ("decoding whole tracks", 8, 8)


def test_files_that_are_gone_are_said_and_tried_again(long_tracks, tmp_path: Path):
    library, paths = long_tracks
    folder = paths["gap"].parent
    folder.rename(folder.with_name("elsewhere"))
    try:
        result = screen(library)
    finally:
        folder.with_name("elsewhere").rename(folder)
    assert np.array_equal(result.score, screen(library, CLIPS_ALONE).score)
    assert not result.settled
    (said,) = result.omitted
    assert said.startswith("8 of 8 long tracks could not be read from end to end; the first: ")
    assert result.measured["long"]["examined"] == 0
