"""First bytes of the formats that no walker reads, so that nobody looks for mp3 frames in them.

Why: mu-law, compressed and other binary data contain what looks like three mp3 frames in a row sooner or later.
"""

from audioae.audio.integrity.container import Bytes

_AT_START = (
    *(b".snd", b"dns.", b"caff", b"riff\x2e\x91\xcf\x11", b"Creative Voice File\x1a", b"NIST_1A", b"fap ", b" paf"),
    *(b"wvpk", b"MAC ", b"TTA1", b"TTA2", b"tBaK", b"ajkg", b"OFR ", b"DSD ", b"FRM8", b"MP+", b"MPCK", b"#!AMR"),
    *(b"\x0b\x77", b"\x7f\xfe\x80\x01", b"\xfe\x7f\x01\x80", b"\x1f\xff\xe8\x00", b"\xff\x1f\x00\xe8", b"dX "),
    *(b"\x1a\x45\xdf\xa3", b"\x30\x26\xb2\x75", b"FLV", b"\x00\x00\x01\xba", b".RMF", b"RIFF", b"FORM"),
)
_ATOMS = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")  # QuickTime files without `ftyp` in front
_TS_PACKET, _TS_SYNC = 188, b"G"


def is_other(data: Bytes, start: int) -> bool:
    """Whether the data begins like a container that is neither MPEG audio nor ADTS.

    >>> is_other(b".snd" + bytes(20), 0), is_other(bytes([255, 251, 144, 0]), 0)
    (True, False)
    """
    head = data[start : start + 20]
    if head.startswith(_AT_START) or head[4:8] in _ATOMS:
        return True
    return all(data[at : at + 1] == _TS_SYNC for at in range(start, start + 4 * _TS_PACKET, _TS_PACKET))
