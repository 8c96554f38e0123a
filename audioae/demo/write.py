"""Synthesize the demo catalog: a music folder with planted faults, and the truth about it in two files beside it.

- `truth.csv`: one row per track that holds its music whole (mislabeled and clipped ones too; truncated ones and
  copies not).
- `planted.json`: `{"fingerprint", "config", "planted": [{"path", "kind", "details"}]}`, written last: where it
  stands with the fingerprint of the config, the catalog is complete. The kinds are mislabeled, clipped, truncated,
  duplicate_exact, duplicate_reencoded, silent and garbage; `details` has what is true instead.

Why processes: a track is half a second of numpy and of an encoder, both of which one thread cannot share.
"""

import csv
import io
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from audioae.audio.workers import imap_killable
from audioae.config import fingerprint
from audioae.demo.config import SynthConfig
from audioae.demo.make import Made, make_piece, make_stray, write_whole
from audioae.demo.plan import Piece, Stray, plan_catalog
from audioae.demo.styles import load_styles
from audioae.errors import AudioError, ConfigError

VERSION = 1  # of the code: raise it when a change makes other music of the same config
MB_PER_TRACK = 1.3
PIECE_TIMEOUT_S = 300.0
PLANTED, TRUTH, BEGUN = "planted.json", "truth.csv", ".synth"


def synthesize(folder: Path, config: SynthConfig, on_progress: Callable[[int, int], None] | None = None) -> Path:
    """Write the catalog to `folder`; a finished one is left alone, an interrupted one is completed.

    Parameters
    ----------
    folder : Path
        New, empty, or begun earlier with the same config.
    config : SynthConfig
    on_progress : callable, optional
        Called with (files done, files in all).

    Returns
    -------
    Path
        `folder`.

    Raises
    ------
    ConfigError
        If the folder holds something else, or cannot be written.
    """
    folder, mark = Path(folder), _mark(config)
    try:
        if _begin(folder, mark):
            return folder
        pieces, strays = plan_catalog(config)
        made = _run(folder, config, pieces, strays, on_progress or (lambda done, total: None))
        _write_truth(folder, mark, config, made)
    except OSError as error:
        raise ConfigError(
            f"{folder}: the demo catalog cannot be written: {error}; make room ({MB_PER_TRACK:g} MB per track) "
            "or name another folder"
        ) from error
    return folder


def _mark(config: SynthConfig) -> str:
    """What the music depends on: the code, the styles and the config, but not how many worked on it."""
    return fingerprint([VERSION, load_styles(), config.model_dump(exclude={"workers"})])


def _begin(folder: Path, mark: str) -> bool:
    """Claim the folder for this config; True if the catalog is already complete."""
    planted, begun = folder / PLANTED, folder / BEGUN
    if planted.is_file():
        found = json.loads(planted.read_text(encoding="utf-8")).get("fingerprint")
    else:
        found = begun.read_text(encoding="utf-8") if begun.is_file() else None
    if found is None and folder.is_dir() and any(folder.iterdir()):
        raise ConfigError(f"{folder}: not empty, and no demo catalog; wanted a new or empty folder: name another one")
    if found not in (None, mark):
        raise ConfigError(
            f"{folder}: holds a demo catalog of another config (got {found}, wanted {mark}): "
            "delete it or name another folder"
        )
    if planted.is_file():
        return True
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(begun, mark.encode())
    return False


def _run(
    folder: Path, config: SynthConfig, pieces: list[Piece], strays: list[Stray], on_progress: Callable[[int, int], None]
) -> list[Made]:
    total = len(pieces) + len(strays)
    made: list[Made] = []

    def collect(results: Iterable[Made | AudioError]) -> None:
        for result in results:
            if isinstance(result, AudioError):  # a worker hung or died
                raise result
            made.append(result)
            on_progress(len(made), total)

    workers = min(config.workers or len(os.sched_getaffinity(0)), len(pieces))
    jobs = ((number, (folder, config, piece)) for number, piece in enumerate(pieces))
    collect(made for _, made in imap_killable(make_piece, jobs, workers=workers, timeout_s=PIECE_TIMEOUT_S))
    collect(make_stray(folder, config, stray) for stray in strays)
    return made


def _write_truth(folder: Path, mark: str, config: SynthConfig, made: list[Made]) -> None:
    text = io.StringIO()
    rows = sorted((row for one in made for row in one.truth), key=lambda row: row["path"])
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(folder / TRUTH, text.getvalue().encode())
    planted = sorted((row for one in made for row in one.planted), key=lambda row: row["path"])
    content = {"fingerprint": mark, "config": config.model_dump(mode="json", exclude={"workers"}), "planted": planted}
    write_whole(folder / PLANTED, (json.dumps(content, indent=1) + "\n").encode())
