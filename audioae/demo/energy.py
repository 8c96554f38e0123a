"""The energy of a composed track: how active, how bright and how full it is.

Conventions: each of the three is in [0, 1] on a fixed scale, and the energy is their mean. They are counted in the
score, not measured in the waveform; the level of the master, which is drawn at random, has no part in it.

- Activity: moments per second at which anything begins, on a logarithmic scale: 1 is 0, 16 is 1.
- Brightness: how far the filters of the notes are open (`Score.brightness`).
- Fullness: parts that play, drums included, averaged over the beats: none is 0, six are 1.

Why these: services describe energy as intensity and activity, with onset rate, timbre, dynamics and perceived loudness
as its marks. With the level of the master excluded, the loudness that is left is how much is played at once, and its
dynamics are the beats at which little is.
"""

import numpy as np

from audioae.demo.compose import Score

MOST_ONSETS = 16.0  # per second
MOST_PARTS = 6


def energy(score: Score) -> float:
    """The energy of a score, in [0, 1], to three digits."""
    return round(float(np.mean([activity(score), float(np.clip(score.brightness, 0, 1)), fullness(score)])), 3)


def activity(score: Score) -> float:
    """Onsets per second on a logarithmic scale, in [0, 1]."""
    onsets = {hit.beat for hits in _parts(score) for hit in hits if hit.beat < _beats(score)}
    rate = len(onsets) / score.duration_s
    return float(np.clip(np.log2(max(rate, 1)) / np.log2(MOST_ONSETS), 0, 1))


def fullness(score: Score) -> float:
    """The number of parts that play, averaged over the beats, as a share of `MOST_PARTS`."""
    n_beats = max(int(_beats(score)), 1)
    playing = np.zeros((len(_parts(score)), n_beats), bool)
    for row, hits in zip(playing, _parts(score), strict=True):
        for hit in hits:
            row[int(hit.beat) : int(np.ceil(hit.beat + hit.beats))] = True
    return float(np.clip(playing.sum(axis=0).mean() / MOST_PARTS, 0, 1))


def _parts(score: Score) -> list:
    return [*(line.hits for line in score.lines), score.drums]


def _beats(score: Score) -> float:
    return score.duration_s * score.tempo / 60
