"""The answer to "what sounds like this": typed neighbors, and the forms that other tools read."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from audioae.display import shown
from audioae.library.records import Record, Track

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("rank", "score", "track_id", "title", "artist", "album", "label", "uri")
SCHEMA = pa.schema(
    [pa.field("rank", pa.int32()), pa.field("score", pa.float32()), *(pa.field(c, pa.string()) for c in COLUMNS[2:])]
)


@dataclass(frozen=True, eq=False)
class Neighbor(Record):
    """One neighbor: `rank` from 1, `score` the cosine to the query (higher = closer), and the track."""

    rank: int
    score: float
    track_id: str
    title: str | None
    artist: str | None
    album: str | None
    label: str | None
    uri: str


@dataclass(frozen=True)
class Answer:
    """The neighbors, closest first, and what they are an answer to.

    Attributes
    ----------
    seeds : sequence of Track
        The seeds that were liked, then those that were disliked.
    neighbors : list of Neighbor
    n_matching : int
        How many recordings pass the filters.
    short : str, optional
        Why there are fewer neighbors than were wanted; None if there are as many.
    """

    seeds: Sequence[Track]
    neighbors: list[Neighbor]
    n_matching: int
    short: str | None = None

    def __len__(self) -> int:
        return len(self.neighbors)

    def to_arrow(self) -> pa.Table:
        """The neighbors as a table with the columns of `Neighbor`."""
        return pa.Table.from_pylist([dict(neighbor) for neighbor in self.neighbors], schema=SCHEMA)

    def to_pandas(self) -> "pd.DataFrame":
        """The neighbors as a data frame; needs pandas."""
        return self.to_arrow().to_pandas()

    def _repr_html_(self) -> str:
        """A table for notebooks; tags are shown as text."""
        title = " + ".join(str(seed.title or seed.track_id) for seed in self.seeds)
        return _table(COLUMNS[:-1], [[row[name] for name in COLUMNS[:-1]] for row in self.neighbors], title)


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]], caption: str) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(_cell(value))}</td>' for value in row)}</tr>" for row in rows)
    return f"<table><caption>{html.escape(shown(caption))}</caption><tr>{head}</tr>{body}</table>"


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else shown(str(value))
