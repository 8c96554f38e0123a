"""Write the golden samples of `tracks` (third schema version), `aliases` and `scans`: `python -m tests.golden.make_v3`.

Existing datasets are kept, because they must load forever; only missing ones are written.
"""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from audioae.store.dataset import Store
from audioae.store.schemas import DATASETS

FOLDER = Path(__file__).parent / "v3"


def main() -> None:
    store = Store(str(FOLDER))

    def commit(dataset: str, rows: list[dict], config: dict) -> None:
        if store.latest(dataset) is None:
            store.write_part(dataset, "000000-golden", pa.Table.from_pylist(rows, schema=DATASETS[dataset].schema))
            store.commit(dataset, ["000000-golden"], recipe="golden", config=config)

    plain = {"uri": "/music/a.mp3", "shard": 0, "added_at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)}
    known = {"isrc": "QZES71982312", "musicbrainz_id": "5fee3020-513b-48c2-b1f7-4681b01db0c6"}
    tracks = [{**plain, "track_id": "00000000000000aa"}, {**plain, **known, "track_id": "00000000000000ab"}]
    commit("tracks", tracks, {"golden": 3})
    alias = {"namespace": "navidrome", "external_id": "2wk6GnfjBXkjNbd7", "track_id": "00000000000000ab"}
    namespace = {"parts": ["000000-golden"], "rows": 1, "tracks": "tracks@000000000000"}
    config = {"namespaces": {"navidrome": namespace}, "changed": ["navidrome"]}
    commit("aliases", [{**alias, "matched_by": "isrc"}], config)
    file = {"path": b"/music/a.mp3", "size_bytes": 4096, "modified_ns": 1_767_323_045_000_000_000, "year": 1999}
    commit("scans", [{**file, "content_hash": "fe" * 16, "genres": ["Rock", "Pop"]}], {"source": "/music", "files": 1})


if __name__ == "__main__":
    main()
