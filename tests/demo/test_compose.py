"""The music itself: every preset can be played, the same seed gives the same waveform, and it is music, not beeps."""

import numpy as np
import pytest

from audioae.demo.compose import Score, compose, make_sound
from audioae.demo.drums import DRUMS, Kit
from audioae.demo.harmony import Key, Span, chord_pitches
from audioae.demo.instruments import Note
from audioae.demo.patterns import play_steps
from audioae.demo.render import PITCHED, render
from audioae.demo.styles import Style, load_styles

RATE = 44_100
STYLES = load_styles()


def written(style: Style, track: int = 0, seconds: float = 8.0) -> Score:
    sound = make_sound(style, np.random.default_rng(5))
    return compose(style, sound, seconds, np.random.default_rng([5, track]))


@pytest.fixture(scope="module")
def mixes() -> dict[str, np.ndarray]:
    return {style.label: render(written(style), RATE, np.random.default_rng(1)) for style in STYLES}


def test_there_are_styles_enough():
    assert len({style.label for style in STYLES}) == len(STYLES) == 12


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.label)
def test_presets_name_only_what_can_be_played(style: Style):
    drums = {drum for groove in style.grooves for drum in groove}
    drums |= {drum for kit in style.kits for drum in kit.values()}
    assert drums <= set(DRUMS)
    assert {name for part in style.parts for name in part.instruments} <= set(PITCHED)
    assert set("".join(steps for part in style.parts for steps in part.steps)) <= set(".-xXa01234567")
    assert set("".join(steps for groove in style.grooves for steps in groove.values())) <= set(".xXo")


@pytest.mark.parametrize("name", sorted(PITCHED))
def test_instruments_sound_in_tune(name: str):
    hz = 220.0
    note = Note(hz, 0.8, 0.6, 0.4, RATE, np.random.default_rng(0))
    wave = PITCHED[name](note)
    assert wave.dtype == np.float32
    assert np.isfinite(wave).all()
    assert 0.05 < np.abs(wave).max() < 8
    assert abs(wave[-1]) < 0.05, "ends in a click"
    body = wave[: int(0.8 * RATE)] * np.hanning(int(0.8 * RATE))
    power = np.abs(np.fft.rfft(body)) ** 2
    at_hz = np.arange(len(power)) / 0.8
    tonal = np.abs(at_hz / hz - np.round(at_hz / hz)) * hz < 8  # within 8 Hz of a harmonic
    share = power[tonal & (at_hz > 100)].sum() / power.sum()
    assert share > (0.2 if name in ("bell", "kalimba", "marimba", "vibraphone") else 0.6)


@pytest.mark.parametrize("name", sorted(DRUMS))
def test_drums_strike_and_die_away(name: str):
    wave = DRUMS[name](Kit(1.0, 1.0, 1.0, RATE, np.random.default_rng(0)))
    quarter = len(wave) // 4
    assert np.isfinite(wave).all()
    assert np.abs(wave).max() > 0.05
    assert np.mean(wave[:quarter] ** 2) > 5 * np.mean(wave[-quarter:] ** 2)


def test_same_seed_same_waveform_other_seed_another():
    style = STYLES[3]
    first, again = (render(written(style, seconds=4.0), RATE, np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    other = render(written(style, track=1, seconds=4.0), RATE, np.random.default_rng(1))
    assert np.abs(np.corrcoef(first[0], other[0])[0, 1]) < 0.5


def test_mixes_are_full_scale_safe_and_never_silent(mixes: dict[str, np.ndarray]):
    for label, mix in mixes.items():
        assert mix.shape == (2, 8 * RATE), label
        assert mix.dtype == np.float32, label
        assert np.isfinite(mix).all(), label
        assert np.abs(mix).max() < 0.99, label
        blocks = mix[:, : 7 * RATE].reshape(2, 7, RATE)
        assert 10 * np.log10(np.mean(blocks**2, axis=(0, 2)).min()) > -50, f"{label}: a second of silence"


def test_mixes_are_music_not_beeps(mixes: dict[str, np.ndarray]):
    for label, mix in mixes.items():
        frames = mix[0, : 60 * 4096].reshape(60, 4096) * np.hanning(4096)
        power = np.abs(np.fft.rfft(frames)) ** 2 + 1e-12
        peaks = (power[:, 1:-1] > power[:, :-2]) & (power[:, 1:-1] > power[:, 2:])
        loud = 10 * np.log10(power[:, 1:-1] / power.max(axis=1, keepdims=True)) > -45
        assert np.median((peaks & loud).sum(axis=1)) > 8, f"{label}: too few partials"
        change = np.corrcoef(np.log(power))
        assert np.median(change) < 0.98, f"{label}: one frame is like the next"
        assert not np.allclose(mix[0], mix[1]), f"{label}: no stereo"


def test_level_does_not_give_the_style_away():
    levels = {
        style.label: [
            10 * np.log10(np.mean(render(written(style, seconds=4.0), 22_050, np.random.default_rng(i)) ** 2))
            for i in range(3)
        ]
        for style in STYLES[:6]
    }
    between = np.std([np.mean(values) for values in levels.values()])
    within = np.mean([np.std(values) for values in levels.values()])
    assert between < 2 * within + 1.5


def test_truth_of_a_score_is_within_its_style():
    for style in STYLES:
        score = written(style)
        assert style.tempo[0] <= score.tempo <= style.tempo[1]
        assert style.energy[0] <= score.energy <= style.energy[1]
        assert score.key.mode in style.modes
        assert 0 <= score.instrumentalness <= 1
        assert ("voice" in score.instruments) == (score.instrumentalness < 1)


def test_hits_follow_the_tempo():
    score = written(STYLES[0])
    straight = [score.seconds(beat) for beat in (0.0, 4.0, 8.0)]
    np.testing.assert_allclose(np.diff(straight), 4 * 60 / score.tempo)


def test_steps_play_chords_holds_and_restrikes():
    key = Key(0, "major")
    spans = [Span(0, 2, 0, 0, 0.5), Span(2, 2, 3, 0, 0.5)]
    hits = play_steps("x---------------", spans, key, "triad", 64)
    assert [hit.beat for hit in hits] == [0, 0, 0, 2, 2, 2]  # struck again where the chord changes
    assert {hit.beats for hit in hits} == {2.0}
    assert {int(hit.sound) % 12 for hit in hits[3:]} == {pitch % 12 for pitch in chord_pitches(key, 3, "triad", 64)}
    bass = play_steps("0-..a...", spans[:1], key, "triad", 40)
    assert (bass[0].beat, bass[0].beats, int(bass[0].sound) % 12) == (0, 0.5, 0)
    assert abs(int(bass[1].sound) - int(bass[0].sound)) == 1
