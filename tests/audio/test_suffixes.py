"""Every container that the decoders read gives the known sound, whole and from windows, and so does a video."""

from pathlib import Path

import av
import numpy as np
import pytest
from scipy.signal import fftconvolve

from audioae.audio.suffixes import AUDIO_SUFFIXES, VIDEO_SUFFIXES
from tests.audio.decoding import ALL_CONFIGS, decode, expected, reject
from tests.audio.made import LAYOUTS, music, truncate
from tests.audio.strange import encode, write_libsndfile

RATE = 48_000
MAX_LAG = 4000  # samples at 22,050 Hz
LIBSNDFILE = {
    "wav": ("WAV", "PCM_16"),
    "rf64": ("RF64", "PCM_16"),
    "w64": ("W64", "PCM_16"),
    "aifc": ("AIFF", "ULAW"),
    "caf": ("CAF", "PCM_16"),
    "au": ("AU", "PCM_16"),
    "snd": ("AU", "ULAW"),
    "voc": ("VOC", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "opus": ("OGG", "OPUS"),
    "ogg": ("OGG", "VORBIS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
}
FFMPEG = {
    "mka": ("flac", "matroska"),
    "webm": ("libopus", "webm"),
    "weba": ("libopus", "webm"),
    "mp4": ("aac", "mp4"),
    "m4a": ("alac", "ipod"),
    "m4b": ("aac", "ipod"),
    "3gp": ("aac", "3gp"),
    "aac": ("aac", "adts"),
    "wma": ("wmav2", "asf"),
    "wv": ("wavpack", "wv"),
    "tta": ("tta", "tta"),
    "mp2": ("mp2", "mp2"),
    "ac3": ("ac3", "ac3"),
    "eac3": ("eac3", "eac3"),
    "oga": ("flac", "ogg"),
}
VIDEO = {
    "mkv": ("aac", "matroska"),
    "mov": ("aac", "mov"),
    "avi": ("mp3", "avi"),
    "mpg": ("mp2", "mpeg"),
    "ts": ("aac", "mpegts"),
}
NOT_WRITTEN = ("ape", "tak", "shn", "dsf", "dff", "dts", "amr", "spx", "mpc")  # no encoder here


def assert_sounds_like(path: Path, samples: np.ndarray, config) -> None:
    """The clips are those of the samples, up to the delay of an encoder."""
    decoded = decode(path, config)
    assert decoded.health["duration_s"] == pytest.approx(len(samples) / RATE, abs=0.15)
    assert (decoded.health["resyncs"], decoded.health["missing_s"]) == (0, 0)
    for clip, wanted in zip(decoded.clips, expected(samples, RATE, decoded.starts_s), strict=True):
        middle = wanted[MAX_LAG:-MAX_LAG]
        sums = fftconvolve(clip, middle[::-1], "valid")
        lag = int(sums.argmax())
        assert sums[lag] > 0.9 * np.linalg.norm(middle) * np.linalg.norm(clip[lag : lag + len(middle)])


@ALL_CONFIGS
@pytest.mark.parametrize("suffix", [*LIBSNDFILE, *FFMPEG])
def test_every_container_gives_the_known_sound(tmp_path: Path, suffix: str, config):
    samples = music(6.5, RATE, 1)
    path = tmp_path / f"a.{suffix}"
    if suffix in LIBSNDFILE:
        write_libsndfile(path, samples, RATE, *LIBSNDFILE[suffix])
    else:
        encode(path, *FFMPEG[suffix], samples, RATE, 128)
    assert_sounds_like(path, samples, config)


@pytest.mark.parametrize("suffix", ["wv", "tta", "mka", "webm", "oga", "w64", "rf64", "caf", "au"])
def test_half_a_file_is_truncated(tmp_path: Path, suffix: str):
    path = tmp_path / f"a.{suffix}"
    if suffix in LIBSNDFILE:
        write_libsndfile(path, music(6, RATE, 1), RATE, *LIBSNDFILE[suffix])
    else:
        encode(path, *FFMPEG[suffix], music(6, RATE, 1), RATE, 128)
    truncate(path, 0.5)
    error = reject(path)
    assert error.reason == "truncated"
    assert 1.5 < float(error.detail.split()[0]) < 3.2


@ALL_CONFIGS
@pytest.mark.parametrize("suffix", VIDEO)
def test_the_sound_of_a_video_is_decoded(tmp_path: Path, suffix: str, config):
    samples = music(6.5, RATE, 1)
    path = tmp_path / f"a.{suffix}"
    write_video(path, *VIDEO[suffix], samples)
    assert_sounds_like(path, samples, config)


def test_every_suffix_is_tested_or_has_no_encoder():
    tested = {*LIBSNDFILE, *FFMPEG, *NOT_WRITTEN}
    same = {"wave": "wav", "bwf": "wav", "aif": "aifc", "aiff": "aifc", "mpa": "mp2"}  # other names of tested formats
    assert {same.get(suffix[1:], suffix[1:]) for suffix in AUDIO_SUFFIXES} == tested
    assert {f".{suffix}" for suffix in VIDEO} <= {*VIDEO_SUFFIXES}
    assert not {*AUDIO_SUFFIXES} & {*VIDEO_SUFFIXES}


def write_video(path: Path, codec: str, container: str, samples: np.ndarray) -> None:
    """Gray pictures and sound, packets of both in turn."""
    with av.open(str(path), "w", format=container) as output:
        picture = output.add_stream("mpeg2video" if container == "mpeg" else "mpeg4", rate=25)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        sound = output.add_stream(codec, rate=RATE, layout=LAYOUTS[1])
        assert isinstance(sound, av.AudioStream)
        for i in range(int(len(samples) / RATE * 25)):
            image = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 2 * i % 250, np.uint8), format="rgb24")
            image.pts = i
            output.mux(picture.encode(image))
        output.mux(picture.encode(None))
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="flt", layout=LAYOUTS[1])
        frame.sample_rate, frame.pts = RATE, 0
        output.mux([*sound.encode(frame), *sound.encode(None)])
