"""Where container and decoder disagree about the length, a healthy file is decoded whole, and nothing is damage."""

import os
from pathlib import Path

import numpy as np
import pytest

from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.audio.decode import decode_track
from tests.audio.decoding import ALL_CONFIGS, decode
from tests.audio.made import music
from tests.audio.strange import HEALTHY, copy_packets, encode, mp3_with_foreign_bytes, shift_position

N_OPUS = int(os.environ.get("AUDIOAE_OPUS_FILES", "6"))


@ALL_CONFIGS
@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_file_is_decoded_whole(tmp_path: Path, name: str, config):
    path = tmp_path / "a.bin"
    seconds = HEALTHY[name](path)
    health = decode(path, config).health
    assert health["duration_s"] == pytest.approx(seconds, abs=0.15)
    assert (health["resyncs"], health["missing_s"]) == (0, 0)


@ALL_CONFIGS
@pytest.mark.parametrize("n_bytes", [383, 5000])
def test_foreign_bytes_in_an_mp3_are_skipped_and_counted(tmp_path: Path, n_bytes: int, config):
    """At 5,000 bytes libsndfile gives up."""
    path = tmp_path / "a.mp3"
    seconds = mp3_with_foreign_bytes(n_bytes)(path)
    health = decode(path, config.model_copy(update={"max_missing": 0.1})).health
    assert health["duration_s"] == pytest.approx(seconds, abs=0.15)
    assert health["resyncs"] == 1
    assert health["missing_s"] == pytest.approx(n_bytes / path.stat().st_size * seconds, rel=0.2)


@pytest.fixture(scope="module")
def opus_sources(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """200 s at four bit rates, in kb/s."""
    folder = tmp_path_factory.mktemp("opus")
    second = music(20, 48_000, 1) + 0.02 * np.random.default_rng(0).standard_normal((960_000, 1))
    samples = np.resize(second, (200 * 48_000, 1))
    paths = {kbits: folder / f"{kbits}.opus" for kbits in (64, 96, 128, 160)}
    for kbits, path in list(paths.items())[:N_OPUS]:
        encode(path, "libopus", "ogg", samples, 48_000, kbits, compression_level="0")
    return paths


@pytest.mark.parametrize("i", range(N_OPUS))
def test_opus_of_every_length_and_bit_rate_is_decoded_whole(tmp_path: Path, opus_sources: dict[int, Path], i: int):
    """`AUDIOAE_OPUS_FILES=60` makes sixty of them. Half of them have a rounded position in the middle."""
    rng = np.random.default_rng(i)
    path = tmp_path / "a.opus"
    seconds = copy_packets(opus_sources[(64, 96, 128, 160)[i % 4]], path, seconds=rng.uniform(40, 200))
    if i % 8 > 3:
        shift_position(path, page=int(rng.integers(3, 38)))
    health = decode_track(path, ClipConfig(), DecodeConfig()).health
    assert health["duration_s"] == pytest.approx(seconds, abs=0.02)
    assert (health["resyncs"], health["missing_s"]) == (0, 0)
