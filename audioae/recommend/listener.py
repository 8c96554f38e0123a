"""Recommendations for one listener whose plays are in the question, from sound and names alone.

Conventions
-----------
- The scores are those of `ColdStartScorer` for a log of this one listener, which has no part from others. Recommended
  is what the listener has not played; a play of a copy counts for the recording, and copies are not recommended.
- Up to `EXACT_UP_TO` candidates, each is scored. Above, only those near a taste are: by sound, the `NEAREST` of all
  candidates, of those with a label of the taste or none, and of those by an artist of the taste or none.
- If only a copy of a recording passes the filters, the copy is recommended.
- What all listeners need of the catalog is read once and kept. Threads may share one object.

Why several searches: the features are sound, artist and label. Among tracks whose names fit a taste equally well the
score depends on the sound alone, so the best of each kind are among the nearest of that kind.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # its functions are made at import

from audioae.errors import NoMatchError, SearchError
from audioae.library.filters import Filters
from audioae.library.generation import Generation
from audioae.recommend.answer import Play, PlayedTrack, RecommendAnswer, Recommendation, Taste
from audioae.recommend.catalog_features import CatalogFeatures, unit
from audioae.recommend.config import HALF_LIFE_DAYS
from audioae.recommend.play_log import PlayLog
from audioae.recommend.ranking import standardized
from audioae.recommend.tastes import (
    MAX_TRACKS,
    Tastes,
    find_reason,
    find_tastes,
    taste_fit,
)
from audioae.similarity.known_tracks import catalog_rows
from audioae.similarity.matching import Matching, first_members, matching_rows

EXACT_UP_TO = 20_000
NEAREST = 1000
NAMES = ("label", "artist")
SHOWN = ("track_id", "title", "artist", "album", "label", "uri")
PLAYED = ("track_id", "title", "artist", "label")


@dataclass(frozen=True)
class _Listener:
    """What one listener has played.

    Attributes
    ----------
    played : np.ndarray, shape (n_played,), int64
        Index rows of all played recordings.
    rows : np.ndarray, shape (m,), int64
        Those of them that make up the tastes, in the order of their track_ids; the tastes' members are positions here.
    features : np.ndarray, shape (m, d)
    tastes : Tastes
    unknown_plays : int
    """

    played: np.ndarray
    rows: np.ndarray
    features: np.ndarray
    tastes: Tastes
    unknown_plays: int


class ListenerRecommender:
    """Recommends tracks of one generation to listeners.

    Parameters
    ----------
    library : Generation
    """

    def __init__(self, library: Generation):
        self.library = library
        self._catalog = CatalogFeatures(library)

    def recommend(
        self, plays: Sequence[Play], k: int, filters: Filters, half_life_days: float = HALF_LIFE_DAYS
    ) -> RecommendAnswer:
        """See `Library.recommend`."""
        if k < 1:
            raise SearchError(f"k={k}: wanted at least 1 new track")
        listener = self._listener(plays, half_life_days)
        try:
            matches = matching_rows(self.library, filters)
        except NoMatchError as error:
            return RecommendAnswer([], self._tastes(listener), 0, listener.unknown_plays, str(error))
        new = self._new(listener, matches)
        rows = np.flatnonzero(new)
        recordings = np.zeros(len(new), bool)
        recordings[self.library.alignment.group[rows]] = True
        n_new = int(np.count_nonzero(recordings))
        if len(rows) > EXACT_UP_TO:
            rows = self._candidates(new, listener, k)
        best = self._best(rows, listener, k, matches) if len(rows) else []
        short = None if len(best) == k else _why_short(len(best), k, n_new, bool(filters))
        return RecommendAnswer(best, self._tastes(listener), n_new, listener.unknown_plays, short)

    def _listener(self, plays: Sequence[Play], half_life_days: float) -> _Listener:
        """The tastes of a listener. Raises `SearchError` if no play is of an indexed track."""
        alignment, ids = self.library.alignment, self.library.index.ids
        catalog = catalog_rows(self.library, [play.track for play in plays])
        rows = np.where(catalog < 0, -1, alignment.index_row[catalog])
        weight, age_days = _weights(plays), _ages(plays)
        known = rows >= 0
        if not known.any():
            first = f", the first is of {plays[0].track}" if plays else ""
            raise SearchError(
                f"none of the {len(plays)} plays is of a track with an embedding{first}; wanted track_ids of "
                f"{self.library.tracks_ref}, or aliases"
            )
        played, recording = np.unique(alignment.group[rows[known]], return_inverse=True)
        order = pc.array_sort_indices(ids.take(pa.array(played))).to_numpy()
        played, recording = played[order], np.argsort(order)[recording]
        one = np.zeros(len(recording), np.int64)
        log = PlayLog(np.array([""]), one, recording, weight[known], age_days[known])
        matrix = log.matrix(len(played), half_life_days)
        heard = matrix.data > 0  # a weight may vanish with age
        counted, weights = matrix.indices[heard].astype(np.int64), matrix.data[heard]
        if not len(counted):
            raise SearchError(f"half_life_days={half_life_days:g}: all plays of known tracks are too old to count")
        most = np.sort(np.argsort(np.negative(weights), kind="stable")[:MAX_TRACKS])
        rows = played[counted[most]]
        features = self._catalog.features(rows)
        tastes = find_tastes(features, np.arange(len(rows)), weights[most], self._catalog.distance)
        return _Listener(played, rows, features, tastes, int((~known).sum()))

    def _new(self, listener: _Listener, matches: Matching | None) -> np.ndarray:
        """Which index rows may be recommended, shape (n_index,), bool: new, matching, and no copies of such."""
        group = self.library.alignment.group
        played = np.zeros(len(group), bool)
        played[listener.played] = True
        if matches is None:
            return self._catalog.is_original & ~played
        passes = np.zeros(len(group), bool)
        passes[matches.index_row] = True
        return passes & ~played[group] & (self._catalog.is_original | ~passes[group])

    def _candidates(self, new: np.ndarray, listener: _Listener, k: int) -> np.ndarray:
        """Index rows near a taste, ascending: by sound, and among those that share a name with it."""
        tastes, index = listener.tastes, self.library.index
        sound, depth = tastes.centroids[:, : index.dim], max(NEAREST, 3 * k)
        searches = [(sound, new), *((sound, new & self._catalog.without_name(name)) for name in NAMES)]
        for number, members in enumerate(tastes.members):
            named = (self._catalog.with_name(name, listener.rows[members]) for name in NAMES)
            searches += [(sound[number : number + 1], new & mask) for mask in named]
        masked = ((queries, np.flatnonzero(mask)) for queries, mask in searches)
        found = [index.search(queries, depth, among)[1].ravel() for queries, among in masked if len(among)]
        rows = np.unique(np.concatenate(found))
        return rows[rows >= 0]

    def _best(self, rows: np.ndarray, listener: _Listener, k: int, matches: Matching | None) -> list[Recommendation]:
        """Score candidates, and describe the best."""
        features = self._catalog.features(rows)
        scores = standardized(
            taste_fit([listener.tastes], np.concatenate([features, self._catalog.background])), len(rows)
        )[0]
        ranked = np.argsort(-scores, kind="stable")
        first = np.unique(self.library.alignment.group[rows[ranked]], return_index=True)[1]  # of each recording
        best = ranked[np.sort(first)[:k]]
        shown = first_members(self.library.alignment, matches, rows[best]).tolist()
        return [
            self._recommendation(rank, shown[rank - 1], float(scores[place]), features[place], listener)
            for rank, place in enumerate(best.tolist(), 1)
        ]

    def _recommendation(
        self, rank: int, row: int, score: float, features: np.ndarray, listener: _Listener
    ) -> Recommendation:
        texts, dim = self.library.lookup.cells.texts, self.library.index.dim
        reason = find_reason(listener.tastes, listener.features, features)
        cosines = unit(listener.features[reason.rows, :dim]) @ unit(features[None, :dim])[0]
        played = zip(self._shown(listener.rows[reason.rows]), cosines.tolist(), strict=True)
        because = [PlayedTrack(cosine=cosine, **_cells(texts, one, PLAYED)) for one, cosine in played]
        columns = _cells(texts, row, SHOWN)
        return Recommendation(rank=rank, score=score, taste=reason.taste + 1, because=because, **columns)

    def _tastes(self, listener: _Listener, n: int = 3) -> list[Taste]:
        texts = self.library.lookup.cells.texts
        tastes = []
        for number, (share, members) in enumerate(zip(listener.tastes.shares, listener.tastes.members, strict=True), 1):
            rows = self._shown(listener.rows[members])
            labels = Counter(label for row in rows if (label := texts["label"][row]))
            titles = [title for row in rows[:n] if (title := texts["title"][row])]
            frequent = [label for label, _ in sorted(labels.most_common(), key=lambda one: (-one[1], one[0]))]
            tastes.append(Taste(number, float(share), len(members), frequent[:n], titles))
        return tastes

    def _shown(self, rows: np.ndarray) -> list[int]:
        """Catalog rows of index rows."""
        return self.library.alignment.catalog_row[rows].tolist()


def _cells(texts: Mapping[str, Any], row: int, names: Sequence[str]) -> dict[str, Any]:
    return {name: texts[name][row] for name in names}


def _weights(plays: Sequence[Play]) -> np.ndarray:
    weight = np.array([play.weight for play in plays], np.float64)
    if (bad := ~(np.isfinite(weight) & (weight > 0))).any():
        first = int(np.flatnonzero(bad)[0])
        raise SearchError(
            f"plays.{first}: weight {weight[first]:g}, wanted above 0; leave out tracks that the listener did not like"
        )
    return weight


def _ages(plays: Sequence[Play]) -> np.ndarray:
    """Days before the newest play, shape (n,), float64; 0 if no time is known."""
    times = [play.played_at for play in plays]
    if not any(times):
        return np.zeros(len(plays))
    if None in times:
        raise SearchError(
            f"{times.count(None)} of {len(times)} plays have no played_at; give it for all plays or for none"
        )
    days = np.array([_utc(time).timestamp() / 86_400 for time in times if time])
    return days.max() - days


def _utc(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _why_short(n: int, k: int, n_new: int, filtered: bool) -> str:
    which = "that the listener has not played pass the filters" if filtered else "are not played yet"
    return f"{n} instead of {k}: {n_new} recordings {which}"
