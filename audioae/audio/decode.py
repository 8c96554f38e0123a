"""From an audio file to its clips (mono float32 at 22,050 Hz) and evidence of its health, or one reason to reject it.

Conventions
-----------
- A track of up to `whole_up_to_s` (24 clips fill it) is decoded from end to end. Of a longer track only the clips are
  read, by seeking. Both give the same clips, and both check the structure of the whole file.
- Clips are mixed to mono by the mean over channels, before resampling. No decoder is shared between files, so a file's
  clips do not depend on what was decoded before.
- A fault of a file raises `AudioError` with one of `REASONS`. Slight damage does not: what is sound is decoded as if it
  were all, and the health columns `missing_s` and `resyncs` tell what is not.

Why the mean: FFmpeg's downmix is 3 dB louder for stereo, so mono and stereo copies would differ. Where channels cancel
each other in the mean (one has its polarity reversed), the loudest channel represents the track, as a listener would
still hear it; `mono_from` and `correlation` in the health columns record it. "silent" means silent in every channel.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from audioae.audio.clips import fill_clip, plan_clips
from audioae.audio.config import NO_LIMITS, ClipConfig, DecodeConfig, DecodeLimits, WindowConfig
from audioae.audio.health import HEALTH_COLUMNS, HealthMeter
from audioae.audio.integrity import Container
from audioae.audio.reader import SLACK_S, Reader
from audioae.audio.readers import read_file
from audioae.audio.remote import local_file
from audioae.audio.windows import cut_windows, plan_windows, span_of
from audioae.constants import CLIP_S, CLIP_SAMPLES, SAMPLE_RATE
from audioae.errors import AudioError

REASONS = (
    "unreadable",  # missing, a folder, no permission, a failing disk
    "empty",  # 0 bytes
    "not_audio",  # nothing that a decoder knows
    "truncated",  # shorter than its header claims
    "corrupt",  # damaged in the middle
    "non_finite",  # NaN, infinite or absurdly huge samples
    "too_short",  # below `min_s`
    "silent",  # below `silence_dbfs` in every channel
    "too_large",  # beyond `DecodeLimits`; a catalog has none
    "timeout",  # the decoder hung; raised by `audio.workers`
    "crashed",  # the decoder crashed its process; raised by `audio.workers`
    "out_of_memory",  # decoding it needed more memory than there was
)
MOMENTARY = ("unreadable", "timeout", "crashed", "out_of_memory")  # of the moment, not of the file: worth another try

_BEFORE = 3_308  # 0.15 s: for up to 56 ms after a seek, mp3 frames depend on frames that were not decoded
_AFTER = 512  # the resampler reaches 252 samples
_HUGE = 1e9  # full scale is 1
_RATES, _MAX_CHANNELS = (1_000, 1_000_000), 64


@dataclass(frozen=True)
class Decoded:
    """The clips of one track.

    Parameters
    ----------
    clips : np.ndarray, shape (n, 66150), float32 in [-1, 1]
    starts_s : np.ndarray, shape (n,)
        Starts of the clips in seconds.
    padded : bool
        Whether the track is shorter than a clip and was repeated to fill it.
    health : dict
        Evidence by the names of `health.HEALTH_COLUMNS`.
    windows : np.ndarray, shape (n, n_samples), float32, or AudioError, or None
        For a network, if they were wanted; or why they cannot be decoded, although the clips can.
    """

    clips: np.ndarray
    starts_s: np.ndarray
    padded: bool
    health: dict[str, Any]
    windows: np.ndarray | AudioError | None = None


@dataclass(frozen=True)
class _Span:
    """Frames `start` to `stop` of the file, which contain one clip; after resampling the clip begins at `skip`."""

    start: int
    stop: int
    skip: int


def decode_track(
    path: str | Path,
    clip_config: ClipConfig,
    decode_config: DecodeConfig,
    limits: DecodeLimits = NO_LIMITS,
    window: WindowConfig | None = None,
) -> Decoded:
    """Decode the clips of a track.

    Parameters
    ----------
    path : str or Path
        A path, or the URI of a remote file (`audio.remote`): wav, flac, mp3, ogg, opus, m4a, aac, aiff, or any other
        format that libsndfile or FFmpeg reads. The format is recognized by content, not by extension.
    clip_config : ClipConfig
        Number and spacing of the clips.
    decode_config : DecodeConfig
        Which tracks are rejected, and how much of a track is decoded.
    limits : DecodeLimits
        What a file may cost at most.
    window : WindowConfig, optional
        What a network wants besides the clips; it changes nothing else.

    Returns
    -------
    decoded : Decoded
        `health` has the keys of `health.HEALTH_COLUMNS`.

    Raises
    ------
    AudioError
        With one of `REASONS`, and a detail: what was found, what was wanted.
    """
    settings = {"clip_config": clip_config, "decode_config": decode_config, "limits": limits, "window": window}
    with local_file(path) as local:
        n_bytes = local.stat().st_size if local.is_file() else 0
        return read_file(local, partial(_decode, n_bytes=n_bytes, **settings))


def _decode(
    reader: Reader,
    container: Container,
    n_bytes: int,
    clip_config: ClipConfig,
    decode_config: DecodeConfig,
    limits: DecodeLimits,
    window: WindowConfig | None,
) -> Decoded:
    if not (_RATES[0] <= reader.sample_rate <= _RATES[1] and reader.channels <= _MAX_CHANNELS):
        raise AudioError("corrupt", f"its header claims {reader.sample_rate:,} Hz and {reader.channels:,} channels")
    duration_s = reader.n_frames / reader.sample_rate
    _check_limits(reader, duration_s, limits)
    _check_missing(reader, container, decode_config.max_missing)
    if reader.n_frames < int(decode_config.min_s * reader.sample_rate):
        raise AudioError("too_short", f"{duration_s:.2f} s, wanted at least {decode_config.min_s:g} s")
    starts_s = plan_clips(duration_s, clip_config)
    spans = [_span(start, reader) for start in np.round(starts_s * SAMPLE_RATE).astype(int)]
    whole = duration_s <= decode_config.whole_up_to_s
    ranges = [(0, reader.n_frames)] if whole else _merged([(span.start, span.stop) for span in spans])
    waveforms, meter = _read(reader, ranges, channel=None)
    missing_s = _check_missing(reader, container, decode_config.max_missing)
    if meter.swing < 10 ** (decode_config.silence_dbfs / 20):
        level = 20 * math.log10(max(meter.swing, 1e-9))
        detail = f"the peak of {meter.n_frames / reader.sample_rate:.1f} s is {level:.0f} dBFS"
        raise AudioError("silent", f"{detail}, wanted {decode_config.silence_dbfs:g} dBFS or more")
    channel = int(meter.energy.argmax()) if meter.cancels() else None
    if channel is not None:
        waveforms, meter = _read(reader, ranges, channel)
    clips = np.empty((len(spans), CLIP_SAMPLES), np.float32)
    for clip, span in zip(clips, spans, strict=True):
        clip[:] = _clip(_cut(span, ranges, waveforms), span.skip, reader.sample_rate)
    health = meter.columns() | {
        "container": reader.container if container.kind == "other" else container.kind,
        "codec": reader.codec,
        "sample_rate": reader.sample_rate,
        "channels": reader.channels,
        "bit_rate": round(8 * n_bytes / duration_s),
        "claimed_s": container.claimed_s,
        "duration_s": duration_s,
        "mono_from": "mean" if channel is None else f"channel {channel}",
        "resyncs": max(container.resyncs, reader.resyncs),
        "missing_s": missing_s,
    }
    windows = None
    if window:
        places = plan_windows(duration_s, starts_s, clip_config, window)
        windows = cut_windows(places, window, ranges, waveforms, reader.sample_rate)
        windows = _read_windows(reader, places, window, channel) if windows is None else windows
    kept = {name: health[name] for name in HEALTH_COLUMNS}
    return Decoded(clips, starts_s, duration_s < CLIP_S, kept, windows)


def _read_windows(
    reader: Reader, starts_s: np.ndarray, window: WindowConfig, channel: int | None
) -> np.ndarray | AudioError:
    """Read windows that are longer than the clips of a long track. A fault there is none of the clips."""
    spans = [span_of(start, window, reader.sample_rate, reader.n_frames) for start in starts_s.tolist()]
    ranges = _merged(spans)
    try:
        windows = cut_windows(starts_s, window, ranges, _read(reader, ranges, channel)[0], reader.sample_rate)
    except AudioError as error:
        return error
    return AudioError("corrupt", "its windows are beyond its end") if windows is None else windows


def _check_limits(reader: Reader, duration_s: float, limits: DecodeLimits) -> None:
    """Raise `AudioError` "too_large" if the file is beyond a limit."""
    for value, limit, unit in (
        (reader.sample_rate, limits.max_sample_rate, "Hz"),
        (reader.channels, limits.max_channels, "channels"),
        (duration_s, limits.max_s, "s"),
    ):
        if limit is not None and value > limit:
            raise AudioError("too_large", f"{value:,.0f} {unit}, wanted at most {limit:,.0f} {unit}")


def _check_missing(reader: Reader, container: Container, max_missing: float) -> float:
    """Seconds that are missing. Raises `AudioError` if they are more than the share `max_missing` of the track."""
    duration_s = reader.n_frames / reader.sample_rate
    absent_s = 0.0 if container.found_s is None else container.found_s - duration_s
    slack_s = 0.0 if container.kind == "flac" else SLACK_S  # its frames are counted to the sample
    missing_s = max(container.missing_s, reader.missing_s, absent_s if absent_s > slack_s else 0.0)
    total_s = max(container.claimed_s or 0.0, duration_s + missing_s)
    if missing_s > max_missing * total_s or math.isinf(missing_s):
        lost = f"{missing_s:.1f} of {total_s:.1f} s cannot be decoded ({reader.codec}); download or copy the file again"
        raise container.damage or reader.damage or AudioError("corrupt", lost)
    return missing_s


def _span(start: int, reader: Reader) -> _Span:
    """The frames around a clip that begins at sample `start`; they begin at a point of both sampling grids."""
    common = math.gcd(reader.sample_rate, SAMPLE_RATE)
    step_in, step_out = reader.sample_rate // common, SAMPLE_RATE // common
    steps = max(start - _BEFORE, 0) // step_out
    stop = math.ceil((start + CLIP_SAMPLES + _AFTER) / step_out) * step_in
    return _Span(steps * step_in, min(stop, reader.n_frames), start - steps * step_out)


def _read(
    reader: Reader, ranges: Sequence[tuple[int, int]], channel: int | None
) -> tuple[list[np.ndarray], HealthMeter]:
    """Read ranges of frames as mono (`channel`, or the mean over channels), and measure them."""
    meter = HealthMeter(reader.sample_rate, reader.channels)
    waveforms = [np.empty(stop - start, np.float32) for start, stop in ranges]
    for first, last in ranges if reader.can_seek() else [(0, reader.n_frames)]:
        position = first
        for block in reader.blocks(first, last):
            check_finite(block, position, reader.sample_rate)
            for (start, stop), waveform in zip(ranges, waveforms, strict=True):
                low, high = max(start, position), min(stop, position + block.shape[1])
                if low < high:
                    planes, mono = block[:, low - position : high - position], waveform[low - start : high - start]
                    mix(planes if channel is None else planes[channel : channel + 1], mono)
                    meter.add(planes, mono, low)
            position += block.shape[1]
        if position < last:
            for (start, _), waveform in zip(ranges, waveforms, strict=True):
                waveform[max(position - start, 0) :] = 0
    return waveforms, meter


def mix(planes: np.ndarray, mono: np.ndarray) -> None:
    """Write the mean over channels, row by row: several times faster than numpy's mean along the short axis."""
    if len(planes) == 1:
        mono[:] = planes[0]
        return
    np.add(planes[0], planes[1], out=mono)
    for plane in planes[2:]:
        mono += plane
    mono *= np.float32(1 / len(planes))


def _merged(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Merge spans (start, stop) that overlap; spans are in order."""
    merged: list[tuple[int, int]] = []
    for start, stop in spans:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged


def check_finite(block: np.ndarray, position: int, sample_rate: int) -> None:
    """Reject non-finite samples: the resampler would spread them (101 became 1,660)."""
    if np.vdot(block, block) < _HUGE**2:
        return
    bad = ~(np.abs(block).max(axis=0) < _HUGE)
    if bad.any():
        at_s = (position + int(bad.argmax())) / sample_rate
        raise AudioError(
            "non_finite", f"{bad.sum():,} NaN, infinite or huge samples from {at_s:.2f} s on; encode the file again"
        )


def _cut(span: _Span, ranges: Sequence[tuple[int, int]], waveforms: Sequence[np.ndarray]) -> np.ndarray:
    """Cut a span out of the range that contains it."""
    i = next(i for i, (start, stop) in enumerate(ranges) if start <= span.start and span.stop <= stop)
    return waveforms[i][span.start - ranges[i][0] : span.stop - ranges[i][0]]


def _clip(waveform: np.ndarray, skip: int, sample_rate: int) -> np.ndarray:
    """Resample a span and cut out its clip; repeat a track that is shorter than a clip."""
    clip = soxr.resample(waveform, sample_rate, SAMPLE_RATE, quality="HQ")[skip : skip + CLIP_SAMPLES]
    return fill_clip(clip)
