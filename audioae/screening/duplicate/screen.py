"""Check duplicate: the same recording more than once in the catalog, which copy to keep, and why.

Conventions
-----------
- The groups are those of the catalog (same bytes) and of the index (`apps/duplicate.py`: another encoding); nothing is
  compared here, so nothing else can be merged here.
- The copy to keep scores 1, another copy of the same bytes 0, any other copy 1 less its sameness. A group is one
  finding; its suggestion is the track_id of the copy to keep.
"""

# pyright: reportAttributeAccessIssue=false

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

from audioae.config import Config
from audioae.library.generation import Generation
from audioae.pipeline.config import Workers
from audioae.pipeline.index_neighbors import read_index_neighbors
from audioae.progress import Progress
from audioae.screening.duplicate.best_copy import Loss, choose_copy
from audioae.screening.result import Screened

THRESHOLD = 0.5  # between the least sameness of a copy (.6) and 1
HEALTH = (
    *("track_id", "codec", "bit_rate", "channels", "correlation", "cutoff_hz", "sample_rate"),
    *("clipped_fraction", "flat_fraction", "duration_s"),
)


class DuplicateConfig(Config):
    """`near: false` leaves it at copies with the same bytes."""

    near: bool = True


class _Groups(NamedTuple):
    """Of each catalog row: its group (a number), what has its bytes, whether it can have copies, its sameness."""

    number: np.ndarray
    original: np.ndarray
    known: np.ndarray
    sameness: np.ndarray


def screen_duplicate(library: Generation, config: DuplicateConfig, workers: Workers, report: Progress) -> Screened:
    """One finding per recording that is there more than once; see `audioae.stages.screening`."""
    report("duplicate", 0, 1)
    neighborhood = read_index_neighbors(library.store, library.index_ref) if config.near else None
    groups = _groups(library, neighborhood)
    n = len(groups.number)
    score, confidence = np.ones(n, np.float32), np.full(n, np.nan, np.float32)
    names, keepers = np.full(n, "", dtype=object), np.full(n, "", dtype=object)
    evidence: dict[int, dict[str, Any]] = {}
    for members, copies in _several(library, groups):
        choice = choose_copy(copies)
        kept = members[choice.keep]
        track_ids = [str(library.tracks["track_id"][int(row)]) for row in members]
        names[members] = f"copies of {_named(library, kept)}"
        keepers[np.setdiff1d(members, kept)] = track_ids[choice.keep]
        for row, loss in zip(members.tolist(), choice.losses, strict=True):
            shared = {"copies": track_ids, "keep": track_ids[choice.keep]}
            if row == kept:
                evidence[row] = {"why": _why_kept(choice.losses), **shared}
                continue
            exact = bool((groups.original[np.setdiff1d(members, row)] == groups.original[row]).any())
            same = 1.0 if exact else float(groups.sameness[row])
            score[row], confidence[row] = 1 - same, same
            how = "the same bytes as another copy" if exact else f"the same recording (sameness {same:.2f})"
            evidence[row] = {"why": f"{how}; keep {_named(library, kept)}: {_because(loss)}", **shared}
            if loss:
                evidence[row]["rules"] = [_rule(loss)]
    report("duplicate", 1, 1)
    found = np.flatnonzero(groups.known)
    place = {row: i for i, row in enumerate(found.tolist())}
    return Screened(
        "duplicate",
        library.tracks["track_id"].to_numpy()[found],
        score[found],
        THRESHOLD,
        {place[row]: told for row, told in evidence.items()},
        names[found],
        keepers[found],
        confidence[found],
        {"groups": len(set(names.tolist()) - {""}), "copies": int((score < THRESHOLD).sum())},
        _omitted(library, config, neighborhood is not None, n - len(found)),
    )


def _groups(library: Generation, neighborhood: Any) -> _Groups:
    tracks = library.tracks
    n_index, n = len(library.index), tracks.num_rows
    original = pc.index_in(pc.coalesce(tracks["duplicate_of"], tracks["track_id"]), value_set=_ids(library))
    original = pc.fill_null(original, -1).to_numpy().astype(np.int64)
    original = np.where(original < 0, np.arange(n), original)
    index_row = library.alignment.index_row
    of_index = library.alignment.group if neighborhood is not None else np.arange(n_index)
    number = np.where(index_row >= 0, of_index[index_row] if n_index else 0, n_index + original)
    sameness = np.full(n, np.nan)
    if neighborhood is not None:
        same = neighborhood["sameness"].take(pc.index_in(library.index.ids, value_set=neighborhood["track_id"]))
        sameness[index_row >= 0] = same.to_numpy()[index_row[index_row >= 0]]
    twice = np.bincount(original, minlength=n)[original] > 1
    return _Groups(number, original, (index_row >= 0) | twice, sameness)


def _several(library: Generation, groups: _Groups) -> list[tuple[np.ndarray, list[dict[str, Any]]]]:
    """Catalog rows of each group of several with their evidence, embedded ones first; same bytes, same evidence."""
    is_copy = groups.original != np.arange(len(groups.original))
    order = np.lexsort((is_copy, groups.number))
    starts = np.flatnonzero(np.r_[True, np.diff(groups.number[order]) > 0])
    several = [rows for rows in np.split(order, starts[1:]) if len(rows) > 1]
    ref = library.store.manifest(library.embeddings_ref).parent("health")
    ids = _ids(library)
    wanted = ids.take(groups.original[np.concatenate(several)]) if several else ids.slice(0, 0)
    health = library.store.read(ref, HEALTH)
    rows = health.filter(pc.is_in(health["track_id"], value_set=wanted)).to_pylist()
    by_id = {row["track_id"]: row for row in rows}
    return [(rows, [by_id.get(ids[int(o)].as_py(), {}) for o in groups.original[rows]]) for rows in several]


def _ids(library: Generation) -> pa.Array:
    return library.tracks["track_id"].combine_chunks()


def _named(library: Generation, row: int) -> str:
    track_id, title = (library.tracks[name][int(row)].as_py() for name in ("track_id", "title"))
    return f"{title} ({track_id})" if title else track_id


def _because(loss: Loss | None) -> str:
    return loss.why if loss else "it came first, and nothing else tells them apart"


def _why_kept(losses: Sequence[Loss | None]) -> str:
    names = list(dict.fromkeys(loss.rule.name for loss in losses if loss))
    return f"the copy to keep: better by {', '.join(names)}" if names else "the copy to keep: it came first"


def _rule(loss: Loss) -> dict[str, Any]:
    """As evidence has it: the limit is what the best copy has."""
    return {"rule": loss.rule.name, "value": loss.value, "limit": loss.best, "unit": loss.rule.unit}


def _omitted(library: Generation, config: DuplicateConfig, near: bool, n_missing: int) -> list[str]:
    sentences = []
    if config.near and not near:
        sentences.append(
            f"{library.index_ref} is from before near duplicates were looked for: only exact ones are here"
        )
    if n_missing:
        sentences.append(f"{n_missing} tracks without an embedding were not compared")
    return sentences
