"""Add the dataset `runs` to the golden sample of store format v3: `python -m tests.golden.make_v3_runs`.

It must load forever; an existing sample is kept.
"""

from datetime import UTC, datetime
from typing import Any

from audioae.pipeline.run_log import FAILED, RunRow, append_run
from audioae.store.dataset import Store
from tests.golden.make_v3 import FOLDER


def main() -> None:
    store = Store(str(FOLDER))
    if store.latest("runs"):
        return
    begun, ended = (datetime(2026, 1, 2, 3, minute, tzinfo=UTC) for minute in (0, 5))
    who: dict[str, Any] = {"user": "anna", "host": "box", "config_name": "pipeline", "config": {"store": "data"}}
    times: dict[str, Any] = {"started_at": begun, "finished_at": ended}
    good = RunRow("000000-golden", "pipeline", versions={"audioae": "0.1.0"}, **who, **times)
    good.seconds, good.counts, good.refs = {"mels": 1.5}, {"mels": {"clips": 72}}, {"mels": "mels@00"}
    good.rejects, good.drift = {"silent": 1}, {"alarm": False}
    bad = RunRow("000001-golden", "embed", versions={}, **who, started_at=ended, finished_at=ended)
    bad.state, bad.error, bad.warnings = FAILED, "StoreError: no space left", ["skipped a.mp3"]
    append_run(store, good)
    append_run(store, bad)


if __name__ == "__main__":
    main()
