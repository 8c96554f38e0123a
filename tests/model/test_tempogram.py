"""The tempogram: its scores are those of autocorrelation written out, and its units tell the tempo of beats."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from audioae.constants import HOP_LENGTH, N_FRAMES, N_MELS, SAMPLE_RATE
from audioae.model.tempogram import CAP_DB, N_TEMPOS, SIZE, Tempogram, TempoUnits

FRAMES_PER_S = SAMPLE_RATE / HOP_LENGTH


def beats(tempo: float, start_s: float = 0.0) -> torch.Tensor:
    """A mel (128, 130) in dB that swells by 40 dB within 0.1 s on every beat, and begins `start_s` after one."""
    phase = (torch.arange(N_FRAMES) / FRAMES_PER_S + start_s) * tempo / 60
    distance_s = (phase - phase.round()) * 60 / tempo
    return (40 * torch.exp(-((distance_s / 0.04) ** 2)) - 80).expand(N_MELS, N_FRAMES)


def noise(n: int) -> torch.Tensor:
    return -80 * torch.rand(n, N_MELS, N_FRAMES, generator=torch.Generator().manual_seed(0))


def written_out(db: np.ndarray, bands: int, log_tempos: np.ndarray) -> np.ndarray:
    """The scores (96,) of one mel, in loops: each band's autocorrelation, smoothed twice as its onsets are once."""
    rise = np.minimum(np.maximum(np.diff(db[:bands], axis=1), 0).reshape(bands // 8, 8, -1).mean(axis=1), 15)
    n, repeats = rise.shape[1], np.zeros(rise.shape[1])
    kernel = np.roll(np.fft.irfft(np.exp(-((0.7 * np.linspace(0, np.pi, n + 1)) ** 2))), n)[1:]
    for band in rise - rise.mean(axis=1, keepdims=True):
        smoothed = np.convolve(np.correlate(band, band, "full"), kernel, "same")[n - 1 :]
        repeats += smoothed / (1 - np.arange(n) / n) / (smoothed[0] + 1e-3 * n) / len(rise)
    answer = []
    for log_tempo in log_tempos:
        lags = [k * 60 * FRAMES_PER_S / 2**log_tempo for k in (1, 2, 3, 4)]
        answer.append(np.mean(np.interp([lag for lag in lags if lag < 0.85 * n], range(n), repeats)))
    return np.array(answer)


@pytest.mark.parametrize("bands", [104, 112, 128])
def test_scores_are_mean_autocorrelations_at_the_periods(bands):
    tempogram, db = Tempogram(bands), noise(3)
    wanted = [written_out(mel.numpy().astype(np.float64), bands, tempogram.log_tempos.numpy()) for mel in db]
    np.testing.assert_allclose(tempogram(db).numpy(), wanted, atol=1e-5)
    tempos = 2 ** tempogram.log_tempos.numpy()
    assert (tempos[0], tempos[-1]) == pytest.approx((40, 240))
    np.testing.assert_allclose(tempos[1:] / tempos[:-1], 6 ** (1 / 95))


@pytest.mark.parametrize("tempo", [75, 96, 118, 140, 160])
@pytest.mark.parametrize("start_s", [0.0, 0.3])
def test_beats_are_most_probably_at_their_tempo(tempo, start_s):
    units = TempoUnits(6)
    db = beats(tempo, start_s)[None]
    score = 30 * units.tempogram(db)[0] + units.prior
    assert 2 ** units.tempogram.log_tempos[score.argmax()].item() == pytest.approx(tempo, rel=0.04)


def test_only_rises_of_the_lowest_bands_count_and_none_more_than_the_cap():
    tempogram, db = Tempogram(112), noise(2) / 8
    other = db.clone()
    other[:, 112:] = 0
    assert torch.equal(tempogram(other), tempogram(db))
    beat = torch.arange(0, N_FRAMES, 20)
    scores = []
    for other_db in (CAP_DB, CAP_DB + 30, CAP_DB - 5):
        steps = torch.full((1, N_MELS, N_FRAMES), -80.0)
        steps[:, :, beat[::2]] = -80 + CAP_DB
        steps[:, :, beat[1::2]] = -80 + other_db
        scores.append(tempogram(steps))
    torch.testing.assert_close(scores[1], scores[0])
    assert (scores[2] - scores[0]).abs().max() > 0.05, "every other beat is weaker"


def test_a_clip_without_onsets_has_the_prior():
    units = TempoUnits(4)
    units.fit(noise(80))
    still = torch.full((2, N_MELS, N_FRAMES), -80.0)
    still[1] = -3.0
    assert torch.equal(units.tempogram(still), torch.zeros(2, N_TEMPOS))
    prior = torch.softmax(units.prior, dim=0) @ units.transform
    torch.testing.assert_close(units(still), ((prior - units.center) * units.scale).expand(2, -1))
    octaves = (units.tempogram.log_tempos.numpy() - np.log2(118)) / 0.45
    np.testing.assert_allclose(np.exp(units.prior.numpy()), np.exp(-(octaves**2) / 2), rtol=1e-5)


def test_units_are_centered_small_and_the_first_waves_of_the_posterior():
    units, db = TempoUnits(5), torch.stack([beats(tempo) for tempo in np.linspace(60, 180, 90)])
    units.fit(db)
    values = units(db)
    torch.testing.assert_close(values.mean(dim=0), torch.zeros(5), atol=1e-5, rtol=0)
    assert values.square().mean().item() == pytest.approx(SIZE**2, rel=1e-4)
    posterior = torch.softmax(30 * units.tempogram(db) + units.prior, dim=1).numpy()
    place = np.pi * (np.arange(N_TEMPOS) + 0.5) / N_TEMPOS
    waves = np.stack([posterior @ np.cos(k * place) for k in range(1, 6)], axis=1)
    np.testing.assert_allclose(values.numpy(), units.scale.item() * (waves - waves.mean(axis=0)), atol=1e-5)
    assert set(units.state_dict()) == {"center", "scale"}, "the rest is made anew, so no model keeps it"
    fewer = TempoUnits(2)
    fewer.fit(db)
    assert torch.corrcoef(torch.stack([fewer(db)[:, 1], values[:, 1]]))[0, 1] > 0.9999


def test_a_linear_model_reads_the_tempo_of_beats_it_was_not_fitted_on():
    """Below 90 and above 140 BPM, twice and half the tempo become as probable, for beats that are all the same."""
    tempos = np.random.default_rng(0).uniform(90, 140, 200)
    db = torch.stack([beats(tempo, start_s=0.01 * i) for i, tempo in enumerate(tempos)])
    units = TempoUnits(6, 112)
    units.fit(db[:100])
    values = units(db).numpy()
    model = Ridge(1e-3).fit(values[:100], tempos[:100])
    assert model.score(values[100:], tempos[100:]) > 0.95


def test_units_fitted_to_clips_that_are_all_the_same_stay_small():
    units = TempoUnits(3)
    units.fit(beats(100).expand(4, -1, -1))
    torch.testing.assert_close(units(beats(100)[None]), torch.zeros(1, 3), atol=1e-4, rtol=0)
    assert 0.05 < units(noise(2)).abs().max() < 4
