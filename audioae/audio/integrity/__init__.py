"""What an audio file's own structure says about it: the kind by content, and whether all of it is there.

One walker per container; none of them decodes. `inspect` asks the one that fits.

Why: no decoder says that an mp3 or an ogg ends early, and of a long file only windows are decoded. A walk takes about
1 % of the time that decoding takes. What a walker cannot see (damage inside one frame, any damage in plain PCM) is
left to the decoder and to the evidence in `audio.health`.
"""

from audioae.audio.integrity.chunks import walk_aiff, walk_mp4, walk_wav
from audioae.audio.integrity.container import Bytes, Container, tag_length
from audioae.audio.integrity.flac import walk_flac
from audioae.audio.integrity.mpeg import walk_aac, walk_mp3
from audioae.audio.integrity.ogg import walk_ogg

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
        `kind` is "other" where no walker knows the content; a decoder may still.

    Raises
    ------
    AudioError
        "truncated", saying how much of how much is there, or "corrupt", saying where.

    >>> inspect(b"hello").kind
    'other'
    """
    start = 0
    while start < len(data) and (tag := tag_length(data, start)):
        start += tag
    for walk in (walk_wav, walk_aiff, walk_flac, walk_ogg, walk_mp4, walk_mp3, walk_aac):
        if container := walk(data, start):
            return container
    return Container("other")
