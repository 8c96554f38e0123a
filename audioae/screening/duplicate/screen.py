"""The check duplicate: recordings that the catalog contains more than once, which copy to keep, and why.

Conventions
-----------
- The groups come from the catalog (same bytes) and from the index (same recording, see `audio.fingerprint`). This check
  compares no audio, so it never merges anything else.
- The copy to keep scores 1, another file with the same bytes scores 0, and any other copy 1 minus its similarity. A
  group is one finding; the suggestion is the track_id of the copy to keep.
"""

# pyright: reportAttributeAccessIssue=false

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

from audioae.library.generation import Generation
from audioae.pipeline.config import Workers
from audioae.pipeline.index_neighbors import read_index_neighbors
from audioae.progress import Progress
from audioae.screening.duplicate.best_copy import Loss, choose_copy
from audioae.screening.duplicate.config import DuplicateConfig
from audioae.screening.result import Screened
from audioae.screening.text import count

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


def screen_duplicate(library: Generation, config: DuplicateConfig, workers: Workers, progress: Progress) -> Screened:
    """One finding per recording that the catalog contains more than once."""
    progress("comparing copies", 0, 1)
    neighbors = read_index_neighbors(library.store, library.index_ref) if config.near else None
    groups = _groups(library, neighbors)
    n = len(groups.number)
    score, confidence = np.ones(n, np.float32), np.full(n, np.nan, np.float32)
    names, keepers = np.full(n, "", dtype=object), np.full(n, "", dtype=object)
    evidence: dict[int, dict[str, Any]] = {}
    for members, copies in _groups_of_several(library, groups):
        choice = choose_copy(copies)
        kept = members[choice.keep]
        track_ids = [str(library.tracks["track_id"][int(row)]) for row in members]
        names[members] = f"copies of {_name(library, kept)}"
        keepers[np.setdiff1d(members, kept)] = track_ids[choice.keep]
        for row, loss in zip(members.tolist(), choice.losses, strict=True):
            shared = {"copies": track_ids, "keep": track_ids[choice.keep]}
            if row == kept:
                evidence[row] = {"why": _why_kept(choice.losses), **shared}
                continue
            exact = bool((groups.original[np.setdiff1d(members, row)] == groups.original[row]).any())
            similarity = 1.0 if exact else float(groups.similarity[row])
            score[row], confidence[row] = 1 - similarity, similarity
            how = "same bytes as another copy" if exact else f"same recording (similarity {similarity:.2f})"
            evidence[row] = {"why": f"{how}; keep {_name(library, kept)}: {_why_discarded(loss)}", **shared}
            if loss:
                evidence[row]["rules"] = [_rule(loss)]
    progress("comparing copies", 1, 1)
    compared = np.flatnonzero(groups.compared)
    position = {row: i for i, row in enumerate(compared.tolist())}
    return Screened(
        "duplicate",
        library.tracks["track_id"].to_numpy()[compared],
        score[compared],
        THRESHOLD,
        {position[row]: entry for row, entry in evidence.items()},
        names[compared],
        keepers[compared],
        confidence[compared],
        {"groups": len(set(names.tolist()) - {""}), "copies": int((score < THRESHOLD).sum())},
        _omitted(library, config, neighbors is not None, n - len(compared)),
    )


def _groups(library: Generation, neighbors: pa.Table | None) -> _Groups:
    tracks = library.tracks
    n_index, n = len(library.index), tracks.num_rows
    original = pc.index_in(pc.coalesce(tracks["duplicate_of"], tracks["track_id"]), value_set=_ids(library))
    original = pc.fill_null(original, -1).to_numpy().astype(np.int64)
    original = np.where(original < 0, np.arange(n), original)
    index_row = library.alignment.index_row
    of_index = library.alignment.group if neighbors is not None else np.arange(n_index)
    number = np.where(index_row >= 0, of_index[index_row] if n_index else 0, n_index + original)
    similarity = np.full(n, np.nan)
    if neighbors is not None:  # the file's column is called sameness
        by_index = neighbors["sameness"].take(pc.index_in(library.index.ids, value_set=neighbors["track_id"]))
        similarity[index_row >= 0] = by_index.to_numpy()[index_row[index_row >= 0]]
    has_twin = np.bincount(original, minlength=n)[original] > 1
    return _Groups(number, original, (index_row >= 0) | has_twin, similarity)


def _groups_of_several(library: Generation, groups: _Groups) -> list[tuple[np.ndarray, list[dict[str, Any]]]]:
    """Catalog rows of each group with two or more, embedded tracks first, and the health of each.

    Files with the same bytes have the same health.
    """
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


def _name(library: Generation, row: int) -> str:
    track_id, title = (library.tracks[name][int(row)].as_py() for name in ("track_id", "title"))
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
