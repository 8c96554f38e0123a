"""Seeded mutants of small audio files in every container.

Conventions
-----------
- The same `seed` gives the same mutants. Most changes hit the first kilobyte, where headers are.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.audio.made import FORMATS, music, write
from tests.audio.strange import encode, write_libsndfile

_EXTREMES = (b"\0", b"\xff", b"\x7f\xff", b"\x80\0", b"\0\x01", b"\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff")
_WIDE = (b"\x80" + bytes(7), b"\x7f" + b"\xff" * 7, b"\xff" * 8, bytes(7) + b"\x01", bytes(8), b"\xff" * 10)
_HEAD = 1024


def small_files(folder: Path) -> dict[str, bytes]:
    """Half a second of music in every container that can be written here, by its suffix."""
    samples = music(0.6, 48_000)
    files = {kind: write(folder / f"a.{kind}", samples, 48_000).read_bytes() for kind in FORMATS}
    for name, codec, container in (
        *(("mka", "flac", "matroska"), ("webm", "libopus", "webm"), ("wv", "wavpack", "wv"), ("tta", "tta", "tta")),
        *(("wma", "wmav2", "asf"), ("ac3", "ac3", "ac3"), ("mp2", "mp2", "mp2"), ("oga", "flac", "ogg")),
    ):
        encode(folder / f"a.{name}", codec, container, samples, 48_000, 96)
        files[name] = (folder / f"a.{name}").read_bytes()
    for name, container, subtype in (
        *(("au", "AU", "ULAW"), ("caf", "CAF", "PCM_16"), ("w64", "W64", "PCM_16"), ("rf64", "RF64", "PCM_16")),
        *(("aifc", "AIFF", "IMA_ADPCM"), ("adpcm", "WAV", "MS_ADPCM"), ("voc", "VOC", "PCM_16")),
    ):
        write_libsndfile(folder / f"a.{name}", samples[:, :1], 48_000, container, subtype)
        files[name] = (folder / f"a.{name}").read_bytes()
    return files


def mutants(files: dict[str, bytes], n: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Yield `n` pairs of a suffix and a mutant, the files in turn."""
    rng = np.random.default_rng(seed)
    names = list(files)
    for i in range(n):
        name = names[i % len(names)]
        content = bytearray(files[name])
        for _ in range(int(rng.integers(1, 5))):
            _CHANGES[int(rng.integers(len(_CHANGES)))](content, rng)
        yield name, bytes(content)


def _place(content: bytearray, rng: np.random.Generator) -> int:
    end = min(_HEAD, len(content)) if rng.random() < 0.7 else len(content)
    return int(rng.integers(0, max(end, 1)))


def _flip(content: bytearray, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(1, 9))):
        if content:
            content[_place(content, rng)] ^= 1 << int(rng.integers(8))


def _set_extreme(content: bytearray, rng: np.random.Generator) -> None:
    values = _EXTREMES + _WIDE
    value = values[int(rng.integers(len(values)))]
    at = _place(content, rng)
    content[at : at + len(value)] = value if rng.random() < 0.5 else value[::-1]


def _cut(content: bytearray, rng: np.random.Generator) -> None:
    del content[_place(content, rng) :]


def _insert(content: bytearray, rng: np.random.Generator) -> None:
    at = _place(content, rng)
    content[at:at] = rng.bytes(int(rng.integers(1, 600)))


def _delete(content: bytearray, rng: np.random.Generator) -> None:
    at = _place(content, rng)
    del content[at : at + int(rng.integers(1, 600))]


def _repeat(content: bytearray, rng: np.random.Generator) -> None:
    at = _place(content, rng)
    content[at:at] = content[at : at + int(rng.integers(4, 64))] * int(rng.integers(1, 200))


_CHANGES = (_flip, _flip, _set_extreme, _set_extreme, _cut, _insert, _delete, _repeat)
