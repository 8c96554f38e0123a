"""What a change of embeddings did to each label and to each region of the map.

Conventions
-----------
- `codes` numbers the group of each shared track; -1: in none. A group is compared on its measured tracks.
"""

from typing import Any, NamedTuple

import numpy as np

from audioae.evaluation import version_changes as changes
from audioae.evaluation.shared_tracks import SharedTracks
from audioae.metrics.intervals import SHARE, group_means
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef

MOST = 200  # groups that a result has: those with most tracks


class Grouping(NamedTuple):
    """A grouping of all shared tracks: a name per group, and the group of each track."""

    names: list[str]
    codes: np.ndarray


class Groups(NamedTuple):
    """What was measured: numbers of the tracks, their artists, overlap and cosine, and neighbors before and after."""

    measured: np.ndarray
    artists: np.ndarray
    overlap: np.ndarray
    cosine: np.ndarray
    lists: list[np.ndarray]


def label_groups(shared: SharedTracks) -> Grouping:
    """The tracks by label."""
    present, first, codes = np.unique(shared.codes("label"), return_index=True, return_inverse=True)
    unknown = int(len(present) > 0 and present[0] < 0)  # then the first code stands for no label
    return Grouping([str(text) for text in shared.texts("label", first[unknown:])], codes - unknown)


def region_groups(shared: SharedTracks) -> Grouping:
    """The tracks by region of the later version's map, or else of the earlier one's; no groups if neither has one."""
    from audioae.maps.reader import open_map

    for embeddings in reversed(shared.refs):
        if (ref := map_of(shared.store, embeddings)) is not None:
            catalog_map = open_map(shared.store, ref)
            rows = catalog_map.ids.rows_of(shared.ids)
            regions = np.where(rows >= 0, catalog_map.region[rows], -1)
            numbers = np.array(sorted(region.region for region in catalog_map.regions), np.int64)
            names = {region.region: region.name for region in catalog_map.regions}
            place = np.searchsorted(numbers, regions).clip(max=max(len(numbers) - 1, 0))
            known = numbers[place] == regions if len(numbers) else np.zeros(len(regions), bool)
            return Grouping([names[number] for number in numbers.tolist()], np.where(known, place, -1))
    return Grouping([], np.full(len(shared), -1))


def map_of(store: Store, embeddings: DatasetRef) -> DatasetRef | None:
    """The newest whole map of a version of `embeddings`; None if there is none."""
    refs = store.whole_versions("map")
    return next((ref for ref in refs if store.manifest(ref).parents.get("embeddings") == embeddings.version), None)


def split_artists(codes: np.ndarray) -> np.ndarray:
    """A number per artist; each track without an artist has its own number.

    >>> split_artists(np.array([4, -1, 4, -1])).tolist()
    [2, 0, 2, 1]
    """
    alone = codes.astype(np.int64)
    alone[codes < 0] = -1 - np.arange((codes < 0).sum())[::-1]
    return np.unique(alone, return_inverse=True)[1]


def group_rows(groups: Groups, grouping: Grouping) -> list[dict[str, Any]]:
    """One row per group, the one that changed most first; at most `MOST`, those with most tracks.

    Each has `name`, `n` (measured tracks), `overlap` with `low` and `high`, `cosine`, `same_a` and `same_b` (the share
    of its tracks' neighbors that are of the group, before and after) and `same_low`, `same_high`: the interval of the
    change. Ends of intervals are None for a group with too few artists.
    """
    n = len(grouping.names)
    codes = grouping.codes[groups.measured]
    kept = group_means(groups.overlap, codes, groups.artists, n, SHARE)
    cosine = group_means(groups.cosine, codes, groups.artists, n).mean
    shares = [changes.same_group_share(lists, groups.measured, grouping.codes) for lists in groups.lists]
    before, after = (group_means(share, codes, groups.artists, n).mean for share in shares)
    change = group_means(shares[1] - shares[0], codes, groups.artists, n)
    largest = np.argsort(-kept.n, kind="stable")[:MOST]
    largest = largest[kept.n[largest] > 0]
    columns = {
        "overlap": kept.mean,
        "low": kept.low,
        "high": kept.high,
        "cosine": cosine,
        "same_a": before,
        "same_b": after,
        "same_low": change.low,
        "same_high": change.high,
    }
    return [
        {
            "name": grouping.names[i],
            "n": int(kept.n[i]),
            **{name: _known(float(values[i])) for name, values in columns.items()},
        }
        for i in largest[np.argsort(kept.mean[largest], kind="stable")].tolist()
    ]


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None
