"""Healthy and slightly damaged audio files of kinds that decoders disagree about, made from noise-free music.

Conventions
-----------
- Every maker writes one file and returns the seconds of sound in it.
"""

from pathlib import Path

import av
import numpy as np
import soundfile as sf

from audioae.audio.integrity.ogg import _crc
from tests.audio.decoding import ID3V1, ID3V2
from tests.audio.made import LAYOUTS, music, write

LYRICS = b"LYRICSBEGIN" + b"la la " * 100 + b"000611LYRICS200"


def bare_mp3(path: Path, seconds: float, sample_rate: int = 22_050, seed: int = 0) -> bytes:
    """The frames of an mp3 of variable bit rate, without a header that states their number."""
    with sf.SoundFile(path, "w", sample_rate, 1, format="MP3", bitrate_mode="VARIABLE", compression_level=0.4) as file:
        file.write(music(seconds, sample_rate, 1, seed)[:, 0])
    content = path.read_bytes()
    return content[content.index(b"\xff\xf3" if sample_rate < 32_000 else b"\xff\xfb", 100) :]


def mp3_with(behind: bytes):
    def make(path: Path) -> float:
        path.write_bytes(bare_mp3(path, 4) + behind)
        return 4.0

    return make


def two_mp3s(path: Path) -> float:
    """Each with its own header, which states the length of one."""
    write(path, music(2, 22_050, 1), 22_050, "mp3")
    path.write_bytes(path.read_bytes() * 2)
    return 4.0


def mp3_with_foreign_bytes(n_bytes: int):
    """In the middle of the file, between two frames."""

    def make(path: Path) -> float:
        frames = bare_mp3(path, 30)
        middle = frames.index(frames[:2], len(frames) // 2)
        path.write_bytes(
            frames[:middle] + bytes(range(1, 201)) * (n_bytes // 200) + bytes(n_bytes % 200) + frames[middle:]
        )
        return 30.0

    return make


def chained_ogg(path: Path) -> float:
    parts = []
    for seconds, seed in ((1.5, 0), (3.0, 1)):
        parts.append(write(path, music(seconds, 22_050, 1, seed), 22_050, "ogg").read_bytes())
    path.write_bytes(b"".join(parts))
    return 4.5


def flac_without_count(path: Path) -> float:
    """As encoders write it into a pipe."""
    content = bytearray(write(path, music(1.5, 22_050), 22_050, "flac").read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path.write_bytes(bytes(content))
    return 1.5


def write_libsndfile(path: Path, samples: np.ndarray, rate: int, container: str, subtype: str) -> None:
    """Write with libsndfile, whatever the suffix of the path."""
    with sf.SoundFile(path, "w", rate, samples.shape[1], format=container, subtype=subtype) as file:
        file.write(samples)


def wav_of(subtype: str):
    def make(path: Path) -> float:
        write_libsndfile(path, music(2, 22_050, 1), 22_050, "WAV", subtype)
        return 2.0

    return make


def wav_with_byte_rate(factor: float):
    def make(path: Path) -> float:
        content = bytearray(write(path, music(1, 11_025, 1), 11_025, "wav").read_bytes())
        content[28:32] = round(int.from_bytes(content[28:32], "little") * factor).to_bytes(4, "little")
        path.write_bytes(bytes(content))
        return 1.0

    return make


def mu_law_au(path: Path) -> float:
    """Its samples contain three mp3 frames in a row, as any bytes may."""
    write_libsndfile(path, music(4, 8000, 1), 8000, "AU", "ULAW")
    mp3 = bare_mp3(path.with_suffix(".mp3"), 1, 44_100)[:4000]
    content = path.read_bytes()
    path.write_bytes(content[:9000] + mp3 + content[9000 + len(mp3) :])
    return 4.0


def encode(
    path: Path, codec: str, container: str, samples: np.ndarray, rate: int, kbits: int = 0, **options: str
) -> None:
    """Encode (n, channels) float32 with FFmpeg's libraries."""
    layout = LAYOUTS[samples.shape[1]]
    with av.open(str(path), "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout=layout, options=options)
        assert isinstance(stream, av.AudioStream)
        if kbits:
            stream.bit_rate = 1000 * kbits
        frame = av.AudioFrame.from_ndarray(samples.astype(np.float32).reshape(1, -1), format="flt", layout=layout)
        frame.sample_rate, frame.pts = rate, 0
        for packet in (*stream.encode(frame), *stream.encode(None)):
            output.mux(packet)


def copy_packets(source: Path, path: Path, seconds: float) -> float:
    """Write the first packets of a file, without encoding again. Returns the seconds of sound in them."""
    with av.open(str(source)) as original, av.open(str(path), "w", format="ogg") as output:
        stream = output.add_stream_from_template(original.streams.audio[0])
        end = 0.0
        for packet in original.demux(original.streams.audio[0]):
            if packet.pts is None or end >= seconds:
                break
            end = float((packet.pts + (packet.duration or 0)) * (packet.time_base or 0))
            packet.stream = stream
            output.mux(packet)
    return end


def wav_of_mp3(path: Path) -> float:
    encode(path, "mp3", "wav", music(2, 22_050, 1), 22_050, 48)
    return 2.0


def wavpack_with_tag(path: Path) -> float:
    encode(path, "wavpack", "wv", music(1, 11_025, 1), 11_025)
    path.write_bytes(path.read_bytes() + ID3V1)
    return 1.0


def m4a_of_8_khz(path: Path) -> float:
    """Its edit list cuts the encoder's delay and half a second, but its header counts them."""
    encode(path, "aac", "ipod", music(6, 8000, 1), 8000, 32)
    content = bytearray(path.read_bytes())
    media_time = content.index(b"elst") + 16
    content[media_time : media_time + 4] = (1024 + 4000).to_bytes(4, "big")
    path.write_bytes(bytes(content))
    return 5.5


def opus_with_rounded_position(path: Path) -> float:
    encode(path, "libopus", "ogg", music(12, 48_000), 48_000, 96)
    shift_position(path, page=6)
    return 12.0


def shift_position(path: Path, page: int, by: int = 1) -> None:
    """Move the position of an ogg page by a sample, as rounded timestamps do: libsndfile gives up there."""
    content = bytearray(path.read_bytes())
    start = 0
    for _ in range(page):
        start = content.index(b"OggS", start + 1)
    end = content.index(b"OggS", start + 1)
    position = int.from_bytes(content[start + 6 : start + 14], "little") + by
    content[start + 6 : start + 14] = position.to_bytes(8, "little")
    content[start + 22 : start + 26] = bytes(4)
    content[start + 22 : start + 26] = _crc(bytes(content[start:end])).to_bytes(4, "little")
    path.write_bytes(bytes(content))


HEALTHY = {
    "flac without a count": flac_without_count,
    "wav of adpcm": wav_of("MS_ADPCM"),
    "wav of ima adpcm": wav_of("IMA_ADPCM"),
    "wav of mp3": wav_of_mp3,
    "wav of mu-law": wav_of("ULAW"),
    "wav, byte rate doubled": wav_with_byte_rate(2),
    "wav, byte rate halved": wav_with_byte_rate(0.5),
    "wav, byte rate 0": wav_with_byte_rate(0),
    "mp3, zeros behind": mp3_with(bytes(4000)),
    "mp3, lyrics behind": mp3_with(LYRICS),
    "mp3, id3v2 behind": mp3_with(ID3V2 + b"junk"),
    "two mp3s": two_mp3s,
    "chained ogg": chained_ogg,
    "mu-law au": mu_law_au,
    "wavpack, tag behind": wavpack_with_tag,
    "m4a of 8 kHz": m4a_of_8_khz,
    "opus, a position rounded": opus_with_rounded_position,
}
