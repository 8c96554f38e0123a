"""The check for wrong labels of one library: who is asked, who votes, and what a person is shown.

Conventions
-----------
- Screened are tracks with a label and an embedding, exact duplicates among them with their own claim. Only one copy of
  a recording votes, and never on another copy of it.
- A label with fewer than `min_tracks` recordings neither votes nor is suggested, and its tracks score NaN: too little
  to know it by. So do all tracks where fewer than two labels are left.
- Group: the artist where most of its tracks (two or more) are issues on more than one album, else the album where most
  are.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydantic import Field

from audioae.config import Config
from audioae.library.generation import Generation
from audioae.pipeline.config import Workers
from audioae.pipeline.index import read_embeddings
from audioae.progress import Progress
from audioae.screening.mislabeled.label_model import LabelModel, LabelScores
from audioae.screening.mislabeled.label_noise import inject_label_noise
from audioae.screening.mislabeled.labels import TrackLabels, find_neighbors, read_labels
from audioae.screening.result import Screened
from audioae.search.embeddings import EmbeddingTable
from audioae.search.index import SearchIndex

CHECK = "mislabeled"
DEPTH = 2  # neighbors looked up per neighbor that votes: copies, and tracks of the same artist, do not
SHOWN = 5  # neighbors that say otherwise


class MislabeledConfig(Config):
    """How labels are checked. A track is an issue where at least `precision` of its like are wrong.

    `planted_share` of the labels are swapped in a copy to measure by; `budget`, the number of findings that a person
    would look at, is what precision and recall are measured at, and how many of the lowest scores get evidence.
    """

    neighbors: int = Field(default=30, ge=1, le=1000)
    min_tracks: int = Field(default=3, ge=2)
    precision: float = Field(default=0.5, gt=0, le=1)
    planted_share: float = Field(default=0.08, gt=0, le=0.5)
    budget: int = Field(default=200, ge=1)
    seed: int = Field(default=0, ge=0)


def screen_mislabeled(library: Generation, config: MislabeledConfig, workers: Workers, report: Progress) -> Screened:
    """Score the label of every track that has one.

    Parameters
    ----------
    library : Generation
    config : MislabeledConfig
    workers : Workers
        Not needed: no audio is decoded.
    report : callable
        Told what is being done, how far, of how much.
    """
    claims, omitted = read_labels(library)
    return score_labels(
        claims, library.index, read_embeddings(library.store, library.embeddings_ref), config, report, omitted
    )


def score_labels(
    claims: TrackLabels,
    index: SearchIndex,
    table: EmbeddingTable,
    config: MislabeledConfig,
    report: Progress,
    omitted: Sequence[str] = (),
) -> Screened:
    """`screen_mislabeled` without a store: `table` is what `index` was built from."""
    known, about = tellable(claims, config.min_tracks)
    omitted = [*omitted, *about]
    n = len(claims.track_ids)
    score, confidence = np.full(n, np.nan, np.float32), np.full(n, np.nan, np.float32)
    if not len(known):
        return Screened(CHECK, claims.track_ids, score, 0.0, omitted=omitted)
    asked = claims.take(known)
    names, labels = np.unique(asked.labels, return_inverse=True)
    report("neighbors", 0, len(known))
    jury = make_label_model(asked, len(names), index, table, config.neighbors)
    report("neighbors", len(known), len(known))
    opinion = jury.judge(labels)
    planted = inject_label_noise(
        jury,
        labels,
        opinion,
        asked.album,
        share=config.planted_share,
        budget=config.budget,
        seed=config.seed,
        report=lambda done, total: report("planted swaps", done, total),
    )
    threshold = planted.threshold(config.precision)
    issues = opinion.score < threshold
    lowest = np.argsort(opinion.score, kind="stable")[: max(config.budget, int(issues.sum()))]
    suggestion, group = np.full(n, "", object), np.full(n, "", object)
    score[known] = opinion.score
    confidence[known[lowest]] = planted.confidence(opinion.score[lowest])
    suggestion[known[lowest]] = names[opinion.other[lowest]]
    group[known] = group_issues(issues, asked.artist, asked.album, asked.artist_name, asked.album_name)
    return Screened(
        CHECK,
        claims.track_ids,
        score,
        threshold,
        evidence={int(known[row]): _evidence(asked, names, jury, opinion, row) for row in lowest.tolist()},
        group=group.astype(str),
        suggestion=suggestion.astype(str),
        confidence=confidence,
        measured=planted.document,
        omitted=omitted,
    )


def tellable(claims: TrackLabels, min_tracks: int) -> tuple[np.ndarray, list[str]]:
    """Rows whose label is known by enough recordings, and a sentence on each reason why others are not."""
    labels, number = np.unique(claims.labels, return_inverse=True)
    copies = np.unique(np.stack([number, claims.recording]), axis=1)
    counts = np.bincount(copies[0], minlength=len(labels))
    rare, about = counts < min_tracks, []
    if rare.any():
        listed = [f"{label!r} ({count})" for label, count in zip(labels[rare].tolist(), counts[rare], strict=True)]
        more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
        about.append(
            f"labels with fewer than {min_tracks} recordings cannot be told: {', '.join(listed[:SHOWN])}{more}"
        )
    if (~rare).sum() >= 2 or not len(labels):
        return np.flatnonzero(~rare[number]), about
    left = ", ".join(map(repr, labels[~rare].tolist())) or "none"
    about.append(f"labels with {min_tracks} recordings or more: {left}; two are needed to tell one from another")
    return np.empty(0, np.int64), about


def make_label_model(
    claims: TrackLabels, n_labels: int, index: SearchIndex, table: EmbeddingTable, k: int
) -> LabelModel:
    """The jury on `claims`; `table` is what `index` was built from."""
    neighbors = find_neighbors(index, table, claims.index_row, DEPTH * k)
    vectors = table.embeddings[table.rows_of(index.ids)[claims.index_row]]
    return LabelModel(vectors, neighbors, claims.recording, claims.artist, n_labels, k)


def group_issues(
    issues: np.ndarray, artist: np.ndarray, album: np.ndarray, artist_name: np.ndarray, album_name: np.ndarray
) -> np.ndarray:
    """What is one finding together, as text, shape (n,); "" where a track stands alone or is no issue."""

    def mostly(groups: np.ndarray) -> np.ndarray:
        known = np.where(groups >= 0, groups, groups.max(initial=0) + 1 + np.arange(len(groups)))
        n_issues = np.bincount(known, issues)[known]
        return issues & (n_issues >= 2) & (n_issues > np.bincount(known)[known] / 2)

    by_album, by_artist = mostly(album), mostly(artist)
    spread = {number for number in set(artist[by_artist]) if len(set(album[by_artist & (artist == number)])) > 1}
    group = np.full(len(issues), "", object)
    for row in np.flatnonzero(by_album):
        by = f" ({artist_name[row]})" if artist_name[row] else ""
        group[row] = f"album: {album_name[row]}{by}"
    for row in np.flatnonzero(by_artist & np.isin(artist, list(spread))):
        group[row] = f"artist: {artist_name[row]}"
    return group


def _evidence(
    claims: TrackLabels, names: np.ndarray, jury: LabelModel, opinion: LabelScores, row: int
) -> dict[str, Any]:
    claimed, other = claims.labels[row], names[opinion.other[row]]
    voters, cosines = jury.voters(row)
    said = claims.labels[voters]
    against = np.flatnonzero(said != claimed)[:SHOWN]
    own, best = opinion.probability[row]
    rules = {
        "neighbors: share of the claimed label less the best other's": opinion.neighbors[row],
        "classifier: probability of the claimed label less the best other's": opinion.classifier[row],
        "both, for all tracks of this artist and label, without the artist's own": opinion.apart[row],
    }
    return {
        "why": f"claimed {claimed}, but of the {len(said)} nearest tracks {(said == other).sum()} are {other} and "
        f"{(said == claimed).sum()} {claimed}; a classifier that did not see it says {other} {best:.0%}, "
        f"{claimed} {own:.0%}",
        "neighbors": [
            {"track_id": str(claims.track_ids[voters[i]]), "label": str(said[i]), "score": float(cosines[i])}
            for i in against
        ],
        "rules": [
            {"rule": rule, "value": float(value), "limit": 0.0, "unit": ""}
            for rule, value in rules.items()
            if np.isfinite(value)
        ],
    }
