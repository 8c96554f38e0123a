"""Evidence of wrong samples in a track's waveform: clicks, buffers that were played twice, bursts and gaps.

Conventions
-----------
- The columns are those of `audio/clicks.py`, `audio/repeats.py` and `audio/plateaus.py`.
- No measurement spans two runs: stretches that were read without a gap.
- Of a track, the first `MOST_S` seconds that were decoded are examined: memory does not grow with its length.

Why the waveform is kept until the end: only a few places are examined sample by sample, the most suspicious ones of the
whole track.
"""

import numpy as np

from audioae.audio.clicks import click_evidence
from audioae.audio.fine_frames import fine_frames
from audioae.audio.plateaus import plateau_evidence
from audioae.audio.repeats import repeat_evidence

MOST_S = 90


class SpliceMeter:
    """Collects runs block by block.

    Parameters
    ----------
    sample_rate : int
        Hz.
    """

    def __init__(self, sample_rate: int):
        self._sample_rate = sample_rate
        self._runs: list[list[np.ndarray]] = []
        self._left = MOST_S * sample_rate

    def add(self, mono: np.ndarray, joined: bool) -> None:
        """Keep a block, shape (n,), float32, which must not change; `joined` if it follows the last one directly."""
        if self._left <= 0:
            return
        self._left -= len(mono)
        if joined and self._runs:
            self._runs[-1].append(mono)
        else:
            self._runs.append([mono])

    def columns(self) -> dict[str, float | None]:
        """The columns of this module."""
        runs = [np.concatenate(blocks) for blocks in self._runs]
        frames = [fine_frames(run, self._sample_rate) for run in runs]
        return {
            **click_evidence(runs, frames, self._sample_rate),
            **repeat_evidence(runs, frames, self._sample_rate),
            **plateau_evidence(frames),
        }
