"""Preview of the latent path between tracks: mels and sound that the model decodes. No track sounds like this.

Convention: the path interpolates embeddings before they are scaled to length 1, because the decoder needs their length.
The direction moves along the arc and the length changes linearly.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audioae.audio.griffin_lim import mel_waveform
from audioae.audio.preview import clip_audio
from audioae.constants import SAMPLE_RATE
from audioae.errors import SearchError
from audioae.library.generation import Generation
from audioae.library.records import Track
from audioae.playlists.path import interpolate


@dataclass(frozen=True)
class LatentPreview:
    """Decoded mels (k, 128, 130) in dB, the share of the path at each (k,), and all of them as MP3."""

    mels: np.ndarray
    shares: np.ndarray
    audio: bytes


def preview_path(library: Generation, waypoints: Sequence[Track], n: int = 7) -> LatentPreview:
    """Decode `n` evenly spaced points of the path between tracks, and turn them into sound.

    Raises
    ------
    SearchError
        If n is below 2, or there are fewer than two waypoints.
    AudioError
        If a waypoint's file cannot be read.
    """
    if n < 2 or len(waypoints) < 2:
        raise SearchError(f"latent preview: got {n} points and {len(waypoints)} waypoints, wanted 2 or more of each")
    codes = [library.extract_file(track.path).codes for track in waypoints]
    pooled = np.stack([library.embedder.embed(of_track)[0].mean(axis=0) for of_track in codes])
    lengths = np.maximum(np.linalg.norm(pooled, axis=1), 1e-12)
    units = pooled / lengths[:, None]
    places = np.arange(len(waypoints)) * (n - 1)  # n points on every leg, thinned below to n on the whole path
    path = interpolate(units, places, "spherical") * np.interp(np.arange(places[-1] + 1), places, lengths)[:, None]
    mels = library.embedder.decode(path[:: len(waypoints) - 1].astype(np.float32))
    sound = np.concatenate([mel_waveform(mel) for mel in mels])
    return LatentPreview(mels, np.linspace(0, 1, n), clip_audio(sound, SAMPLE_RATE))
