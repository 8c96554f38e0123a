"""From a file to mel codes: the same values as the separate steps, in this process and in another one."""

import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from audioae.audio.config import ClipConfig, DecodeConfig
from audioae.audio.decode import decode_track
from audioae.audio.extract import extract
from audioae.audio.mel import decode_mel, log_mel
from audioae.errors import AudioError
from tests.audio.made import music, write

CLIPS, DECODE = ClipConfig(max_clips=3), DecodeConfig()


def test_codes_are_the_mels_of_the_clips(tmp_path: Path):
    path = write(tmp_path / "a.mp3", music(8))
    extracted, decoded = extract(path, CLIPS, DECODE), decode_track(path, CLIPS, DECODE)
    assert extracted.codes.shape == (3, 128, 130)
    assert extracted.codes.dtype == np.uint8
    assert extracted.peak_db.dtype == extracted.starts_s.dtype == np.float32
    np.testing.assert_allclose(extracted.starts_s, decoded.starts_s, atol=1e-6)
    assert extracted.health == decoded.health
    mel_db = np.maximum(log_mel(decoded.clips), extracted.peak_db[:, None, None] - 80)
    restored = decode_mel(extracted.codes) + extracted.peak_db[:, None, None]
    assert np.abs(restored - mel_db).max() < 0.158


def test_a_short_track_is_marked_as_padded(tmp_path: Path):
    extracted = extract(write(tmp_path / "a.wav", music(1.0)), CLIPS, DECODE)
    assert extracted.padded
    assert len(extracted.codes) == 1


def test_another_process_gives_the_same_bytes(tmp_path: Path):
    paths = [write(tmp_path / f"a.{kind}", music(6)) for kind in ("ogg", "m4a")]
    local = [pickle.dumps(extract(path, CLIPS, DECODE)) for path in reversed(paths)][::-1]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        remote = [pickle.dumps(pool.submit(extract, path, CLIPS, DECODE).result()) for path in paths]
    for one, other in zip(map(pickle.loads, local), map(pickle.loads, remote), strict=True):
        np.testing.assert_array_equal(one.codes, other.codes)
        np.testing.assert_array_equal(one.peak_db, other.peak_db)
        assert one.health == other.health


def test_a_bad_file_raises_its_reason(tmp_path: Path):
    with pytest.raises(AudioError, match="unreadable: No such file"):
        extract(tmp_path / "a.wav", CLIPS, DECODE)


def test_a_reason_does_not_depend_on_the_folder(tmp_path: Path):
    """Rejects are published under a name that is a hash of their content, so a detail must not contain the path."""
    details = []
    for folder in ("a", "b"):
        path = tmp_path / folder / "x.mp3"
        path.parent.mkdir()
        path.write_bytes(bytes(range(256)) * 20)
        with pytest.raises(AudioError) as caught:
            extract(str(path), ClipConfig(), DecodeConfig())
        details.append(caught.value.detail)
    assert details[0] == details[1]
