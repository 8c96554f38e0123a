"""Audio files and manifests for the tests of the catalog."""

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import soundfile

from audioae.catalog.claims import spellings
from audioae.catalog.database import Database, encoded
from audioae.catalog.files import READ
from audioae.catalog.listing import keep_unreadable, list_source
from audioae.catalog.paths import paths_of
from audioae.catalog.rows import respelled
from audioae.catalog.scan import SCANNED, CatalogConfig, Scan, scan_listing
from audioae.progress import Advance

NOISE = np.random.default_rng(0).normal(0, 0.1, 24_000).astype(np.float32)


def write(path: Path, seed: int = 0) -> Path:
    """One second of noise in the format of the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".m4a":
        return _write_m4a(path)
    kind, subtype = {".opus": ("OGG", "OPUS"), ".oga": ("OGG", "VORBIS")}.get(
        path.suffix, (path.suffix[1:].upper(), None)
    )
    soundfile.write(path, np.roll(NOISE, seed), 24_000, format=kind, subtype=subtype)
    return path


def write_csv(path: Path, *rows: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def scan(
    config: CatalogConfig,
    known: pa.Table | None = None,
    on_progress: Advance | None = None,
    *,
    reread: bool = False,
    retag: bool = False,
) -> pa.Table:
    """A scan as one table, with labels as they are shown; `known` is that of an earlier one."""
    before: pa.Table = SCANNED.empty_table() if known is None else known
    with tempfile.TemporaryDirectory() as folder, Database(Path(folder)) as db:
        columns = {name: before[name] for name in before.column_names if name in READ.names}
        paths = pa.array([encoded(path) for path in paths_of(before)], pa.binary())
        db.create("reads", READ)
        db.create("known", pa.schema([("row", pa.int64()), *READ]))
        db.insert("known", pa.table({**columns, "path": paths, "row": pa.array(range(len(before)), pa.int64())}))
        listed, state = list_source(db, config), Scan()
        keep_unreadable(db, config, listed)
        blocks = list(scan_listing(db, config, listed, state, reread=reread, retag=retag, on_progress=on_progress))
    earlier = [label for labels in before["genres"].to_pylist() for label in labels or ()]
    shown = spellings(state.labels, earlier)
    return pa.concat_tables([respelled(block, shown) for block in blocks]).combine_chunks()


def scan_rows(source: Path, known: pa.Table | None = None, **options) -> list[dict]:
    table = scan(CatalogConfig(source=str(source), **options), known)
    assert table.schema == SCANNED
    return table.to_pylist()


def _write_m4a(path: Path) -> Path:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=24_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(NOISE[None], format="fltp", layout="mono")
        frame.rate = 24_000
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    return path
