"""Mutants of audio files: whatever a file contains, looking at it gives a result or an `AudioError`, and soon.

`AUDIOAE_FUZZ=20000` tries so many mutants on the parsers, and a tenth of them on the decoders; `AUDIOAE_FUZZ_SEED`
chooses others. The numbers are printed (`pytest -s`).
"""

import os
import time
from collections import Counter
from pathlib import Path

import pytest

from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.audio.decode import REASONS
from audioae.audio.extract import Extracted, extract
from audioae.audio.integrity import inspect
from audioae.audio.workers import imap_killable
from audioae.errors import AudioError
from tests.audio.fuzz import mutants, small_files

N = int(os.environ.get("AUDIOAE_FUZZ", "4000"))
SEED = int(os.environ.get("AUDIOAE_FUZZ_SEED", "0"))
SLOW_S = 2.0  # of processor time


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return small_files(tmp_path_factory.mktemp("fuzz"))


def test_parsers_survive_any_bytes(files: dict[str, bytes]):
    outcomes: Counter[str] = Counter()
    for name, content in mutants(files, N, SEED):
        begin = time.process_time()
        try:
            container = inspect(content)
            outcomes["damaged" if container.damage else container.kind] += 1
            assert container.missing_s >= 0, name
        except AudioError as error:
            outcomes[error.reason] += 1  # any other exception fails the test
            assert error.reason in ("truncated", "corrupt")  # noqa: PT017
        assert time.process_time() - begin < SLOW_S, name
    print(f"\nparsers, {N} mutants of {len(files)} files: {dict(outcomes)}")  # noqa: T201
    assert outcomes.total() == N


def test_decoders_survive_any_bytes(files: dict[str, bytes], tmp_path: Path):
    def items():
        for i, (name, content) in enumerate(mutants(files, N // 10, SEED + 1)):
            path = tmp_path / f"{i}.{name}"
            path.write_bytes(content)
            yield path, (path, ClipConfig(max_clips=2), DecodeConfig(whole_up_to_s=75 * (i % 2)))

    outcomes: Counter[str] = Counter()
    for path, result in imap_killable(extract, items(), workers=1, timeout_s=60):
        if isinstance(result, AudioError):
            outcomes[result.reason] += 1
            assert result.reason in REASONS
            assert result.reason not in ("timeout", "crashed"), f"{path}: {result}"
            assert "Error: " not in result.detail, f"{path}: only the net caught {result}"
        else:
            outcomes["decoded"] += 1
            assert isinstance(result, Extracted)
    print(f"\ndecoders, {N // 10} mutants of {len(files)} files: {dict(outcomes)}")  # noqa: T201
    assert outcomes.total() == N // 10
