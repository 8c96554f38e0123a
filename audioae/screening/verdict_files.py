"""Verdict files: the CSV of `audioae findings --out` after a person has filled in the column verdict.

Conventions
-----------
- A verdict is `issue` or `fine`, for one track and one check. Rows without a verdict are skipped.
- Two verdicts that contradict each other, in one file or in two, are an error.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from audioae.errors import ConfigError
from audioae.screening.registry import CHECKS

IS_ISSUE = {"issue": True, "fine": False}
WORDS = {is_issue: word for word, is_issue in IS_ISSUE.items()}
COLUMNS = ("check", "track_id", "verdict")

VerdictRows = dict[tuple[str, str], tuple[bool, str]]
"""(check, track_id) to (is_issue, "file, line")."""


def load_verdicts(paths: str | tuple[str, ...]) -> dict[str, dict[str, bool]]:
    """Read verdict files: for each check, the track_ids with a verdict and whether it says issue.

    Raises
    ------
    ConfigError
        If a file cannot be read or used; the message names file and line.
    """
    rows: VerdictRows = {}
    for path in [paths] if isinstance(paths, str) else paths:
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"screen.verdicts: cannot read {path} ({error}); wanted a CSV file in UTF-8") from error
        # StringIO splits at line feeds only: `splitlines` would also split at characters that titles may contain
        add_verdicts(rows, read_verdicts(io.StringIO(text), path))
    verdicts: dict[str, dict[str, bool]] = {}
    for (check, track_id), (is_issue, _) in rows.items():
        verdicts.setdefault(check, {})[track_id] = is_issue
    return verdicts


def read_verdicts(lines: Iterable[str], path: str) -> VerdictRows:
    """Read the lines of one file.

    Parameters
    ----------
    lines : iterable of str
    path : str
        Name of the file, for messages.

    Raises
    ------
    ConfigError
        If a column is missing, a check or a word is unknown, or two rows contradict each other; the message names the
        line.
    """
    lines = list(lines)
    header = lines[0].lstrip("\ufeff") if lines else ""
    reader = csv.DictReader([header, *lines[1:]], delimiter=max(",;\t", key=header.count))
    if missing := set(COLUMNS) - set(reader.fieldnames or ()):
        raise ConfigError(
            f"{path}, line 1: no column {', '.join(sorted(missing))} among {', '.join(reader.fieldnames or ())}; "
            "wanted the CSV of `audioae findings --out` with its column verdict filled in"
        )
    rows: VerdictRows = {}
    for row in _csv_rows(reader, path):
        line = f"{path}, line {reader.line_num}"
        word, check, track_id = ((row[name] or "").strip() for name in ("verdict", "check", "track_id"))
        if not word:
            continue
        if word.lower() not in IS_ISSUE:
            raise ConfigError(f"{line}: got verdict {word!r}; wanted issue, fine, or nothing")
        if check not in CHECKS:
            raise ConfigError(f"{line}: got check {check!r}; wanted one of {', '.join(CHECKS)}")
        if not track_id:
            raise ConfigError(f"{line}: a verdict without a track_id; fill it in, or remove the verdict")
        add_verdicts(rows, {(check, track_id): (IS_ISSUE[word.lower()], line)})
    return rows


def add_verdicts(rows: VerdictRows, more: Mapping[tuple[str, str], tuple[bool, str]]) -> None:
    """Add to `rows` in place. Raises `ConfigError`, naming both lines, if a verdict contradicts an earlier one."""
    for (check, track_id), (is_issue, line) in more.items():
        known, known_line = rows.setdefault((check, track_id), (is_issue, line))
        if known != is_issue:
            raise ConfigError(
                f"{line}: check {check}, track {track_id} is {WORDS[is_issue]}, but {WORDS[known]} in {known_line}; "
                "remove one of the two"
            )


def _csv_rows(reader: csv.DictReader, path: str) -> Iterator[dict[str, str | None]]:
    try:
        yield from reader
    except csv.Error as error:
        raise ConfigError(f"{path}, line {reader.reader.line_num}: not readable as CSV ({error})") from None
