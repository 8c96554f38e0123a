"""A selection of a map's tracks: how many, of which labels, what sets it apart, which are typical and which are odd.

Conventions
-----------
- What is compared with the catalog is compared with all tracks of the map.
- Typical tracks are those whose embedding is closest to the mean of the selection's embeddings, odd ones those that
  are farthest from it (cosine). Of near duplicates one is listed. Above `SAMPLE` tracks, evenly spaced ones stand for
  all.
- A label is suggested if it holds clearly: more than half of the selection's labeled tracks have it, with 95 %
  certainty (Wilson's interval), and at least `LEAST` have it.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from audioae.explore.mapped_tracks import MappedTracks
from audioae.explore.numbers import Z_95, Moments, effect
from audioae.explore.shares import Share, compare
from audioae.spacing import evenly_spaced

SAMPLE = 10_000
LISTED = 20  # values
TRACKS = 12
LEAST = 5


@dataclass(frozen=True)
class Feature:
    """A number that differs: its mean in the selection (`value`) and in the catalog, Cohen's d and its interval."""

    name: str
    title: str
    kind: str
    unit: str
    n: int
    value: float
    catalog: float
    effect: float
    low: float
    high: float


class Suggestion(NamedTuple):
    """A label that `n` of the selected tracks have: a `share` of all, and of those that have a label."""

    label: str
    n: int
    share: float
    share_of_labeled: float


class Ranked(NamedTuple):
    """Rows, and the cosine of each to the mean of the selection."""

    rows: list[int]
    scores: list[float]


class Selection:
    """Some tracks of a map.

    Parameters
    ----------
    track_map : MappedTracks
    rows : np.ndarray, shape (n,), int32
        Ascending and distinct.
    """

    def __init__(self, track_map: MappedTracks, rows: np.ndarray):
        self.map, self.rows = track_map, rows

    def __len__(self) -> int:
        return len(self.rows)

    def shares(self, name: str, most: int = LISTED) -> list[Share]:
        """The values of a category (label, artist, region), the most frequent first."""
        if name not in self.map.columns.present or not len(self):
            return []
        categories, texts = self.map.columns.categories(name), self.map.columns.texts(name)
        found, counts = self._counts(name)
        if not len(found):
            return []
        compared = compare(counts, len(self), categories.counts[found], len(self.map))
        order = np.lexsort((-compared.z, -counts))[:most]
        columns = zip(*(column[order].tolist() for column in (found, counts, *compared)), strict=True)
        return [Share(str(texts[int(categories.value[place])]), n, n / len(self), *more) for place, n, *more in columns]

    @cached_property
    def features(self) -> list[Feature]:
        """The numbers that are known of the tracks, those that differ most from the other tracks' first."""
        found = []
        for column in self.map.columns.present.values():
            if column.kind == "category":
                continue
            everywhere = self.map.columns.moments(column.name)
            here = Moments.of(self.map.columns.values(column.name)[self.rows])
            if (size := effect(here, everywhere.without(here))) is not None:
                about = (column.name, column.title, column.kind, column.unit)
                found.append(Feature(*about, int(here.n), here.mean, everywhere.mean, *size))
        return sorted(found, key=lambda feature: -abs(feature.effect))

    @property
    def typical(self) -> Ranked:
        """The tracks closest to the mean, closest first."""
        return self._listed(self._by_distance)

    @property
    def odd(self) -> Ranked:
        """The tracks farthest from the mean, farthest first; none of them is typical."""
        typical, ranked = set(self.typical.rows), self._by_distance
        rest = [place for place, row in enumerate(ranked.rows) if row not in typical][::-1]
        return self._listed(Ranked([ranked.rows[place] for place in rest], [ranked.scores[place] for place in rest]))

    @property
    def sampled(self) -> int:
        """How many tracks typical and odd ones were looked for among."""
        return min(len(self), SAMPLE)

    @property
    def suggestion(self) -> Suggestion | None:
        """The label that holds clearly, if one does."""
        shares = self.shares("label", 1)
        if not shares or shares[0].n < LEAST:
            return None
        n, labeled = shares[0].n, int(self._counts("label")[1].sum())
        if _lowest_share(n, labeled) <= 0.5:
            return None
        return Suggestion(shares[0].value, n, shares[0].share, n / labeled)

    def _counts(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """The categories of the tracks, and how many have each."""
        categories = self.map.columns.categories(name)
        found = categories.of_value[self.map.column_values(name, self.rows)]
        return np.unique(found[found >= 0], return_counts=True)

    @cached_property
    def _by_distance(self) -> Ranked:
        """All tracks, or the sample, closest to the mean first."""
        rows = self.rows[evenly_spaced(len(self), SAMPLE)]
        if not len(rows):
            return Ranked([], [])
        embeddings = self.map.library.index.embeddings(self.map.rows.index_row[rows])
        mean = embeddings.mean(axis=0)
        lengths = np.linalg.norm(embeddings, axis=1) * np.linalg.norm(mean)
        scores = embeddings @ mean / np.maximum(lengths, 1e-12)
        order = np.argsort(-scores, kind="stable")
        return Ranked(rows[order].tolist(), scores[order].tolist())

    def _listed(self, ranked: Ranked) -> Ranked:
        """The first, one of each group of near duplicates; at most half of the tracks."""
        rows = np.asarray(ranked.rows, np.int64)
        groups = self.map.library.alignment.group[self.map.rows.index_row[rows]]
        first = np.sort(np.unique(groups, return_index=True)[1])[: min(TRACKS, max((len(self) + 1) // 2, 1))].tolist()
        return Ranked([ranked.rows[place] for place in first], [ranked.scores[place] for place in first])


def _lowest_share(n: int, of: int) -> float:
    """The lower end of Wilson's interval.

    >>> round(_lowest_share(8, 10), 2)
    0.49
    """
    share, z2 = n / of, Z_95**2
    middle = share + z2 / (2 * of)
    return (middle - Z_95 * (share * (1 - share) / of + z2 / (4 * of * of)) ** 0.5) / (1 + z2 / of)
