"""Files that break parsers or are slightly damaged, in a run: they cost themselves, and the run goes on."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from audioae.audio.integrity import wav
from tests.audio.test_blame import CUT_IN_MVHD, RATE_OVERFLOW
from tests.pipeline.daily import Daily


def test_bad_files_are_rejects_and_damaged_ones_are_evidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    daily = Daily(tmp_path, monkeypatch, n=4)
    (daily.music / "overflow.aiff").write_bytes(RATE_OVERFLOW)
    (daily.music / "cut.m4a").write_bytes(CUT_IN_MVHD)
    damaged = daily.music / "damaged.flac"
    soundfile.write(damaged, 0.2 * np.random.default_rng(9).standard_normal(22_050 * 20), 22_050)
    content = damaged.read_bytes()
    damaged.write_bytes(content[: len(content) // 2] + bytes(5000) + content[len(content) // 2 + 5000 :])
    soundfile.write(daily.music / "surprise.wav", np.zeros(22_050), 22_050)

    def fail(*_: object) -> None:
        raise ZeroDivisionError("a bug of a parser")

    monkeypatch.setattr(wav, "_wav_format", fail)
    day = daily.run()
    names = {row["track_id"]: name for name, row in day.tracks.items()}
    rejects = {names[row["track_id"]]: row for row in daily.store.read(daily.store.require("rejects")).to_pylist()}
    assert {name: row["reason"] for name, row in rejects.items()} == {
        "overflow.aiff": "corrupt",
        "cut.m4a": "truncated",
        "surprise.wav": "corrupt",
    }
    assert rejects["surprise.wav"]["detail"].startswith("ZeroDivisionError: a bug of a parser")
    assert {names[track_id] for track_id in day.embeddings} == {*(f"a{i:02d}.mp3" for i in range(4)), "damaged.flac"}
    health = {names[row["track_id"]]: row for row in daily.store.read(daily.store.require("health")).to_pylist()}
    assert 0 < health["damaged.flac"]["missing_s"] < 0.4
    assert health["a00.mp3"]["missing_s"] == health["a00.mp3"]["resyncs"] == 0
