"""The check duplicate: recordings that the catalog contains more than once, which copy to keep, and why.

Conventions
-----------
- The groups come from the catalog (same bytes) and from the index (same recording, see `audio.fingerprint`). This check
  compares no audio, so it never merges anything else.
- The copy to keep scores 1, another file with the same bytes scores 0, and any other copy 1 minus its similarity. A
  group is one finding; the suggestion is the track_id of the copy to keep.
"""

# pyright: reportAttributeAccessIssue=false

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from audioae.library.generation import Generation
from audioae.pipeline.config import Workers
from audioae.pipeline.index_neighbors import read_index_neighbors
from audioae.progress import Progress
from audioae.screening.duplicate.best_copy import Loss, choose_copy
from audioae.screening.duplicate.config import DuplicateConfig
from audioae.screening.result import EvidenceOf, Screened
from audioae.screening.text import count
from audioae.store.schemas import HEALTH as HEALTH_SCHEMA

BLOCK = 1 << 12  # groups in memory as Python objects
MAX_LISTED = 100  # copies that evidence names: a thousand silent tracks would name each other a million times
THRESHOLD = 0.5  # a near duplicate is at least 0.6 similar, so its score is at most 0.4
HEALTH = (
    *("track_id", "codec", "bit_rate", "channels", "correlation", "cutoff_hz", "sample_rate"),
    *("clipped_fraction", "flat_fraction", "duration_s"),
)


class _Groups(NamedTuple):
    """For each catalog row: the number of its group; the first row with its bytes; whether it was compared with others;
    its similarity to the nearest copy."""

    number: np.ndarray
    original: np.ndarray
    compared: np.ndarray
    similarity: np.ndarray


class _Copy(NamedTuple):
    """What the evidence of a copy is made of: its group, the copy to keep, and why this one is not it."""

    shared: dict[str, Any]
    kept: str
    exact: bool
    loss: Loss | None
    losses: list[Loss | None] | None  # of the whole group, for the copy to keep


def screen_duplicate(library: Generation, config: DuplicateConfig, workers: Workers, progress: Progress) -> Screened:
    """One finding per recording that the catalog contains more than once."""
    progress("comparing copies", 0, 1)
    neighbors = read_index_neighbors(library.store, library.index_ref) if config.near else None
    groups = _groups(library, neighbors)
    n = len(groups.number)
    score, confidence = np.ones(n, np.float32), np.full(n, np.nan, np.float32)
    names, keepers = np.full(n, "", dtype=object), np.full(n, "", dtype=object)
    copies: dict[int, _Copy] = {}
    n_groups = 0
    for members, tracks in _groups_of_several(library, groups):
        n_groups += 1
        choice = choose_copy([track.health for track in tracks])
        kept, track_ids = tracks[choice.keep], [track.track_id for track in tracks]
        names[members] = f"copies of {kept.name}"
        keepers[np.delete(members, choice.keep)] = kept.track_id
        shared = {"copies": _listed(track_ids, choice.keep), "keep": kept.track_id}
        originals = Counter(groups.original[members].tolist())
        for i, (row, loss) in enumerate(zip(members.tolist(), choice.losses, strict=True)):
            if i == choice.keep:
                copies[row] = _Copy(shared, kept.name, False, None, choice.losses)
                continue
            exact = originals[int(groups.original[row])] > 1
            similarity = 1.0 if exact else float(groups.similarity[row])
            score[row], confidence[row] = 1 - similarity, similarity
            copies[row] = _Copy(shared, kept.name, exact, loss, None)
    progress("comparing copies", 1, 1)
    compared = np.flatnonzero(groups.compared)

    def explain(row: int) -> dict[str, Any]:
        return _evidence(copies[int(compared[row])], float(confidence[compared[row]]))

    return Screened(
        "duplicate",
        library.tracks["track_id"].filter(pa.array(groups.compared)).combine_chunks(),
        score[compared],
        THRESHOLD,
        EvidenceOf(np.searchsorted(compared, np.fromiter(copies, np.int64, len(copies))), explain),
        names[compared],
        keepers[compared],
        confidence[compared],
        {"groups": n_groups, "copies": int((score < THRESHOLD).sum())},
        _omitted(library, config, neighbors is not None, n - len(compared)),
    )


def _evidence(copy: _Copy, similarity: float) -> dict[str, Any]:
    if copy.losses is not None:
        return {"why": _why_kept(copy.losses), **copy.shared}
    how = "same bytes as another copy" if copy.exact else f"same recording (similarity {similarity:.2f})"
    evidence = {"why": f"{how}; keep {copy.kept}: {_why_discarded(copy.loss)}", **copy.shared}
    return evidence | ({"rules": [_rule(copy.loss)]} if copy.loss else {})


def _listed(track_ids: list[str], keep: int) -> list[str]:
    """The copies that evidence names: all, or `MAX_LISTED` of a large group with the one to keep."""
    if len(track_ids) <= MAX_LISTED or keep < MAX_LISTED:
        return track_ids[:MAX_LISTED]
    return [*track_ids[: MAX_LISTED - 1], track_ids[keep]]


def _groups(library: Generation, neighbors: pa.Table | None) -> _Groups:
    ids, index_row = library.columns.ids, library.alignment.index_row
    n_index, n = len(library.index), len(index_row)
    original = np.arange(n)
    duplicate_of = library.tracks["duplicate_of"]
    exact = np.flatnonzero(duplicate_of.is_valid().to_numpy())
    rows = ids.rows_of(duplicate_of.drop_null().combine_chunks())
    original[exact] = np.where(rows >= 0, rows, exact)
    of_index = library.alignment.group if neighbors is not None else np.arange(n_index)
    number = np.where(index_row >= 0, of_index[index_row] if n_index else 0, n_index + original)
    similarity = np.full(n, np.nan, np.float32)
    if neighbors is not None:  # the file's column is called sameness
        copies = neighbors.filter(neighbors["sameness"].is_valid())
        by_index = np.full(n_index + 1, np.nan, np.float32)  # the last is for -1
        places = index_row[ids.rows_of(copies["track_id"].combine_chunks())]
        by_index[places] = copies["sameness"].to_numpy()
        by_index[-1] = np.nan
        similarity = by_index[index_row]
    has_twin = np.bincount(original, minlength=n)[original] > 1
    return _Groups(number, original, (index_row >= 0) | has_twin, similarity)


class _Track(NamedTuple):
    track_id: str
    name: str
    health: dict[str, Any]


def _groups_of_several(library: Generation, groups: _Groups) -> Iterator[tuple[np.ndarray, list[_Track]]]:
    """Catalog rows of each group with two or more, embedded tracks first, and these tracks.

    Files with the same bytes have the same health.
    """
    rows = np.flatnonzero(np.bincount(groups.number)[groups.number] > 1)
    rows = rows[np.lexsort((groups.original[rows] != rows, groups.number[rows]))]
    starts = np.flatnonzero(np.diff(groups.number[rows], prepend=-1) > 0)
    health, place = _health(library, np.unique(groups.original[rows]))
    for first in range(0, len(starts), BLOCK):
        ends = np.append(starts, len(rows))[first : first + BLOCK + 1]
        of_block = rows[ends[0] : ends[-1]]
        of_health = place(groups.original[of_block])
        evidence = health.take(pa.array(of_health, mask=of_health < 0)).to_pylist()
        texts = library.tracks.select(["track_id", "title"]).take(pa.array(of_block)).to_pylist()
        tracks = [
            _Track(text["track_id"], _name(**text), values if known else {})
            for text, values, known in zip(texts, evidence, (of_health >= 0).tolist(), strict=True)
        ]
        for start, end in itertools.pairwise((ends - ends[0]).tolist()):
            yield of_block[start:end], tracks[start:end]


def _health(library: Generation, wanted: np.ndarray) -> tuple[pa.Table, Callable[[np.ndarray], np.ndarray]]:
    """The health of some catalog rows, ascending, and a function from catalog rows to rows of the table, or -1."""
    ref = library.store.manifest(library.embeddings_ref).parent("health")
    is_wanted = np.zeros(len(library.columns) + 1, bool)  # the last is for -1
    is_wanted[wanted] = True
    tables, rows = [HEALTH_SCHEMA.empty_table().select(HEALTH)], [np.empty(0, np.int64)]
    for part in library.store.iter_parts(ref, HEALTH):
        of_part = library.columns.ids.rows_of(part["track_id"].combine_chunks())
        kept = np.flatnonzero(is_wanted[of_part])
        tables.append(part.take(pa.array(kept)))
        rows.append(of_part[kept])
    catalog_row = np.concatenate(rows)
    order = np.argsort(catalog_row)
    catalog_row = catalog_row[order]

    def place(rows: np.ndarray) -> np.ndarray:
        places = np.minimum(np.searchsorted(catalog_row, rows), max(len(catalog_row) - 1, 0))
        known = catalog_row[places] == rows if len(catalog_row) else np.zeros(len(rows), bool)
        return np.where(known, places, -1)

    return pa.concat_tables(tables).take(pa.array(order)).combine_chunks(), place


def _name(track_id: str, title: str | None) -> str:
    return f"{title} ({track_id})" if title else track_id


def _why_discarded(loss: Loss | None) -> str:
    return loss.why if loss else "it comes first in the catalog, and no rule prefers another copy"


def _why_kept(losses: Sequence[Loss | None]) -> str:
    names = list(dict.fromkeys(loss.rule.name for loss in losses if loss))
    reason = f"decided by {', '.join(names)}" if names else "it comes first in the catalog"
    return f"keep this copy: {reason}"


def _rule(loss: Loss) -> dict[str, Any]:
    """As in evidence; the limit is the value of the best copy."""
    return {"rule": loss.rule.name, "value": loss.value, "limit": loss.best, "unit": loss.rule.unit}


def _omitted(library: Generation, config: DuplicateConfig, near: bool, n_missing: int) -> list[str]:
    sentences = []
    if config.near and not near:
        sentences.append(
            f"{library.index_ref} was built before near duplicates were recorded, so only exact ones are listed; "
            "build the index again"
        )
    if n_missing:
        sentences.append(f"{count(n_missing, 'track')} without an embedding: not compared")
    return sentences
