"""Write the golden sample of the second schema versions (of health, the third): `python -m tests.golden.make_v2`.

Existing datasets are kept, because they must load forever; only missing ones are written.
"""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from audioae.store.dataset import Store
from audioae.store.schemas import DATASETS

FOLDER = Path(__file__).parent / "v2"
HEADER = b"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }".ljust(117) + b"\n"
NPY = b"\x93NUMPY\x01\0v\0" + HEADER + b"\0\0\0?\0\0\0\0"  # 0.5, 0.0


def main() -> None:
    store = Store(str(FOLDER))

    def commit(dataset: str, rows: list[dict]) -> None:
        if store.latest(dataset) is None:
            store.write_part(dataset, "000000-golden", pa.Table.from_pylist(rows, schema=DATASETS[dataset].schema))
            store.commit(dataset, ["000000-golden"], recipe="golden", config={"golden": 2})

    values = [{"name": "score", "array": NPY}, {"name": "kind", "json": '"random"'}]  # a step is never published
    store.write_part("steps", "golden", pa.Table.from_pylist(values, schema=DATASETS["steps"].schema))
    added_at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    plain = {"uri": "/music/a.mp3", "shard": 0, "added_at": added_at}
    full = {"uri": "/music/caf\\xe9.mp3", "path_bytes": b"/music/caf\xe9.mp3", "audio_hash": "fe" * 16}
    full |= {"artist": "A", "artists": ["A", "B"], "label": "Rock", "genres": ["Rock", "Pop"]}
    commit("tracks", [{**plain, "track_id": "00000000000000aa"}, {**plain, **full, "track_id": "00000000000000ab"}])
    damaged = {"track_id": "00000000000000aa", "codec": "mp3", "tail_s": 0.5, "resyncs": 1, "missing_s": 0.25}
    failed = {"track_id": "00000000000000aa", "stage": "mels", "reason": "timeout", "detail": "no answer within 60 s"}
    silent = {"track_id": "00000000000000ab", "stage": "mels", "reason": "silent", "detail": "peak -inf dBFS"}
    commit("rejects", [{**failed, "attempts": 2, "retry_at": added_at}, silent])
    mel = {"track_id": "00000000000000aa", "clip": 0, "start_s": 1.5, "peak_db": -3.0, "padded": False}
    commit("mels", [{**mel, "mel": bytes(i % 256 for i in range(128 * 130))}])
    commit("health", [damaged, {"track_id": "00000000000000ab", "codec": "flac"}])


if __name__ == "__main__":
    main()
