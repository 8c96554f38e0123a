"""Small files that were once decoded wrongly, each by its name and its seconds.

The folder is that of the environment variable `AUDIOAE_TEST_CASES`, or else `../shared/cases`, seen from the project.
Without it these tests are skipped; `test_lengths.py` makes files of the same kinds.
"""

import os
from pathlib import Path

import pytest

from audioae.audio.config import ClipConfig
from audioae.audio.decode import decode_track
from tests.audio.decoding import ALL_CONFIGS, reject

VARIABLE = "AUDIOAE_TEST_CASES"
FOLDER = Path(os.environ.get(VARIABLE) or Path(__file__).parents[2] / ".." / "shared" / "cases").resolve()

SECONDS = {
    "flac-without-sample-count.flac": 1.5,
    "wav-adpcm.wav": 2.0,
    "wav-with-mp3-inside.wav": 2.0,
    "wav-byte-rate-doubled.wav": 1.0,
    "wav-byte-rate-halved.wav": 1.0,
    "wav-byte-rate-zero.wav": 1.0,
    "mp3-zeros-behind.mp3": 1.6,
    "mp3-vbr-lyrics3-behind.mp3": 1.6,
    "mp3-vbr-id3v2-behind.mp3": 1.6,
    "wavpack-id3v1-behind.wv": 1.0,
    "mp3-two-joined.mp3": 3.1,
    "ogg-chained.ogg": 4.5,
}
REASONS = {"aiff-rate-overflow.aiff": "corrupt", "m4a-cut-in-mvhd.m4a": "truncated"}


@pytest.fixture(scope="module")
def cases() -> Path:
    if not FOLDER.is_dir():
        pytest.skip(f"no files in {FOLDER}; set {VARIABLE} to a folder with {len(SECONDS) + len(REASONS)} cases")
    return FOLDER


@ALL_CONFIGS
@pytest.mark.parametrize("name", SECONDS)
def test_a_case_is_decoded_whole(cases: Path, name: str, config):
    health = decode_track(cases / name, ClipConfig(), config).health
    assert health["duration_s"] == pytest.approx(SECONDS[name], abs=0.1)
    assert (health["resyncs"], health["missing_s"]) == (0, 0)


@pytest.mark.parametrize("name", REASONS)
def test_a_bad_case_costs_itself(cases: Path, name: str):
    assert reject(cases / name).reason == REASONS[name]


def test_every_case_has_its_test(cases: Path):
    assert {path.name for path in cases.iterdir()} - {"README.md"} == {*SECONDS, *REASONS}
