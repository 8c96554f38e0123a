"""A catalog of single sounds by the demo's own synthesizer: every drum and every instrument, one hit or note a file.

    python -m tests.bench.synthesized_sounds OUT

`OUT/single.csv` lists 8 files of each sound; the label is the sound, the artist a player with a kit and a manner of its
own. Notes are .1 to .8 s long and spread over three octaves, so a sound cannot be told by its pitch.

Convention: mono FLAC of 16 bits at 44,100 Hz; the same code writes the same files.
"""

import csv
import sys
from pathlib import Path

import numpy as np
import soundfile

from audioae.demo.drums import DRUMS, Kit
from audioae.demo.instruments import INSTRUMENTS, Note

SAMPLE_RATE = 44_100
PER_SOUND = 8


def make_single(folder: Path) -> int:
    """Write the files and their manifest; return how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    sounds = {**dict.fromkeys(DRUMS, _hit), **dict.fromkeys(INSTRUMENTS, _note)}
    rows = []
    for name, play in sounds.items():
        for player in range(PER_SOUND):
            rng = np.random.default_rng([player, *name.encode()])
            wave = play(name, player, rng)
            path = f"{name.replace(' ', '-')}-{player}.flac"
            soundfile.write(folder / path, 0.7 * wave / np.abs(wave).max(), SAMPLE_RATE, subtype="PCM_16")
            rows.append({"path": path, "label": name, "artist": f"player {player}"})
    with (folder / "single.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["path", "label", "artist"])
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


def _hit(name: str, player: int, rng: np.random.Generator) -> np.ndarray:
    tune, ring, bright = rng.uniform(0.8, 1.25), rng.uniform(0.7, 1.4), rng.uniform(0.7, 1.4)
    return DRUMS[name](Kit(tune, ring, bright, SAMPLE_RATE, rng))


def _note(name: str, player: int, rng: np.random.Generator) -> np.ndarray:
    hz = 110 * 2 ** ((player + rng.uniform(0, 1)) * 3 / PER_SOUND)
    note = Note(hz, rng.uniform(0.1, 0.8), rng.uniform(0.2, 0.8), rng.uniform(0, 1), SAMPLE_RATE, rng)
    return INSTRUMENTS[name](note)


if __name__ == "__main__":
    out = Path(sys.argv[1])
    print(f"{make_single(out)} files: {out}/single.csv")
