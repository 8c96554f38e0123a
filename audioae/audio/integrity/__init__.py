"""Inspect the structure of an audio file: its format by content, and whether it is complete.

Conventions: one walker per container format; a walker does not decode. `inspect` uses the first one that recognizes the
content.

Why: no decoder reports that an mp3 or an ogg ends early, and of a long file only its clips are decoded. A walk takes
about 1 % of the time of decoding. Damage that a walker cannot see (inside one frame, anywhere in plain PCM) is left to
the decoder and to the evidence in `audio.health`.
"""

from audioae.audio.integrity.aiff import walk_aiff
from audioae.audio.integrity.container import Bytes, Container, tag_length
from audioae.audio.integrity.flac import walk_flac
from audioae.audio.integrity.mp4 import walk_mp4
from audioae.audio.integrity.mpeg import walk_aac, walk_mp3
from audioae.audio.integrity.ogg import walk_ogg
from audioae.audio.integrity.pcm import walk_au, walk_caf
from audioae.audio.integrity.signatures import is_other
from audioae.audio.integrity.wav import walk_w64, walk_wav

__all__ = ["Bytes", "Container", "inspect"]


def inspect(data: Bytes) -> Container:
    """Recognize a file by its content and walk it.

    Parameters
    ----------
    data : bytes or mmap
        The whole file.

    Returns
    -------
    container : Container
        With its damage, if it has any. `kind` is "other" if no walker recognizes the content; a decoder still may.

    Raises
    ------
    AudioError
        "truncated" or "corrupt", if there is nothing to decode.

    >>> inspect(b"hello").kind
    'other'
    """
    start = 0
    while start < len(data) and (tag := tag_length(data, start)):
        start += tag
    for walk in (walk_wav, walk_w64, walk_aiff, walk_au, walk_caf, walk_flac, walk_ogg, walk_mp4):
        if container := walk(data, start):
            return container
    if is_other(data, start):
        return Container("other")
    return walk_mp3(data, start) or walk_aac(data, start) or Container("other")
