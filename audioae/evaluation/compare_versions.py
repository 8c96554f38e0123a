"""Compare two versions of a store's embeddings: what a retrain did to whom.

Conventions
-----------
- Only tracks that both versions have are compared, and only they are neighbors. Neighbors are exact: of an index, the
  embeddings that it was built from are compared.
- Above `max_tracks`, a random sample of tracks is measured; their neighbors are still among all shared tracks.
- Labels and names are those of the second version's catalog; regions are those of its map, or else of the first's.
- An interval is 95 %, covers the choice of tracks, and counts tracks of one artist as dependent. With too few artists
  there is none: null.

Source: `evaluation.version_changes` has the measures, `metrics.intervals` the intervals.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from audioae.errors import EvaluationError
from audioae.evaluation import version_changes as changes
from audioae.evaluation.shared_tracks import SharedTracks, embeddings_of
from audioae.evaluation.version_groups import Grouping, Groups, group_rows, label_groups, region_groups, split_artists
from audioae.evaluation.version_sentences import sentences
from audioae.metrics.intervals import SHARE, UNLIMITED, group_means
from audioae.progress import Progress
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

K = 10
MAX_TRACKS = 10_000
VERSIONS = ("a", "b")


@dataclass(frozen=True)
class VersionComparison:
    """Two versions compared.

    Parameters
    ----------
    document : dict
        The whole result but the arrays, for JSON.
    track_ids : pa.StringArray, length n
        The measured tracks.
    overlap, cosine : np.ndarray, each of shape (n,), float32
        The share of neighbors that each keeps, and the cosine of its two embeddings after the alignment.
    """

    document: dict[str, Any]
    track_ids: pa.StringArray
    overlap: np.ndarray
    cosine: np.ndarray

    def __getitem__(self, name: str) -> Any:
        return self.document[name]


def compare_versions(
    store: Store,
    a: DatasetRef,
    b: DatasetRef,
    *,
    max_tracks: int = MAX_TRACKS,
    top: int = 10,
    progress: Progress | None = None,
) -> VersionComparison:
    """Compare two versions of `embeddings` or `index`.

    Parameters
    ----------
    store : Store
    a, b : DatasetRef
        The earlier and the later version.
    max_tracks : int
        Measure at most this many tracks, sampled at random.
    top : int
        How many tracks and hubs to list.
    progress : Progress, optional

    Raises
    ------
    EvaluationError
        If one is no version of `embeddings` or `index`, or they share fewer than `K` + 2 tracks.
    """
    progress = progress or (lambda what, done, total: None)
    progress("tracks of both versions", 0, 3)
    shared = SharedTracks(store, embeddings_of(store, a), embeddings_of(store, b))
    if len(shared) < K + 2:
        raise EvaluationError(
            f"{shared.refs[0]} and {shared.refs[1]} share {len(shared)} tracks, wanted at least {K + 2}; compare "
            "versions of one catalog"
        )
    measured = _sample(len(shared), max_tracks)
    vectors = [shared.vectors(version, measured) for version in (0, 1)]
    nearest = []
    for version in (0, 1):
        progress(f"neighbors in {shared.refs[version]}", version + 1, 3)
        nearest.append(changes.nearest_in_blocks(shared.blocks(version), vectors[version], measured, K))
    overlap, alignment = changes.overlap(*nearest), changes.align(vectors[0], vectors[1])
    artists = split_artists(shared.codes("artist")[measured])
    groups = Groups(measured, artists, overlap, alignment.cosine, [one.lists for one in nearest])
    labels = label_groups(shared)
    document = {
        **{name: _version(store, ref, shared, i) for i, (name, ref) in enumerate(zip(VERSIONS, (a, b), strict=True))},
        "k": K,
        "shared": len(shared),
        "measured": len(measured),
        "overlap": _overlap(overlap, artists, len(shared)),
        "aligned": {"cosine": alignment.mean, "chance": alignment.chance, "residual": alignment.residual},
        "same_label": _same_label(groups, labels),
        "labels": group_rows(groups, labels),
        "regions": group_rows(groups, region_groups(shared)),
        "changed": _changed(shared, groups, nearest, top),
        "hubs": _hubs(shared, groups, top),
    }
    progress("comparison", 3, 3)
    document["sentences"] = sentences(document)
    return VersionComparison(document, shared.ids.take(pa.array(measured)), overlap, alignment.cosine)


def _sample(n: int, max_tracks: int) -> np.ndarray:
    """Numbers of the tracks to measure, ascending."""
    if n <= max_tracks:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, max_tracks, replace=False))


def _version(store: Store, ref: DatasetRef, shared: SharedTracks, version: int) -> dict[str, Any]:
    embeddings = shared.refs[version]
    manifest = store.manifest(embeddings)
    return {
        "ref": str(ref),
        "embeddings": str(embeddings),
        "model": str(manifest.parent("model")),
        "published": manifest.published_at.isoformat() if manifest.published_at else None,
        "tracks": shared.sizes[version],
    }


def _overlap(overlap: np.ndarray, artists: np.ndarray, n: int) -> dict[str, Any]:
    counts = np.bincount(np.rint(overlap * K).astype(int), minlength=K + 1)
    return {
        **_mean(overlap, artists, SHARE),
        "chance": K / (n - 1),
        "histogram": counts.tolist(),  # tracks that keep 0, 1 ... K neighbors
    }


def _same_label(groups: Groups, labels: Grouping) -> dict[str, float | None] | None:
    """The share of neighbors with the track's label before and after, and the difference with its interval."""
    before, after = (changes.same_group_share(lists, groups.measured, labels.codes) for lists in groups.lists)
    if not np.isfinite(before).any() or len(labels.names) < 2:
        return None
    difference = _mean(after - before, groups.artists, name="difference")
    return {"a": float(np.nanmean(before)), "b": float(np.nanmean(after)), **difference}


def _changed(shared: SharedTracks, groups: Groups, nearest: list[changes.Nearest], top: int) -> list[dict[str, Any]]:
    """The tracks that keep the fewest neighbors, with their neighbors before and after."""
    worst = np.lexsort((groups.cosine, groups.overlap))[:top]
    values = zip(groups.overlap[worst].tolist(), groups.cosine[worst].tolist(), strict=True)
    rows = []
    for place, track, (overlap, cosine) in zip(
        worst.tolist(), shared.described(groups.measured[worst]), values, strict=True
    ):
        lists = [one.lists[place] for one in nearest]
        row: dict[str, Any] = {**track, "overlap": _short(overlap), "cosine": _short(cosine)}
        for name, one, other in zip(("before", "after"), nearest, reversed(lists), strict=True):
            numbers = one.lists[place][one.lists[place] >= 0]
            scores = one.scores[place, : len(numbers)].tolist()
            kept = np.isin(numbers, other).tolist()
            neighbors = zip(shared.described(numbers), scores, kept, strict=True)
            row[name] = [{**neighbor, "score": _short(score), "kept": stays} for neighbor, score, stays in neighbors]
        rows.append(row)
    return rows


def _hubs(shared: SharedTracks, groups: Groups, top: int) -> dict[str, Any]:
    """Tracks that are in many lists in one version and not in the other."""
    n, n_queries = len(shared), len(groups.measured)
    threshold = changes.hub_threshold(n_queries, n, K)
    before, after = (changes.occurrence(lists, n) for lists in groups.lists)
    is_hub = before >= threshold, after >= threshold

    def listed(mask: np.ndarray, growth: np.ndarray) -> list[dict[str, Any]]:
        numbers = np.flatnonzero(mask)
        numbers = numbers[np.argsort(-growth[numbers], kind="stable")][:top]
        counts = zip(before[numbers].tolist(), after[numbers].tolist(), strict=True)
        return [
            {**track, "before": was, "after": now}
            for track, (was, now) in zip(shared.described(numbers), counts, strict=True)
        ]

    whole = n_queries == n
    return {
        "threshold": threshold,
        "a": int(is_hub[0].sum()),
        "b": int(is_hub[1].sum()),
        "n_gained": int((is_hub[1] & ~is_hub[0]).sum()),
        "n_lost": int((is_hub[0] & ~is_hub[1]).sum()),
        "gained": listed(is_hub[1] & ~is_hub[0], after - before),
        "lost": listed(is_hub[0] & ~is_hub[1], before - after),
        "never_a": int((before == 0).sum()) if whole else None,  # a sample of lists does not tell
        "never_b": int((after == 0).sum()) if whole else None,
    }


def _mean(
    values: np.ndarray, artists: np.ndarray, limits: tuple[float, float] = UNLIMITED, name: str = "mean"
) -> dict[str, float | None]:
    """The mean of all values, with the ends of its interval."""
    means = group_means(values, np.zeros(len(values), np.int64), artists, 1, limits)
    ends = {"low": float(means.low[0]), "high": float(means.high[0])}
    return {name: float(means.mean[0]), **{end: value if np.isfinite(value) else None for end, value in ends.items()}}


def _short(value: float) -> float:
    """A float32 without the digits that it does not have."""
    return round(value, 6)
