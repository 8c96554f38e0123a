"""A store whose tracks have audio: one file of each format, and the cases that once were decoded wrongly."""

from pathlib import Path

import numpy as np

from audioae.store.dataset import Store
from tests.audio import made
from tests.audio.test_cases import FOLDER as CASES
from tests.audio.test_cases import SECONDS as CASE_SECONDS
from tests.stores import made_store

KINDS = ("wav", "flac", "mp3", "ogg", "m4a")
DURATION_S = 12.0
RATE = 44_100


def sounding_store(folder: Path) -> tuple[Store, dict[str, str]]:
    """A store, and its track_ids by the names of their files; "gone.mp3" and "text.mp3" cannot be played."""
    audio = folder / "audio"
    audio.mkdir()
    for i, kind in enumerate(KINDS):
        made.write(audio / f"a.{kind}", made.music(DURATION_S, RATE, seed=i), RATE)
    (audio / "text.mp3").write_text("no audio at all, but some text " * 100)
    cases = [CASES / name for name in CASE_SECONDS] if CASES.is_dir() else []
    paths = [*sorted(audio.iterdir()), audio / "gone.mp3", *cases]
    ids = {path.name: f"t{i:02d}" for i, path in enumerate(paths)}
    hashes = [f"{np.random.default_rng(i).integers(1 << 60):032x}" for i in range(len(paths))]
    columns = {"uri": [str(path) for path in paths], "content_hash": hashes}
    return made_store(folder / "store", len(paths), columns=columns), ids
