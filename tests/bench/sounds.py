"""Two catalogs of sounds that are no music, to see that a default chosen on music and noises does not fail on others.

    python -m tests.bench.sounds OUT        (apt-get install -y espeak-ng fluidsynth fluid-soundfont-gm)

- `OUT/speech/speech.csv`: 24 voices of espeak-ng read the same 18 texts of 2 to 4 s. The label is the speaker; the
  album is the digit where the text is one (so the question "same album?" is "same digit?"), and empty elsewhere.
- `OUT/speech/digits.csv`: the digits of these files alone. The label is the digit, the artist the speaker.
- `OUT/oneshot/oneshot.csv`: 40 instruments and 10 drums of the General MIDI soundfont, 8 notes or hits of 0.6 to 2.5 s
  each. The label is the instrument, the album its family.

Conventions
-----------
- Mono FLAC of 16 bits, at the levels that the program gives its sounds. Same versions of the programs, same files.
- `word`, `text`, `pitch` (MIDI key) and `velocity` (1 to 127) stand in the manifests for other readers.
"""

import argparse
import csv
import random
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

ACCENTS = ("en-us", "en-gb", "en-gb-scotland", "en-029", "en-gb-x-rp", "en-us-nyc", "en-gb-x-gbclan", "en-gb-x-gbcwmd")
VARIANTS = ("m1", "f1", "m2", "f2", "m3", "f3", "m5", "f4", "m7", "f5", "klatt2", "m8")
N_SPEAKERS = 24  # the least common multiple of 8 accents and 12 variants: no pair comes twice
PAUSE = '<break time="400ms"/>'
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEXTS = (
    "apple, river, window, Tuesday",
    "hammer! feather! garden! smoke!",
    "yellow, purple, orange, grey, blue",
    "Please leave the keys under the red flower pot.",
    "Is there another train to the coast this evening?",
    "My brother never learned how to whistle.",
    "Wait! Somebody forgot to close the kitchen window.",
    "We counted eleven herons standing along the canal.",
)

SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
SAMPLE_RATE = 44_100
NOTES = 8
SLOT_MS = 3000  # from one note to the next
LEAD_MS = 10  # kept before a note
GAIN = 1.0
DRUM_CHANNEL = 9
KITS = (0, 8, 16, 24, 25, 32, 40, 0)  # not 48: its keys are of other drums
# family -> instrument -> General MIDI program, lowest and highest key
INSTRUMENTS = {
    "piano": {"grand_piano": (0, 36, 92), "electric_piano": (4, 36, 88), "harpsichord": (6, 41, 84)},
    "mallet": {"celesta": (8, 60, 96), "vibraphone": (11, 53, 86), "marimba": (12, 48, 84), "bells": (14, 60, 77)},
    "organ": {"drawbar_organ": (16, 36, 88), "church_organ": (19, 36, 88), "accordion": (21, 53, 88)},
    "guitar": {"nylon_guitar": (24, 40, 80), "clean_guitar": (27, 40, 82), "distorted_guitar": (30, 40, 80)},
    "bass": {"upright_bass": (32, 28, 52), "slap_bass": (36, 28, 52), "synth_bass": (38, 26, 52)},
    "strings": {"violin": (40, 55, 92), "cello": (42, 36, 72), "pizzicato": (45, 40, 84), "harp": (46, 36, 92)},
    "ensemble": {"string_ensemble": (48, 40, 86), "choir": (52, 48, 79), "orchestra_hit": (55, 48, 72)},
    "brass": {"trumpet": (56, 55, 84), "trombone": (57, 40, 70), "tuba": (58, 29, 55), "french_horn": (60, 41, 74)},
    "reed": {"alto_sax": (65, 50, 80), "oboe": (68, 58, 88), "bassoon": (70, 35, 68), "clarinet": (71, 50, 88)},
    "pipe": {"flute": (73, 60, 94), "pan_flute": (75, 60, 91), "ocarina": (79, 60, 86)},
    "synth": {"square_lead": (80, 48, 86), "saw_lead": (81, 48, 86), "warm_pad": (89, 40, 80)},
    "plucked": {"sitar": (104, 48, 77), "banjo": (105, 48, 84), "kalimba": (108, 48, 79)},
}
# drum -> keys of the drum channel; the kits take turns
DRUMS = {
    "kick": (35, 36),
    "snare": (38, 40),
    "closed_hat": (42, 44),
    "open_hat": (46,),
    "crash": (49, 57),
    "ride": (51, 59),
    "low_tom": (41, 43, 45),
    "high_tom": (47, 48, 50),
    "cowbell": (56,),
    "conga": (60, 61, 62, 63, 64),
}


def make_speech(folder: Path) -> int:
    """Write the spoken files and both manifests; return how many files there are."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for i in range(N_SPEAKERS):
        rng = random.Random(f"speaker {i}")
        speaker = f"{i:02}-{ACCENTS[i % len(ACCENTS)]}-{VARIANTS[i % len(VARIANTS)]}"
        voice = f"{ACCENTS[i % len(ACCENTS)]}+{VARIANTS[i % len(VARIANTS)]}"
        manner = ["-v", voice, "-a", "50", "-p", str(rng.randint(25, 75)), "-s", str(rng.randint(135, 185))]
        melody = rng.randint(50, 150)
        spoken = [(word, f"{word}, {PAUSE} {word}? {PAUSE} {word}!") for word in DIGITS] + [
            ("", text) for text in TEXTS
        ]
        for k, (word, text) in enumerate(spoken):
            path = f"{speaker}-{k:02}.flac"
            _speak(folder / path, manner, f'<prosody range="{melody}%">{text}</prosody>')
            digit = str(DIGITS.index(word)) if word else ""
            rows.append({"path": path, "label": speaker, "album": digit, "word": word, "text": text})
    _write_manifest(folder / "speech.csv", rows)
    digits = [
        {"path": row["path"], "label": row["album"], "artist": row["label"], "word": row["word"]}
        for row in rows
        if row["word"]
    ]
    _write_manifest(folder / "digits.csv", digits)
    return len(rows)


def make_oneshot(folder: Path) -> int:
    """Write the notes and hits and their manifest; return how many files there are."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for family, instruments in INSTRUMENTS.items():
        for name, (program, low, high) in instruments.items():
            keys = [round(key) for key in np.linspace(low, high, NOTES)]
            rows += _play(folder, family, name, 0, [program] * NOTES, keys)
    for name, keys in DRUMS.items():
        rows += _play(folder, "drums", name, DRUM_CHANNEL, KITS, [keys[k % len(keys)] for k in range(NOTES)])
    _write_manifest(folder / "oneshot.csv", rows)
    return len(rows)


def _speak(path, manner, markup):
    wav = subprocess.run(["espeak-ng", "-m", "-z", *manner, "--stdout", markup], check=True, capture_output=True).stdout
    waveform = np.frombuffer(wav[44:], "<i2")  # behind the header, whose length field is a stream's
    soundfile.write(path, waveform, struct.unpack_from("<I", wav, 24)[0], subtype="PCM_16")


def _play(folder, family, name, channel, programs, keys):
    """Render the notes of one instrument in one go, cut them apart; return their rows."""
    rng = random.Random(name)
    events, cuts, rows = [], [], []
    for k, (program, key) in enumerate(zip(programs, keys, strict=True)):
        start, velocity = k * SLOT_MS + 200, rng.randint(45, 120)
        hold = rng.randint(400, 1600)
        release = rng.randint(200, 900) if channel != DRUM_CHANNEL else 200
        bend = rng.randint(6144, 10_240) if channel == DRUM_CHANNEL else 8192  # a drum of another size: +-1/2 semitone
        events += [
            (start - 200, bytes((0xB0 | channel, 120, 0))),  # nothing sounds on
            (start - 100, bytes((0xC0 | channel, program))),
            (start - 100, bytes((0xE0 | channel, bend & 127, bend >> 7))),
            (start, bytes((0x90 | channel, key, velocity))),
            (start + hold, bytes((0x80 | channel, key, 0))),
        ]
        cuts.append((start - LEAD_MS, start + hold + release))
        path = f"{family}-{name}-{k}.flac"
        rows.append({"path": path, "label": name, "album": family, "pitch": key, "velocity": velocity})
    waveform = _render(events, NOTES * SLOT_MS)
    fade = np.linspace(1, 0, SAMPLE_RATE // 20)
    for row, (begin, end) in zip(rows, cuts, strict=True):
        note = waveform[begin * SAMPLE_RATE // 1000 : end * SAMPLE_RATE // 1000].copy()
        note[-len(fade) :] *= fade
        peak = np.abs(note).max()
        if not 1e-3 < peak < 1:
            raise SystemExit(
                f"{row['path']}: peak {peak:.3g}, wanted 0.001 to 1; check GAIN, and that {SOUNDFONT} has it"
            )
        soundfile.write(folder / row["path"], note, SAMPLE_RATE, subtype="PCM_16")
    return rows


def _render(events, length_ms):
    """Waveform (n,) float64 of MIDI events, (time in ms, message) in order; dry, channels averaged."""
    track, now = bytearray(b"\x00\xff\x51\x03\x0f\x42\x40"), 0  # a quarter note takes 1 s, and is 1000 ticks
    for time, message in [*events, (length_ms, b"\xff\x2f\x00")]:
        track += _variable_length(time - now) + message
        now = time
    header = b"MThd" + struct.pack(">IHHH", 6, 0, 1, 1000) + b"MTrk" + struct.pack(">I", len(track))
    with tempfile.TemporaryDirectory() as scratch:
        midi, wav = Path(scratch) / "notes.mid", Path(scratch) / "notes.wav"
        midi.write_bytes(header + track)
        sound = ["-r", str(SAMPLE_RATE), "-g", str(GAIN), "-R", "0", "-C", "0", "-T", "wav", "-O", "float"]
        command = ["fluidsynth", "-n", "-i", "-q", *sound, "-F", str(wav), str(SOUNDFONT), str(midi)]
        subprocess.run(command, check=True, capture_output=True)
        return soundfile.read(wav, always_2d=True)[0].mean(axis=1)


def _variable_length(ticks):
    """A MIDI delta time: 7 bits per byte, the highest first, all but the last marked."""
    digits = [ticks & 127]
    while ticks := ticks >> 7:
        digits.insert(0, ticks & 127 | 128)
    return bytes(digits)


def _write_manifest(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Make the catalogs of spoken and single sounds.")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder that gets speech/ and oneshot/")
    out = parser.parse_args(arguments).out
    missing = [program for program in ("espeak-ng", "fluidsynth") if not shutil.which(program)]
    missing += [str(SOUNDFONT)] if not SOUNDFONT.is_file() else []
    if missing:
        print(f"missing: {', '.join(missing)}; do: apt-get install -y espeak-ng fluidsynth fluid-soundfont-gm")
        return 2
    print(f"{make_speech(out / 'speech')} files: {out / 'speech'}/speech.csv, digits.csv", flush=True)
    print(f"{make_oneshot(out / 'oneshot')} files: {out / 'oneshot'}/oneshot.csv")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
