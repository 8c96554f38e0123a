"""Synthesize the demo catalog: a music folder with planted faults, and two files of ground truth in it.

- `truth.csv`: one row per track, without truncated ones and copies; mislabeled and clipped tracks are included.
- `planted.json`: `{"fingerprint", "config", "planted": [{"path", "kind", "details"}]}`, written last: a catalog whose
  file has the fingerprint of the config is complete. The kinds are mislabeled, clipped, truncated, duplicate_exact,
  duplicate_reencoded, silent and garbage; `details` has the facts behind the fault, such as the true label.

Why processes: a track keeps one core busy for half a second, and most of that cannot use threads.
"""

import csv
import io
import json
import os
from collections.abc import Iterable
from pathlib import Path

from audioae.audio.workers import imap_killable
from audioae.config import fingerprint
from audioae.demo.config import BEGUN, PLANTED, SynthConfig
from audioae.demo.make import Records, make_piece, make_stray, write_whole
from audioae.demo.plan import Piece, Stray, plan_catalog
from audioae.demo.styles import load_styles
from audioae.errors import AudioError, ConfigError
from audioae.progress import Advance

VERSION = 2  # of the code: increase it when the same config would give other music
MB_PER_TRACK = 1.3
PIECE_TIMEOUT_S = 300.0
TRUTH = "truth.csv"


def synthesize(folder: Path, config: SynthConfig, progress: Advance | None = None) -> Path:
    """Write the catalog to `folder`; a finished catalog is kept, an interrupted one is completed.

    Parameters
    ----------
    folder : Path
        New, empty, or begun earlier with the same config.
    config : SynthConfig
    progress : Advance, optional
        Counts files: tracks, and files without music.

    Returns
    -------
    Path
        `folder`.

    Raises
    ------
    ConfigError
        If the folder has other files or the catalog of another config, or cannot be written.
    """
    folder, mark = Path(folder), _mark(config)
    try:
        if _begin(folder, mark):
            return folder
        pieces, strays = plan_catalog(config)
        records = _write_files(folder, config, pieces, strays, progress)
        _write_truth(folder, mark, config, records)
    except OSError as error:
        raise ConfigError(
            f"{folder}: the demo catalog cannot be written: {error}; make room ({MB_PER_TRACK:g} MB per track) "
            "or name another folder"
        ) from error
    return folder


def _mark(config: SynthConfig) -> str:
    """A fingerprint of all that the music depends on: the code, the styles, and the config except for `workers`."""
    return fingerprint([VERSION, load_styles(), config.decisive])


def _begin(folder: Path, mark: str) -> bool:
    """Claim the folder for this config; True if the catalog is already complete."""
    planted, begun = folder / PLANTED, folder / BEGUN
    if planted.is_file():
        claimed_by = json.loads(planted.read_text(encoding="utf-8")).get("fingerprint")
    else:
        claimed_by = begun.read_text(encoding="utf-8") if begun.is_file() else None
    if claimed_by is None and folder.is_dir() and any(folder.iterdir()):
        raise ConfigError(f"{folder}: not empty, and not a demo catalog; wanted a new or empty folder")
    if claimed_by not in (None, mark):
        raise ConfigError(
            f"{folder}: has a demo catalog of another config or version (got {claimed_by}, wanted {mark}): "
            "delete it or name another folder"
        )
    if planted.is_file():
        return True
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(begun, mark.encode())
    return False


def _write_files(
    folder: Path, config: SynthConfig, pieces: list[Piece], strays: list[Stray], progress: Advance | None
) -> list[Records]:
    total = len(pieces) + len(strays)
    records: list[Records] = []

    def collect(results: Iterable[Records | AudioError]) -> None:
        for result in results:
            if isinstance(result, AudioError):  # a worker hung or died
                raise result
            records.append(result)
            if progress:
                progress(len(records), total)

    workers = min(config.workers or len(os.sched_getaffinity(0)), len(pieces))
    jobs = ((number, (folder, config, piece)) for number, piece in enumerate(pieces))
    collect(result for _, result in imap_killable(make_piece, jobs, workers=workers, timeout_s=PIECE_TIMEOUT_S))
    collect(make_stray(folder, config, stray) for stray in strays)
    return records


def _write_truth(folder: Path, mark: str, config: SynthConfig, records: list[Records]) -> None:
    text = io.StringIO()
    rows = sorted((row for record in records for row in record.truth), key=lambda row: row["path"])
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(folder / TRUTH, text.getvalue().encode())
    planted = sorted((row for record in records for row in record.planted), key=lambda row: row["path"])
    content = {"fingerprint": mark, "config": config.decisive, "planted": planted}
    write_whole(folder / PLANTED, (json.dumps(content, indent=1) + "\n").encode())
