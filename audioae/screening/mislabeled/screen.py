"""The check mislabeled: finds tracks that do not sound like their label, and shows why.

Conventions
-----------
- All tracks with a label and an embedding are checked, exact duplicates with their own label. Only one copy of a
  recording votes, and never on another copy of it.
- Tracks with a label of fewer than `min_tracks` recordings score NaN, and their labels neither vote nor are suggested:
  too few examples. If fewer than two labels remain, all tracks score NaN.
- Group: the artist if most of its tracks (two or more) are issues on more than one album; otherwise the album if most
  of its tracks are.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from audioae.library.generation import Generation
from audioae.pipeline.config import Workers
from audioae.pipeline.index import read_embeddings
from audioae.progress import Progress
from audioae.screening.mislabeled.config import MislabeledConfig
from audioae.screening.mislabeled.label_model import LabelModel, LabelScores
from audioae.screening.mislabeled.label_noise import inject_label_noise
from audioae.screening.mislabeled.labels import TrackLabels, find_neighbors, read_labels
from audioae.screening.result import Screened
from audioae.screening.steps import Steps
from audioae.search.embeddings import EmbeddingTable
from audioae.search.index import SearchIndex

CHECK = "mislabeled"
DEPTH = 2  # neighbors to look up per vote: copies and tracks of the same artist do not vote
N_LISTED = 5  # neighbors shown that have another label; rare labels named in a sentence


def screen_mislabeled(
    library: Generation, config: MislabeledConfig, workers: Workers, progress: Progress, steps: Steps | None = None
) -> Screened:
    """Score the label of every track that has one; no audio is decoded."""
    tracks, omitted = read_labels(library)
    table = read_embeddings(library.store, library.embeddings_ref)
    return score_labels(tracks, library.index, table, config, progress, omitted, steps)


def score_labels(
    tracks: TrackLabels,
    index: SearchIndex,
    table: EmbeddingTable,
    config: MislabeledConfig,
    progress: Progress,
    omitted: Sequence[str] = (),
    steps: Steps | None = None,
) -> Screened:
    """`screen_mislabeled` without a store: `table` has the embeddings that `index` was built from."""
    known, reasons = frequent_labels(tracks, config.min_tracks)
    omitted = [*omitted, *reasons]
    n = len(tracks.track_ids)
    score, confidence = np.full(n, np.nan, np.float32), np.full(n, np.nan, np.float32)
    if not len(known):
        return Screened(CHECK, tracks.track_ids, score, 0.0, omitted=omitted)
    scored = tracks.take(known)
    names, labels = np.unique(scored.labels, return_inverse=True)
    progress("looking up neighbors", 0, len(known))
    model = make_label_model(scored, len(names), index, table, config.neighbors)
    progress("looking up neighbors", len(known), len(known))
    label_scores = model.score(labels)
    noise_test = inject_label_noise(
        model,
        labels,
        label_scores,
        scored.album,
        share=config.planted_share,
        budget=config.budget,
        seed=config.seed,
        progress=lambda done, total: progress("testing with swapped labels", done, total),
        steps=steps,
    )
    threshold = noise_test.threshold(config.precision)
    is_issue = label_scores.score < threshold
    lowest = np.argsort(label_scores.score, kind="stable")[: max(config.budget, int(is_issue.sum()))]
    suggestion, group = np.full(n, "", object), np.full(n, "", object)
    score[known] = label_scores.score
    confidence[known[lowest]] = noise_test.confidence(label_scores.score[lowest])
    suggestion[known[lowest]] = names[label_scores.other[lowest]]
    group[known] = group_issues(is_issue, scored.artist, scored.album, scored.artist_name, scored.album_name)
    return Screened(
        CHECK,
        tracks.track_ids,
        score,
        threshold,
        evidence={int(known[row]): _evidence(scored, names, model, label_scores, row) for row in lowest.tolist()},
        group=group.astype(str),
        suggestion=suggestion.astype(str),
        confidence=confidence,
        measured=noise_test.document,
        omitted=omitted,
    )


def frequent_labels(tracks: TrackLabels, min_tracks: int) -> tuple[np.ndarray, list[str]]:
    """Rows whose label has enough recordings, and a sentence for each reason why others are not scored."""
    labels, number = np.unique(tracks.labels, return_inverse=True)
    recordings = np.unique(np.stack([number, tracks.recording]), axis=1)
    counts = np.bincount(recordings[0], minlength=len(labels))
    rare, reasons = counts < min_tracks, []
    if rare.any():
        listed = [f"{label!r} ({count})" for label, count in zip(labels[rare].tolist(), counts[rare], strict=True)]
        more = f" and {len(listed) - N_LISTED} more" if len(listed) > N_LISTED else ""
        reasons.append(
            f"labels with fewer than {min_tracks} recordings cannot be checked: {', '.join(listed[:N_LISTED])}{more}"
        )
    if (~rare).sum() >= 2 or not len(labels):
        return np.flatnonzero(~rare[number]), reasons
    left = ", ".join(map(repr, labels[~rare].tolist())) or "none"
    reasons.append(f"the check needs two labels with {min_tracks} recordings or more; the catalog has: {left}")
    return np.empty(0, np.int64), reasons


def make_label_model(
    tracks: TrackLabels, n_labels: int, index: SearchIndex, table: EmbeddingTable, k: int
) -> LabelModel:
    """The model that scores the labels of `tracks`; `table` has the embeddings that `index` was built from."""
    neighbors = find_neighbors(index, table, tracks.index_row, DEPTH * k)
    vectors = table.embeddings[table.rows_of(index.ids)[tracks.index_row]]
    return LabelModel(vectors, neighbors, tracks.recording, tracks.artist, n_labels, k)


def group_issues(
    is_issue: np.ndarray, artist: np.ndarray, album: np.ndarray, artist_name: np.ndarray, album_name: np.ndarray
) -> np.ndarray:
    """The finding that each track belongs to, as text, shape (n,); "" for a finding by itself, or no issue."""

    def mostly_issues(groups: np.ndarray) -> np.ndarray:
        known = np.where(groups >= 0, groups, groups.max(initial=0) + 1 + np.arange(len(groups)))
        n_issues = np.bincount(known, is_issue)[known]
        return is_issue & (n_issues >= 2) & (n_issues > np.bincount(known)[known] / 2)

    by_album, by_artist = mostly_issues(album), mostly_issues(artist)
    spread = {number for number in set(artist[by_artist]) if len(set(album[by_artist & (artist == number)])) > 1}
    group = np.full(len(is_issue), "", object)
    for row in np.flatnonzero(by_album):
        by = f" ({artist_name[row]})" if artist_name[row] else ""
        group[row] = f"album: {album_name[row]}{by}"
    for row in np.flatnonzero(by_artist & np.isin(artist, list(spread))):
        group[row] = f"artist: {artist_name[row]}"
    return group


def _evidence(
    tracks: TrackLabels, names: np.ndarray, model: LabelModel, scores: LabelScores, row: int
) -> dict[str, Any]:
    claimed, other = str(tracks.labels[row]), str(names[scores.other[row]])
    voters, cosines = model.voters(row)
    labels = tracks.labels[voters]
    dissenting = np.flatnonzero(labels != claimed)[:N_LISTED]
    pair, (votes, probability) = f"{claimed} against {other}", (100 * scores.votes[row], 100 * scores.probability[row])
    rules = [
        {"rule": f"neighbors' votes: {pair}", "value": float(votes[0]), "limit": float(votes[1]), "unit": "%"},
        {"rule": f"classifier: {pair}", "value": float(probability[0]), "limit": float(probability[1]), "unit": "%"},
    ]
    if np.isfinite(scores.without_artist[row]):
        rule = f"margin for {claimed} of all tracks of this artist with this label, without the artist's other tracks"
        rules.append({"rule": rule, "value": float(scores.without_artist[row]), "limit": 0.0, "unit": ""})
    n_claimed, n_other = int((labels == claimed).sum()), int((labels == other).sum())
    return {
        "why": f"labeled {claimed}; of its {len(labels)} nearest tracks, {n_other} are {other} and {n_claimed} are "
        f"{claimed}; the classifier gives {probability[0]:.0f} % for {claimed}, {probability[1]:.0f} % for {other}",
        "neighbors": [
            {"track_id": str(tracks.track_ids[voters[i]]), "label": str(labels[i]), "score": float(cosines[i])}
            for i in dissenting
        ],
        "rules": rules,
    }
