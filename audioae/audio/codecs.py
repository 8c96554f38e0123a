"""Which of the codecs of music FFmpeg's libraries decode here.

Why: PyAV may be built against the libraries of a distribution, and some of these leave codecs out.
"""

LOSSY = ("mp3", "aac", "opus", "vorbis", "wmav2", "wmapro", "ac3")
LOSSLESS = ("flac", "alac", "ape", "wavpack", "pcm_s16le", "pcm_s24le")
MUSIC = LOSSY + LOSSLESS


def missing_decoders() -> list[str]:
    """The codecs of `MUSIC` without a decoder.

    >>> missing_decoders()
    []
    """
    from av.codec import Codec
    from av.codec.codec import UnknownCodecError

    missing = []
    for name in MUSIC:
        try:
            Codec(name, "r")
        except UnknownCodecError:
            missing.append(name)
    return missing
