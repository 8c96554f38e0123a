"""Fixtures of the audio tests."""

from pathlib import Path

import numpy as np
import pytest

from tests.audio.made import FORMATS, music, write


@pytest.fixture(scope="session")
def whole_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A complete file of 30 s in every format, by extension; tests must not change it."""
    folder = tmp_path_factory.mktemp("whole")
    noise = np.random.default_rng(0).standard_normal((48_000 * 30, 2)).astype(np.float32)
    samples = music(30, 48_000) + 0.02 * noise
    return {kind: write(folder / f"a.{kind}", samples, 48_000) for kind in FORMATS}
