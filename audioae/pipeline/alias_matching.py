"""Which track of the catalog each row of another system's list means.

Conventions
-----------
- Rules are tried in the order of `RULES`, the most certain first; a row is matched by the first rule that finds exactly
  one track. A rule that finds several finds none.
- Tracks of the same bytes are one track; of these, the one that is kept (not `duplicate_of`) is found, unless the rule
  names another.
- Metadata match if title and artist are the same but for case, Unicode form, spaces and punctuation, and the durations
  differ by at most `duration_tolerance_s`. Tracks of the same album go first.
- What a rule finds is a row of `tracks`, or one of the negative `NONE`, `SEVERAL`, `NO_VALUE`.

Why joins of whole columns: a million rows and a million tracks take seconds.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are generated at import
from pydantic import Field

from audioae.config import Config
from audioae.pipeline.alias_paths import NO_VALUE, NONE, SEVERAL, find_unique, match_paths

RULES = ("track_id", "isrc", "musicbrainz", "path", "metadata")
COLUMNS = ("track_id", "uri", "title", "artist", "album", "duration_s", "duplicate_of", "isrc", "musicbrainz_id")
WORDS = {NONE: "no track", SEVERAL: "several tracks", NO_VALUE: "no value"}
_LONGEST_S = 1e6
_ROUNDING_S = 1e-3


class MatchOptions(Config):
    """How rows are matched.

    strip_prefix : what another system's paths begin with and the catalog's do not.
    path_prefix : what the catalog's paths begin with instead; then the whole path must be the same.
    duration_tolerance_s : how much two durations of one recording may differ.
    """

    strip_prefix: str | None = None
    path_prefix: str | None = None
    duration_tolerance_s: float = Field(default=2.0, ge=0, le=60)


@dataclass(frozen=True)
class Matches:
    """What was found for n rows.

    Attributes
    ----------
    track : np.ndarray, shape (n,), int64
        A row of `tracks`, negative where none was found.
    rule : np.ndarray, shape (n,), int8
        Which of `RULES` found it.
    reasons : pa.Array, length n
        Why none was found, such as "isrc: no track; path: several tracks"; null where one was.
    groups : np.ndarray, shape (n_tracks,), int64
        The row of the track that is kept of those with the same bytes.
    """

    track: np.ndarray
    rule: np.ndarray
    reasons: pa.Array
    groups: np.ndarray


def match_rows(rows: pa.Table, tracks: pa.Table, options: MatchOptions) -> Matches:
    """Find the track of each row.

    Parameters
    ----------
    rows : pa.Table
        As `alias_files.read_alias_file` gives them.
    tracks : pa.Table
        `COLUMNS` of the dataset.
    options : MatchOptions
    """
    groups = _groups(tracks)
    found = {rule: _find(rule, rows, tracks, groups, options) for rule in RULES}
    track, rule = np.full(rows.num_rows, NONE), np.full(rows.num_rows, -1, np.int8)
    for number, name in enumerate(RULES):
        new = (track < 0) & (found[name] >= 0)
        track[new], rule[new] = found[name][new], number
    return Matches(track, rule, _reasons(found, track >= 0), groups)


def _groups(tracks: pa.Table) -> np.ndarray:
    rows = np.arange(tracks.num_rows)
    original = pc.index_in(tracks["duplicate_of"], value_set=tracks["track_id"].combine_chunks(), skip_nulls=True)
    original = pc.fill_null(original, -1).to_numpy()
    return np.where(original < 0, rows, original)


def _find(rule: str, rows: pa.Table, tracks: pa.Table, groups: np.ndarray, options: MatchOptions) -> np.ndarray:
    if rule == "metadata":
        return _match_metadata(rows, tracks, groups, options.duration_tolerance_s)
    column = {"musicbrainz": "musicbrainz_id"}.get(rule, rule)
    if column not in rows.column_names:
        return np.full(rows.num_rows, NO_VALUE)
    wanted = rows[column].combine_chunks()
    if rule == "path":
        return match_paths(wanted, tracks["uri"].combine_chunks(), groups, options.strip_prefix, options.path_prefix)
    if rule == "isrc":
        wanted = isrc_key(wanted)
    if rule == "musicbrainz":
        wanted = musicbrainz_key(wanted)
    return find_unique(wanted, tracks[column].combine_chunks(), groups)


def isrc_key(texts: pa.Array) -> pa.Array:
    """Codes as the catalog has them, whatever their case and hyphens; null where a text is no code.

    >>> isrc_key(pa.array(["us-rc1-76-07839", "ISRC:QZES71982312", "none"])).to_pylist()
    ['USRC17607839', 'QZES71982312', None]
    """
    codes = pc.utf8_upper(pc.replace_substring_regex(texts, r"[\s\-‐‑–]", ""))
    codes = pc.replace_substring_regex(codes, r"^ISRC:?", "")
    return pc.if_else(pc.match_substring_regex(codes, r"^[A-Z]{2}[A-Z0-9]{3}[0-9]{7}$"), codes, None)


def musicbrainz_key(texts: pa.Array) -> pa.Array:
    """IDs as the catalog has them, from IDs or addresses; null where a text has none."""
    uuid = r"(?P<id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
    return pc.struct_field(pc.extract_regex(pc.utf8_lower(texts), uuid), "id")


def text_key(texts: pa.Array) -> pa.Array:
    """Texts without case, Unicode form, spaces and punctuation; a text of punctuation only stays.

    >>> text_key(pa.array(["  Don’t  STOP (Now)", "!!!", None])).to_pylist()
    ['dontstopnow', '!!!', None]
    """
    lower = pc.utf8_lower(pc.utf8_normalize(texts, form="NFKC"))
    bare = pc.replace_substring_regex(lower, r"[\p{P}\p{S}\p{Z}\p{C}]+", "")
    return pc.if_else(pc.equal(bare, ""), pc.utf8_trim_whitespace(lower), bare)


def _match_metadata(rows: pa.Table, tracks: pa.Table, groups: np.ndarray, tolerance_s: float) -> np.ndarray:
    """By title, artist and duration; where rows have an album, by that as well first."""
    if not {"title", "artist", "duration_s"} <= set(rows.column_names):
        return np.full(rows.num_rows, NO_VALUE)
    found = _match_texts(("title", "artist"), rows, tracks, groups, tolerance_s)
    if "album" in rows.column_names:
        on_album = _match_texts(("title", "artist", "album"), rows, tracks, groups, tolerance_s)
        found = np.where((on_album >= 0) | (on_album == SEVERAL), on_album, found)
    return found


def _match_texts(
    names: tuple[str, ...], rows: pa.Table, tracks: pa.Table, groups: np.ndarray, tolerance_s: float
) -> np.ndarray:
    """The tracks of the same texts are sorted by duration, so that those within the tolerance are a slice."""
    encoded = _joined(names, tracks).dictionary_encode()
    code = pc.fill_null(encoded.indices, -1).to_numpy()
    wanted = _joined(names, rows)
    wanted_code = pc.fill_null(pc.index_in(wanted, value_set=encoded.dictionary, skip_nulls=True), -1).to_numpy()
    length, wanted_length = (_seconds(table["duration_s"]) for table in (tracks, rows))
    usable = np.flatnonzero((code >= 0) & ~np.isnan(length))
    is_copy = groups[usable] != usable
    usable = usable[np.lexsort((is_copy, length[usable], code[usable]))]
    position = code[usable] * _LONGEST_S + length[usable]
    place = wanted_code * _LONGEST_S + wanted_length
    margin = tolerance_s + _ROUNDING_S
    first = np.searchsorted(position, place - margin, "left")
    last = np.searchsorted(position, place + margin, "right")
    changes = np.cumsum(np.append(False, np.diff(groups[usable]) != 0))  # in a slice of one group there is none
    known = (wanted_code >= 0) & ~np.isnan(wanted_length) & (first < last)
    result = np.where(pc.is_valid(wanted).to_numpy(zero_copy_only=False) & ~np.isnan(wanted_length), NONE, NO_VALUE)
    one = changes[first[known]] == changes[last[known] - 1]
    result[known] = np.where(one, usable[first[known]], SEVERAL)
    return result


def _joined(names: tuple[str, ...], table: pa.Table) -> pa.Array:
    keys = [text_key(table[name].combine_chunks()) for name in names]
    return pc.binary_join_element_wise(*keys, "\x1f")


def _seconds(column: pa.ChunkedArray) -> np.ndarray:
    """Durations that leave room for the tolerance between two texts; NaN where unknown."""
    seconds = column.to_numpy().astype(np.float64)
    return np.where((seconds > 0) & (seconds < _LONGEST_S / 2), seconds, np.nan)


def _reasons(found: dict[str, np.ndarray], is_found: np.ndarray) -> pa.Array:
    """The results of all rules in words; rows that differ in nothing share one text."""
    states = np.stack([np.minimum(result, 0) for result in found.values()], axis=1)[~is_found]
    kinds, which = np.unique(states, axis=0, return_inverse=True)
    texts = [
        "; ".join(f"{rule}: {WORDS[int(state)]}" for rule, state in zip(found, kind, strict=True) if state != NO_VALUE)
        for kind in kinds
    ]
    index = np.full(len(is_found), -1)
    index[~is_found] = which.ravel()
    texts = pa.array([text or "nothing to find a track by" for text in texts], pa.string())
    return texts.take(pa.array(index, mask=is_found))
