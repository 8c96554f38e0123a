"""The choice of an index: a FAISS factory string from the number of embeddings, the memory and the recall wanted.

Conventions
-----------
- `bytes_per_vector` is the size of the index per embedding, in memory and on disk, without the track IDs.
- A factory string may say `IVF` without a number of lists; the number then follows from the number of embeddings.

Why: up to 50,000 embeddings, comparing a query with all of them takes a millisecond or two and is exact, so nothing
else pays. Above that, an index that scans 4-bit codes by SIMD and compares the best candidates again is the fastest at
equal recall: with the embeddings themselves if memory allows it, or else with 8-bit codes. Next come 8-bit codes alone.
5-bit RaBitQ is the smallest index that reaches a recall of 0.95 (4 bits reach 0.93). HNSW32 is never chosen: at 100,000
embeddings it takes 1.7 times as long for one query and 3 times as long for batches, it needs more memory, and it is
built on one thread (several build a different graph each time). Among clusters its walk can end in the wrong one: at a
recall of 0.96 it misses 2 % of its own embeddings. sqrt(n) lists take 0.7 to 0.9 of the time of the usual 4 sqrt(n).
Lists would answer batches 7 times as fast as Flat at 25,000 embeddings, but not exactly; a batch of all of them takes
4 s there. `python -m tests.bench.bench_search` and `index_lists` print all of this.
"""

import math
import re
from collections.abc import Callable
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, field_validator

from audioae.config import Config
from audioae.errors import SearchError

FLAT_UP_TO = 50_000
POINTS_PER_LIST = 40  # k-means wants 39 at least
LIST_ROW = 8  # bytes of the row number that an inverted list keeps with each code
MAP_ROW = 8  # bytes of the place of each row in the lists, which an index that has only codes needs to decode a row
INF = float("inf")
SUPPORTED = re.compile(
    r"auto|Flat|HNSW\d+|(RR,|OPQ\d+,)?IVF\d*(_HNSW\d+)?,(Flat|SQ[48]|PQ\d+(x4fs)?|RaBitQ[1-9]?)(,(RFlat|Refine\((Flat|SQ8)\)))?"
)

Tunable = Annotated[int, Field(ge=1)] | Literal["auto"]


class IndexConfig(Config):
    """How to build an index, and the limits that it must meet to be published.

    `factory` is a FAISS factory string, or "auto". Search parameters that are "auto" are tuned to reach `recall_target`
    at `k`. One half of the `n_queries` held-out tracks serves for tuning, the other half for measuring.

    `memory_bytes` is the largest size that "auto" chooses: what the machine that serves the index can keep in memory.
    Null means half of the memory of the machine that builds it.
    """

    factory: str = "auto"
    recall_target: float = Field(default=0.95, gt=0, lt=1)
    memory_bytes: int | None = Field(default=None, gt=0)
    k: int = Field(default=10, ge=1, le=1000)
    n_queries: int = Field(default=2000, ge=2)
    train_size: int | None = Field(default=None, ge=1)
    seed: int = Field(default=0, ge=0)
    nprobe: Tunable = "auto"
    ef_search: Tunable = "auto"
    k_factor: Tunable = "auto"
    min_recall: float = Field(default=0.95, ge=0, le=1)
    max_p99_ms: float = Field(default=100, gt=0)

    @field_validator("factory")
    @classmethod
    def _supported(cls, factory: str) -> str:
        if not SUPPORTED.fullmatch(factory):
            raise ValueError(
                "wanted auto or a factory string like Flat, HNSW32, IVF,SQ8 or IVF4096,PQ64x4fs,Refine(SQ8)"
            )
        return factory

    def fixed(self) -> dict[str, int]:
        """The search parameters that are set, not tuned."""
        values = {"nprobe": self.nprobe, "ef_search": self.ef_search, "k_factor": self.k_factor}
        return {name: value for name, value in values.items() if isinstance(value, int)}


class FactoryChoice(NamedTuple):
    """A factory string, its size, and why it was chosen."""

    factory: str
    bytes_per_vector: float
    reason: str


class Family(NamedTuple):
    """A kind of index: its bytes per embedding of `dim` floats, the best recall it can reach, and the largest n."""

    template: str
    code_bytes: Callable[[int], float]
    best_recall: float
    up_to: float
    reason: str

    def at(self, n: int, dim: int) -> FactoryChoice:
        """The factory string and its size for `n` embeddings."""
        factory = fill_in(self.template.format(dim=dim), n)
        size = self.code_bytes(dim) + fixed_bytes(factory, dim) / max(n, 1)
        return FactoryChoice(factory, size, f"{n:,} embeddings of {size:.0f} bytes: {self.reason}")


FAMILIES = [
    Family("Flat", lambda dim: 4 * dim, 1.0, FLAT_UP_TO, "exact, and fast enough"),
    Family("IVF,PQ{dim}x4fs,RFlat", lambda dim: dim / 2 + 4 * dim + LIST_ROW, 1.0, INF, "fastest, exact scores"),
    Family(
        "IVF,PQ{dim}x4fs,Refine(SQ8)", lambda dim: dim / 2 + dim + LIST_ROW, 0.98, INF, "fastest that fits the memory"
    ),
    Family("IVF,SQ8", lambda dim: dim + LIST_ROW + MAP_ROW, 0.98, INF, "fastest that fits the memory"),
    Family("RR,IVF,RaBitQ5", lambda dim: dim * 5 / 8 + 20 + LIST_ROW + MAP_ROW, 0.95, INF, "smallest"),
]


def choose_factory(
    n: int, dim: int, memory_bytes: int | None, recall_target: float, *, or_smallest: bool = False
) -> FactoryChoice:
    """Choose an index for `n` embeddings of `dim` floats.

    Parameters
    ----------
    n, dim : int
    memory_bytes : int or None
        The largest size of the index; None means no limit.
    recall_target : float
        The recall@k wanted, 0 to 1.
    or_smallest : bool
        Whether the smallest index will do where none fits: it is mapped, and read from disk where memory ends.

    Raises
    ------
    SearchError
        If even the smallest index with that recall is larger than `memory_bytes`, unless `or_smallest`.

    >>> choose_factory(1_000, 128, None, 0.95).factory
    'Flat'
    """
    limit = float("inf") if memory_bytes is None else memory_bytes
    choices = []
    for family in FAMILIES:
        if n > family.up_to or recall_target > family.best_recall:
            continue
        choice = family.at(n, dim)
        if choice.bytes_per_vector * n <= limit:
            return choice
        choices.append(choice)
    smallest = min(choices, key=lambda choice: choice.bytes_per_vector)
    if or_smallest:
        return smallest
    raise SearchError(
        f"no index of {n:,} embeddings at recall {recall_target} fits index.memory_bytes={memory_bytes}: the smallest "
        f"takes {smallest.bytes_per_vector * n:,.0f}; raise the memory or lower index.recall_target"
    )


def fill_in(factory: str, n: int) -> str:
    """Give an `IVF` without a number of lists the power of two nearest to sqrt(n), with at least 40 points per list.

    >>> fill_in("IVF,SQ8", 1_000_000)
    'IVF1024,SQ8'
    """
    lists = 2 ** round(math.log2(max(min(n**0.5, n / POINTS_PER_LIST), 1)))
    return re.sub(r"\bIVF(?!\d)", f"IVF{lists}", factory)


def n_lists(factory: str) -> int:
    """Number of inverted lists in a factory string; 0 if it has none."""
    match = re.search(r"\bIVF(\d+)", factory)
    return int(match.group(1)) if match else 0


def fixed_bytes(factory: str, dim: int) -> int:
    """The size of an index that does not depend on n: centroids, half a block per list of 4-bit codes, a rotation."""
    per_list = 4 * dim + (16 * dim // 2 if "fs" in factory else 0)
    if links := re.search(r"_HNSW(\d+)", factory):
        per_list += 4 * 2 * int(links.group(1)) + 12  # links of the lowest layer, and what a node needs besides
    return n_lists(factory) * per_list + (4 * dim * dim if factory.startswith("RR") else 0)


def without_lists(factory: str) -> str:
    """A factory string without its number of lists: what two sizes of one kind of index have in common.

    >>> without_lists("RR,IVF4096,RaBitQ5"), without_lists("IVF16384_HNSW32,SQ8")
    ('RR,IVF,RaBitQ5', 'IVF,SQ8')
    """
    return re.sub(r"\bIVF\d*(_HNSW\d+)?", "IVF", factory)
