"""The check mislabeled: finds tracks that do not sound like their label, and shows why.

Conventions
-----------
- All tracks with a label and an embedding are checked, exact duplicates with their own label. Only one copy of a
  recording votes, and never on another copy of it.
- Tracks with a label of fewer than `min_tracks` recordings score NaN, and their labels neither vote nor are suggested:
  too few examples. If fewer than two labels remain, all tracks score NaN.
- Of more than `max_tracks` tracks, a random sample is the reference: it votes, the classifier is fitted to it, and the
  self-test swaps its labels. All tracks are scored by it, in blocks. What has too few recordings in it is not checked.
- Group: the artist if most of its tracks (two or more) are issues on more than one album; otherwise the album if most
  of its tracks are.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from audioae.library.generation import Generation
from audioae.pipeline.config import Workers
from audioae.pipeline.embeddings import read_embeddings
from audioae.progress import Progress
from audioae.screening.mislabeled.config import MislabeledConfig
from audioae.screening.mislabeled.label_noise import inject_label_noise
from audioae.screening.mislabeled.labels import TrackLabels, Vectors, read_labels
from audioae.screening.mislabeled.panel import Scored, all_scored, make_panel
from audioae.screening.result import EvidenceOf, Screened
from audioae.screening.steps import Steps
from audioae.screening.text import count
from audioae.search.embeddings import EmbeddingTable
from audioae.search.index import SearchIndex

CHECK = "mislabeled"
OF_EACH = 50  # tracks of each label that the reference has, if there are so many
N_LISTED = 5  # neighbors shown that have another label; rare labels named in a sentence


def screen_mislabeled(
    library: Generation, config: MislabeledConfig, workers: Workers, progress: Progress, steps: Steps | None = None
) -> Screened:
    """Score the label of every track that has one; no audio is decoded."""
    tracks, omitted = read_labels(library)
    few = len(library.index) <= config.max_tracks
    table = read_embeddings(library.store, library.embeddings_ref) if few else None
    return score_labels(tracks, library.index, table, config, progress, omitted, steps)


def score_labels(
    tracks: TrackLabels,
    index: SearchIndex,
    table: EmbeddingTable | None,
    config: MislabeledConfig,
    progress: Progress,
    omitted: Sequence[str] = (),
    steps: Steps | None = None,
) -> Screened:
    """`screen_mislabeled` without a store.

    `table` has the embeddings that `index` was built from; without it, they are those of the index.
    """
    reference = choose_reference(tracks.label, config.max_tracks, config.seed)
    known, reasons = frequent_labels(tracks, config.min_tracks, reference)
    omitted = [*omitted, *reasons]
    n = len(tracks)
    score, confidence = np.full(n, np.nan, np.float32), np.full(n, np.nan, np.float32)
    if not len(known):
        return Screened(CHECK, tracks.track_ids, score, 0.0, omitted=omitted)
    scored = tracks.take(known)
    present, labels = np.unique(scored.label, return_inverse=True)
    names, votes_for_all = tracks.names[present], len(reference) == n
    judges = np.arange(len(known)) if votes_for_all else np.flatnonzero(np.isin(known, reference))
    if not votes_for_all:
        omitted.append(
            f"tracks are compared with a random sample of {len(judges):,} of {count(len(known), 'track')} with a label"
        )
    progress("looking up neighbors", 0, len(known))
    source = Vectors(index, table)
    panel = make_panel(scored, labels, judges, len(names), source, config.neighbors)
    progress("looking up neighbors", len(judges), len(known))
    own_scores = panel.model.score(labels[judges])
    noise_test = inject_label_noise(
        panel.model,
        labels[judges],
        own_scores,
        scored.album[judges],
        share=config.planted_share,
        budget=config.budget,
        seed=config.seed,
        progress=lambda done, total: progress("testing with swapped labels", done, total),
        steps=steps,
    )
    threshold = noise_test.threshold(config.precision)
    if votes_for_all:
        result = all_scored(panel.model, own_scores, threshold, config.budget)
    else:
        result = panel.score_all(own_scores.weights, threshold, config.budget, progress)
    is_issue, lowest = result.score < threshold, result.rows
    suggestion, group = np.full(n, "", object), np.full(n, "", object)
    score[known] = result.score
    confidence[known[lowest]] = noise_test.confidence(result.score[lowest])
    suggestion[known[lowest]] = names.astype(object)[result.other]
    group[known] = group_issues(is_issue, scored.artist, scored.album, scored.artist_name, scored.album_name)
    order = np.argsort(lowest)

    def explain(row: int) -> dict[str, Any]:
        place = order[np.searchsorted(known[lowest], row, sorter=order)]
        return _evidence(scored, names, labels, judges, result, int(place))

    return Screened(
        CHECK,
        tracks.track_ids,
        score,
        threshold,
        evidence=EvidenceOf(known[lowest], explain),
        group=group,
        suggestion=suggestion,
        confidence=confidence,
        measured=noise_test.document,
        omitted=omitted,
    )


def choose_reference(label: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Rows of `n` random tracks, ascending: a few of each label first, or rare labels could not be checked."""
    if len(label) <= n:
        return np.arange(len(label))
    order = np.random.default_rng(seed).permutation(len(label))
    by_label = order[np.argsort(label[order], kind="stable")]
    counts = np.bincount(label)
    first = np.repeat(np.cumsum(counts) - counts, counts)
    few = min(OF_EACH, n // max(2 * (counts > 0).sum(), 1))
    chosen = np.zeros(len(label), bool)
    chosen[by_label[np.arange(len(label)) - first < few]] = True
    others = order[~chosen[order]]
    chosen[others[: max(n - int(chosen.sum()), 0)]] = True
    return np.flatnonzero(chosen)


def frequent_labels(
    tracks: TrackLabels, min_tracks: int, reference: np.ndarray | None = None
) -> tuple[np.ndarray, list[str]]:
    """Rows whose label has enough recordings (in the reference), and a sentence for each reason why others have not."""
    rows = np.arange(len(tracks)) if reference is None else reference
    labels, n_names = tracks.names, len(tracks.names)
    n_recordings = int(tracks.recording.max(initial=0)) + 1
    pairs = np.unique(tracks.label[rows].astype(np.int64) * n_recordings + tracks.recording[rows])
    counts = np.bincount(pairs // n_recordings, minlength=n_names)
    occurs = np.bincount(tracks.label, minlength=n_names) > 0
    rare, reasons = occurs & (counts < min_tracks), []
    frequent = occurs & ~rare
    if rare.any():
        named = np.flatnonzero(rare)[:N_LISTED]
        listed = [f"{label!r} ({count})" for label, count in zip(labels[named].tolist(), counts[named], strict=True)]
        more = f" and {rare.sum() - N_LISTED} more" if rare.sum() > N_LISTED else ""
        reasons.append(f"labels with fewer than {min_tracks} recordings cannot be checked: {', '.join(listed)}{more}")
    if frequent.sum() >= 2 or not len(tracks):
        return np.flatnonzero(frequent[tracks.label]), reasons
    left = ", ".join(map(repr, labels[frequent].tolist())) or "none"
    reasons.append(f"the check needs two labels with {min_tracks} recordings or more; the catalog has: {left}")
    return np.empty(0, np.int64), reasons


def group_issues(
    is_issue: np.ndarray, artist: np.ndarray, album: np.ndarray, artist_name: np.ndarray, album_name: np.ndarray
) -> np.ndarray:
    """The finding that each track belongs to, as text, shape (n,); "" for a finding by itself, or no issue."""

    def mostly_issues(groups: np.ndarray) -> np.ndarray:
        known = np.where(groups >= 0, groups, groups.max(initial=0) + 1 + np.arange(len(groups)))
        n_issues = np.bincount(known, is_issue)[known]
        return is_issue & (n_issues >= 2) & (n_issues > np.bincount(known)[known] / 2)

    by_album, by_artist = mostly_issues(album), mostly_issues(artist)
    pairs = np.unique(np.stack([artist[by_artist], album[by_artist]]), axis=1)
    several = np.flatnonzero(np.bincount(pairs[0]) > 1)  # artists with issues on more than one album
    group = np.full(len(is_issue), "", object)
    for row in np.flatnonzero(by_album).tolist():
        by = f" ({artist_name[row]})" if artist_name[row] else ""
        group[row] = f"album: {album_name[row]}{by}"
    for row in np.flatnonzero(by_artist & np.isin(artist, several)).tolist():
        group[row] = f"artist: {artist_name[row]}"
    return group


def _evidence(
    tracks: TrackLabels, names: np.ndarray, labels: np.ndarray, judges: np.ndarray, result: Scored, place: int
) -> dict[str, Any]:
    row, other_label = int(result.rows[place]), int(result.other[place])
    claimed, other = str(names[labels[row]]), str(names[other_label])
    voters = result.voters.rows[place]
    cosines, voters = result.voters.scores[place][voters >= 0], judges[voters[voters >= 0]]
    of_voters = labels[voters]
    dissenting = np.flatnonzero(of_voters != labels[row])[:N_LISTED]
    pair, (votes, probability) = (
        f"{claimed} against {other}",
        (100 * result.votes[place], 100 * result.probability[place]),
    )
    rules = [
        {"rule": f"neighbors' votes: {pair}", "value": float(votes[0]), "limit": float(votes[1]), "unit": "%"},
        {"rule": f"classifier: {pair}", "value": float(probability[0]), "limit": float(probability[1]), "unit": "%"},
    ]
    if np.isfinite(result.without_artist[place]):
        rule = f"margin for {claimed} of all tracks of this artist with this label, without the artist's other tracks"
        rules.append({"rule": rule, "value": float(result.without_artist[place]), "limit": 0.0, "unit": ""})
    n_claimed, n_other = int((of_voters == labels[row]).sum()), int((of_voters == other_label).sum())
    return {
        "why": f"labeled {claimed}; of its {len(voters)} nearest tracks, {n_other} are {other} and {n_claimed} are "
        f"{claimed}; the classifier gives {probability[0]:.0f} % for {claimed}, {probability[1]:.0f} % for {other}",
        "neighbors": [
            {
                "track_id": tracks.track_ids[int(voters[i])].as_py(),
                "label": str(names[of_voters[i]]),
                "score": float(cosines[i]),
            }
            for i in dissenting
        ],
        "rules": rules,
    }
