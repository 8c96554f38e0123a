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
from audioae.playlists.path import interpolate_places


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
    means = np.stack([_place(library, track) for track in waypoints]).astype(np.float32)
    mels = library.embedder.decode(interpolate_places(means, n))
    sound = np.concatenate([mel_waveform(mel) for mel in mels])
    return LatentPreview(mels, np.linspace(0, 1, n), clip_audio(sound, SAMPLE_RATE))


def _place(library: Generation, track: Track) -> np.ndarray:
    """The mean of a track's clips, (128,), as its embedding has it."""
    extracted = library.extract_file(track.path)
    clips, _, levels = library.embedder.embed(extracted.codes)
    return library.embedder.mean(clips, levels + extracted.peak_db)
