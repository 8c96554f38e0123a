"""A temporary database on disk, in which a scan is sorted and joined: its memory is bounded, whatever the catalog.

Conventions
-----------
- Tables go in and come out as Arrow, block by block. A path is a BLOB: UTF-8 in which bytes that are not UTF-8 are lone
  surrogates ("surrogatepass"), so that its order is that of Python's strings. A time is in microseconds since 1970.
- What does not fit into `MEMORY_MB` goes to a temporary folder in the cache (`AUDIOAE_CACHE`), about 1 KB a track.

Why duckdb: sorting 5,000,000 rows of 250 B by path, finding the duplicates and sorting again by shard took 41 s of CPU
and 0.59 GB at the peak (1,000,000: 7 s, 0.55 GB); polars 2.1, streaming: 29 s and 1.83 GB (5 s, 0.49 GB); pyarrow 26:
30 s and 2.70 GB (6 s, 0.67 GB). Only duckdb's memory stays flat. It is 66 MB installed; polars is 175 MB.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from audioae.errors import ConfigError

MEMORY_MB = 512
THREADS = 4
BLOCK = 16_384  # rows


class Database:
    """A database in a folder of its own, which is deleted with it.

    Parameters
    ----------
    parent : Path
        Where the folder is made.
    """

    def __init__(self, parent: Path):
        import duckdb

        self.folder = _new_folder(parent)
        config: dict[str, Any] = {
            "memory_limit": f"{MEMORY_MB}MB",
            "threads": min(len(os.sched_getaffinity(0)), THREADS),
            "temp_directory": str(self.folder / "spilled"),
        }
        self._connection = duckdb.connect(":memory:", config=config)
        self._connection.execute("SET enable_external_access = false")  # no statement can name a file

    def __enter__(self) -> "Database":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Execute a statement."""
        with self._explained():
            self._connection.execute(sql, list(parameters))

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple]:
        """The rows of a small result."""
        with self._explained():
            return self._connection.execute(sql, list(parameters)).fetchall()

    def value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """The only value of a result."""
        return self.rows(sql, parameters)[0][0]

    def create(self, table: str, schema: pa.Schema) -> None:
        """Create an empty table."""
        with self._registered(schema.empty_table()) as name:
            self.run(f"CREATE OR REPLACE TABLE {table} AS SELECT * FROM {name}")

    def insert(self, table: str, rows: pa.Table) -> None:
        """Append rows; columns are matched by name, those that are missing are null."""
        with self._registered(rows) as name:
            self.run(f"INSERT INTO {table} BY NAME SELECT * FROM {name}")

    def stream(self, sql: str, rows: int = BLOCK) -> Iterator[pa.Table]:
        """The result of a query in blocks of at most `rows` rows. Another query may run meanwhile."""
        cursor = self._connection.cursor()
        try:
            with self._explained():
                reader = cursor.sql(sql).to_arrow_reader(rows)
            while True:
                with self._explained():
                    batch = next(reader, None)
                if batch is None:
                    return
                if batch.num_rows:
                    yield pa.Table.from_batches([batch])
        finally:
            cursor.close()

    @contextlib.contextmanager
    def _registered(self, rows: pa.Table) -> Iterator[str]:
        """A name under which statements can use an Arrow table."""
        self._connection.register("arrow_rows", rows)
        try:
            yield "arrow_rows"
        finally:
            self._connection.unregister("arrow_rows")

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what the disk or the memory lacks into a `ConfigError` that says what to do."""
        import duckdb

        try:
            yield
        except (duckdb.IOException, duckdb.OutOfMemoryException, OSError) as error:
            problem = str(error).splitlines()[0]
            raise ConfigError(
                f"{self.folder}: {problem}; a scan sorts its tracks in files there, about 1 KB a track: free space, or "
                "set AUDIOAE_CACHE to a folder on another disk. Nothing was published"
            ) from error


def _new_folder(parent: Path) -> Path:
    """A new folder in `parent`, or among the system's temporary files where that cannot be written."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=".tmp-catalog-", dir=parent))
    except OSError:
        return Path(tempfile.mkdtemp(prefix="audioae-catalog-"))


def encoded(path: str) -> bytes:
    """A path as it is in the database."""
    return path.encode("utf-8", "surrogatepass")


def decoded(path: bytes) -> str:
    """A path from the database."""
    return path.decode("utf-8", "surrogatepass")
