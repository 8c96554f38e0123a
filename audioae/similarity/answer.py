"""The answer to "what sounds like this": typed neighbors, and the forms that other tools read."""

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

import pyarrow as pa

from audioae.display import shown
from audioae.library.records import Record, Track
from audioae.library.shown_rows import ShownRows

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


class Neighbors(Sequence[Neighbor]):
    """Neighbors whose texts are read when they are looked at.

    Parameters
    ----------
    shown : ShownRows
    rows, scores : sequence
        Catalog rows, closest first, and their cosines to the query.
    """

    def __init__(self, shown: ShownRows, rows: Sequence[int], scores: Sequence[float]):
        self._shown, self._rows, self.scores = shown, rows, scores
        self._read: list[Neighbor] | None = None

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> Neighbor: ...
    @overload
    def __getitem__(self, place: slice) -> list[Neighbor]: ...
    def __getitem__(self, place: int | slice) -> Neighbor | list[Neighbor]:
        return self._all()[place]

    def __iter__(self) -> Iterator[Neighbor]:
        return iter(self._all())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._all() == list(other)

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __repr__(self) -> str:
        return repr(self._all())

    def records(self) -> list[memoryview]:
        """What is shown of each, as `library.shown_rows` holds it."""
        return self._shown.records(self._rows)

    def _all(self) -> list[Neighbor]:
        if self._read is None:
            ranked = enumerate(zip(self.scores, self._shown.texts(self._rows), strict=True), 1)
            self._read = [Neighbor(rank, score, **texts) for rank, (score, texts) in ranked]
        return self._read


@dataclass(frozen=True)
class Answer:
    """The neighbors, closest first, and what they are an answer to.

    Attributes
    ----------
    seeds : sequence of Track
        The seeds that were liked, then those that were disliked.
    neighbors : sequence of Neighbor
    n_matching : int
        How many recordings pass the filters.
    short : str, optional
        Why there are fewer neighbors than were wanted; None if there are as many.
    """

    seeds: Sequence[Track]
    neighbors: Sequence[Neighbor]
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
