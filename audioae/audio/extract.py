"""From an audio file to what the store keeps of it: mel codes of its clips, and evidence of its health.

Conventions
-----------
- `extract` is a plain function of picklable arguments with a picklable result: it runs in the processes of
  `audio.workers`, which kill a decoder that hangs.
- The same file gives the same bytes, whatever the process did before.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audioae.audio.blame import blame_file
from audioae.audio.config import NO_LIMITS, ClipConfig, DecodeConfig, DecodeLimits, WindowConfig
from audioae.audio.decode import decode_track
from audioae.audio.mel import encode_mel, log_mel
from audioae.errors import AudioError


@dataclass(frozen=True)
class Extracted:
    """The stored part of a track.

    Parameters
    ----------
    codes : np.ndarray, shape (n, 128, 130), uint8
        Mels of the clips, as `mel.decode_mel` reads them.
    peak_db : np.ndarray, shape (n,), float32
        Absolute level of each clip's maximum, dB.
    starts_s : np.ndarray, shape (n,), float32
        Starts of the clips in seconds.
    padded : bool
        Whether the track is shorter than a clip and was repeated to fill it.
    health : dict
        Evidence by the names of `health.HEALTH_COLUMNS`.
    windows : np.ndarray, AudioError or None
        As in `decode.Decoded`; not stored.
    """

    codes: np.ndarray
    peak_db: np.ndarray
    starts_s: np.ndarray
    padded: bool
    health: dict[str, Any]
    windows: np.ndarray | AudioError | None = None


@blame_file
def extract(
    path: str | Path,
    clip_config: ClipConfig,
    decode_config: DecodeConfig,
    limits: DecodeLimits = NO_LIMITS,
    window: WindowConfig | None = None,
) -> Extracted:
    """Decode a track's clips and compute their mels.

    Parameters
    ----------
    path : str or Path
        An audio file.
    clip_config, decode_config, limits, window : ClipConfig, DecodeConfig, DecodeLimits, WindowConfig
        As for `decode.decode_track`.

    Returns
    -------
    extracted : Extracted

    Raises
    ------
    AudioError
        With one of `decode.REASONS`; whatever else goes wrong, as `audio.blame` says.
    """
    decoded = decode_track(path, clip_config, decode_config, limits, window)
    codes, peak_db = encode_mel(log_mel(decoded.clips))
    starts_s = decoded.starts_s.astype(np.float32)
    return Extracted(codes, peak_db, starts_s, decoded.padded, decoded.health, decoded.windows)
