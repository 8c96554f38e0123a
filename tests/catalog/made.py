"""Audio files and manifests for the tests of the catalog."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import soundfile

from audioae.catalog.scan import SCANNED, CatalogConfig, scan

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
