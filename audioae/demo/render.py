"""Render a score: play every note, mix the parts with their effects, master the mix.

Conventions: stereo float32, shape (2, n), below full scale. The same score, rate and seed give the same waveform.
"""

import numpy as np

from audioae.demo import effects
from audioae.demo import oscillators as osc
from audioae.demo.compose import SINGER, VOICE, Line, Score
from audioae.demo.drums import DRUMS, Kit
from audioae.demo.instruments import INSTRUMENTS, Note
from audioae.demo.voice import choir, sing, sing_word

PITCHED = {**INSTRUMENTS, VOICE: sing, SINGER: sing_word, "choir": choir}
LIGHT = ("hat", "open hat", "ride", "shaker")  # struck softer than the rest of a kit


def render(score: Score, rate: int, rng: np.random.Generator) -> np.ndarray:
    """Turn a score into a stereo mix.

    Parameters
    ----------
    score : Score
    rate : int
        Samples per second.
    rng : np.random.Generator
        Decides noise, human timing, and the tone and loudness of the master, none of which depends on the style.

    Returns
    -------
    np.ndarray, shape (2, score.duration_s * rate), float32
    """
    n = round(score.duration_s * rate)
    mix, send = np.zeros((2, n), np.float32), np.zeros(n, np.float32)
    kicks = np.array([score.seconds(hit.beat) for hit in score.drums if "kick" in str(hit.sound)])
    pump = effects.duck(n, kicks, score.style.duck, rate) if score.style.duck else None
    for line in score.lines:
        if line.hits:
            bus = _play_line(line, score, n, rate, rng)
            bus *= np.float32(line.seat.gain) / _loudness(bus)
            if pump is not None:
                bus *= pump
            mix += _insert(bus, line, score, rate)
            send += bus if line.seat.part.center > 48 else np.float32(0.15) * bus
    if score.drums:
        bus = _play_drums(score, n, rate, rng)
        bus *= np.float32(score.style.drum_gain * (0.7 + 1.1 * score.energy)) / _loudness(bus)
        mix += effects.pan(bus, 0.0)
        send += np.float32(0.3) * bus
    if score.sound.wet > 0.02:
        room = effects.reverb(send, score.sound.room_s, score.sound.damping_hz, rng, rate)
        room *= np.float32(1.5 * score.sound.wet)
        mix += room
    _add_dust(mix, score.sound.crackle, rate, rng)
    mix = effects.tilt(mix, rng.normal(0, 1.5), rng.normal(0, 1.5), rate)
    mix = effects.master(mix, rng.uniform(-20, -13), rate)
    for side in mix:
        osc.fade(side, 0.005, min(rng.uniform(0.4, 2), score.duration_s / 8), rate)
    return mix


def _play_line(line: Line, score: Score, n: int, rate: int, rng: np.random.Generator) -> np.ndarray:
    """All notes of a part on one bus; equal notes are synthesized once."""
    bus = np.zeros(n, np.float32)
    seat, play = line.seat, PITCHED[line.seat.instrument]
    notes: dict[tuple, np.ndarray] = {}
    strum, last_beat = 0, -1.0
    for hit in line.hits:
        strum, last_beat = (strum + 1 if hit.beat == last_beat else 0), hit.beat
        level = 0.7 if hit.velocity < 0.6 else 0.85 if hit.velocity < 0.85 else 1.0
        seconds = round(max(hit.beats, 0.2) * 8) / 8 * 60 / score.tempo
        kind = (hit.sound, seconds, level)
        if kind not in notes:
            hz = 440 * 2 ** ((int(hit.sound) - 69) / 12)
            shade = float(np.clip(score.brightness * level + 0.05, 0.05, 1))
            notes[kind] = play(Note(hz, seconds, shade, seat.color, rate, rng)).astype(np.float32, copy=False)
        human_s = rng.normal(0, score.style.loose_ms / 1000)
        at_s = score.seconds(hit.beat) + human_s + strum * seat.part.strum_ms / 1000
        _add(bus, notes[kind], at_s, hit.velocity * (1 + 0.08 * rng.standard_normal()), rate)
    return bus


def _play_drums(score: Score, n: int, rate: int, rng: np.random.Generator) -> np.ndarray:
    bus = np.zeros(n, np.float32)
    sound = score.sound
    kit = Kit(sound.tune, sound.ring, sound.bright * (0.5 + 0.8 * score.energy), rate, rng)
    strokes = {name: [DRUMS[name](kit) for _ in range(2)] for name in sorted({str(hit.sound) for hit in score.drums})}
    for hit in score.drums:
        at_s = score.seconds(hit.beat) + rng.normal(0, score.style.loose_ms / 2000)
        stroke = strokes[str(hit.sound)][int(rng.integers(2))]
        gain = 0.4 if str(hit.sound) in LIGHT else 1.0
        _add(bus, stroke, at_s, gain * hit.velocity * (1 + 0.06 * rng.standard_normal()), rate)
    return bus


def _insert(bus: np.ndarray, line: Line, score: Score, rate: int) -> np.ndarray:
    """The effects of one part, and its place in the stereo field."""
    part, amount = line.seat.part, line.seat.effects
    beat_s = 60 / score.tempo
    if part.drive:
        bus = effects.drive(bus, part.drive * amount * (0.3 + 0.7 * score.energy), rate)
    if part.tremolo:
        bus = effects.tremolo(bus, 2 / beat_s if amount > 0.6 else 4.5, part.tremolo * amount, rate)
    wide = part.chorus * amount > 0.2
    out = effects.chorus(bus, 4 * part.chorus * amount, 0.6, rate) if wide else effects.pan(bus, line.seat.position)
    if part.echo:
        delay_s = beat_s * (0.75 if amount > 0.5 else 0.5)
        out = out + effects.echo(bus, delay_s, 0.75 * part.echo * amount, rate)
    return out


def _add(bus: np.ndarray, note: np.ndarray, at_s: float, gain: float, rate: int) -> None:
    first = max(int(at_s * rate), 0)
    room = len(bus) - first
    if room > 0:
        bus[first : first + len(note)] += note[:room] * np.float32(gain)


def _loudness(bus: np.ndarray) -> np.float32:
    """RMS of a bus where it plays: divided by it, a mix depends on its gains and not on its instruments."""
    blocks = bus[: len(bus) // 2048 * 2048].reshape(-1, 2048)
    power = np.einsum("bi,bi->b", blocks, blocks) / 2048
    sounding = power[power > 0.05 * power.max()]
    return np.float32(np.sqrt(np.mean(sounding)) + 1e-6) if len(sounding) else np.float32(1)


def _add_dust(mix: np.ndarray, crackle: float, rate: int, rng: np.random.Generator) -> None:
    """Add vinyl crackle where a style has it, and the faint hiss of some recordings, in place."""
    n = mix.shape[1]
    if crackle:
        clicks = rng.integers(0, n, int(crackle * 8 * n / rate))
        dust = np.zeros_like(mix)
        dust[:, clicks] = rng.standard_normal((2, len(clicks)), dtype=np.float32) * np.float32(2.5 * crackle)
        mix += osc.low_pass(dust, 3500, rate)
    if rng.random() < 0.4:
        mix += osc.noise(n, rng) * np.float32(10 ** (rng.uniform(-60, -40) / 20))
