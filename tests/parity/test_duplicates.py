"""The same recording or another one: the patterns of `audio.fingerprint` and Chromaprint agree."""

from pathlib import Path

import numpy as np
import pytest

from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.audio.fingerprint import fingerprint_file, is_same
from audioae.audio.perturbations import PERTURBATIONS, write_version
from audioae.constants import SAMPLE_RATE
from tests.bench.chromaprint_prints import SAME, available, print_file, print_similarity
from tests.bench.made_music import made_piece

pytestmark = pytest.mark.skipif(not available(), reason="needs pyacoustid and libchromaprint1 (apt-get install)")


def test_a_copy_is_the_same_and_another_piece_is_not(tmp_path: Path):
    mp3 = next(p for p in PERTURBATIONS if p.name == "mp3 64 kb/s")
    wav = next(p for p in PERTURBATIONS if p.name == "gain -6 dB")
    paths = []
    for number, change in ((0, wav), (0, mp3), (1, wav)):
        folder = tmp_path / f"{number} {change.codec}"
        folder.mkdir()
        paths.append(write_version(made_piece(number)[None], SAMPLE_RATE, change, folder))
    ours = [fingerprint_file(path, ClipConfig(), DecodeConfig()) for path in paths]
    theirs = [print_file(path) for path in paths]
    for a, b, same in ((0, 1, True), (0, 2, False), (1, 2, False)):
        assert is_same(ours[a], ours[b]) == same
        assert (print_similarity(theirs[a], theirs[b]) >= SAME) == same


def test_similarity_of_prints_is_that_of_pyacoustid():
    import acoustid

    rng = np.random.default_rng(0)
    one = rng.integers(0, 2**32, 200, dtype=np.uint32)
    other = np.concatenate([one[30:150], rng.integers(0, 2**32, 90, dtype=np.uint32)]) ^ np.uint32(5)
    expected = acoustid._match_fingerprints(one.tolist(), other.tolist())
    assert print_similarity(one, other) == pytest.approx(expected)
    assert expected == pytest.approx(0.6)
