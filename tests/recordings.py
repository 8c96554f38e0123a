"""Real recordings for tests and benchmarks. They are not part of the project.

Conventions
-----------
- The folder is that of the environment variable `AUDIOAE_TEST_DATA`, or else `../shared/data`, seen from the project.
- It holds `esc10.csv` (the 400 sounds of ESC-10: path, label, fold) and `music.csv` (nine tracks: path, title, artist);
  paths are relative to it.
"""

import os
from pathlib import Path

VARIABLE = "AUDIOAE_TEST_DATA"
FOLDER = Path(os.environ.get(VARIABLE) or Path(__file__).parents[1] / ".." / "shared" / "data").resolve()
MISSING = f"no real recordings in {FOLDER}"
HOW_TO_HAVE_THEM = f"set {VARIABLE} to a folder with esc10.csv and music.csv (see tests/recordings.py)"


def available() -> bool:
    """Whether the recordings exist. Raises `FileNotFoundError` if the variable is set and they do not."""
    if (FOLDER / "esc10.csv").is_file() and (FOLDER / "music.csv").is_file():
        return True
    if os.environ.get(VARIABLE):
        raise FileNotFoundError(
            f"{VARIABLE}={os.environ[VARIABLE]}: no esc10.csv and music.csv there; correct or unset it"
        )
    return False
