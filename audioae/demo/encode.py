"""Encode a mix as the bytes of an audio file, with tags.

Conventions: stereo or mono float32, shape (channels, n), in [-1, 1]; tags are a dict of title, artist, album, genre,
date and tracknumber.

Why in memory: Everything stays in memory, so that the caller can write a file
whole or not at all.
"""

import io
from collections.abc import Mapping
from typing import Any

import av
import numpy as np
import soundfile
from mutagen import File, id3
from mutagen.wave import WAVE

SOUNDFILE = {"flac": ("FLAC", "PCM_16"), "ogg": ("OGG", "VORBIS"), "wav": ("WAV", "PCM_16")}
LIBAV = {  # container, codec, and the fast search of each encoder: half of the time of its default
    "mp3": ("mp3", "libmp3lame", {"compression_level": "7"}),
    "m4a": ("ipod", "aac", {"aac_coder": "fast"}),
}
FRAMES = {
    "title": id3.TIT2,
    "artist": id3.TPE1,
    "album": id3.TALB,
    "genre": id3.TCON,
    "date": id3.TDRC,
    "tracknumber": id3.TRCK,
}
BLOCK = 65_536


def encode(mix: np.ndarray, rate: int, fmt: str, quality: float, tags: Mapping[str, str]) -> bytes:
    """Encode and tag.

    Parameters
    ----------
    mix : np.ndarray, shape (channels, n), float32 in [-1, 1]
    rate : int
        Samples per second.
    fmt : str
        "mp3", "flac", "ogg", "wav" or "m4a" (AAC).
    quality : float
        In [0, 1]: the bit rate of lossy formats; the speed of flac, which is lossless.
    tags : Mapping[str, str]

    Returns
    -------
    bytes
        The file.
    """
    file = io.BytesIO()
    if fmt in LIBAV:
        _write_libav(file, mix, rate, fmt, int(64_000 * mix.shape[0] * (0.6 + 0.9 * quality)))
    else:
        container, codec = SOUNDFILE[fmt]
        with soundfile.SoundFile(
            file,
            "w",
            rate,
            mix.shape[0],
            codec,
            format=container,
            compression_level=1 - quality if fmt != "wav" else None,
        ) as writer:
            for first in range(0, mix.shape[1], BLOCK):
                writer.write(np.ascontiguousarray(mix[:, first : first + BLOCK].T))
    file.seek(0)
    _tag(file, fmt, tags)
    return file.getvalue()


def _write_libav(file: io.BytesIO, mix: np.ndarray, rate: int, fmt: str, bit_rate: int) -> None:
    container_format, codec, options = LIBAV[fmt]
    layout = "stereo" if mix.shape[0] == 2 else "mono"
    with av.open(file, "w", format=container_format) as container:
        stream: Any = container.add_stream(codec, rate=rate, layout=layout, options=options)
        stream.bit_rate = bit_rate
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(mix), format="fltp", layout=layout)
        frame.sample_rate = rate
        for source in (frame, None):
            container.mux(stream.encode(source))


def _tag(file: io.BytesIO, fmt: str, tags: Mapping[str, str]) -> None:
    tagged: Any = WAVE(file) if fmt == "wav" else File(file, easy=True)
    own: Any = tagged.tags
    if own is None:
        tagged.add_tags()
        own = tagged.tags
    for name, value in tags.items():
        if fmt == "wav":
            own.add(FRAMES[name](encoding=3, text=value))
        else:
            own[name] = value
    file.seek(0)
    tagged.save(file)
