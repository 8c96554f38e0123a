"""How often a run asks an S3 server: not more for more unchanged shards, and only for new ones."""

import logging
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyarrow import fs as pafs
from werkzeug.serving import make_server

from audioae.errors import StoreError
from audioae.pipeline.config import Retry
from audioae.pipeline.embed import commit_embeddings, embeddings_part, pending_embeddings
from audioae.pipeline.mels import commit_mels, pending_mels
from audioae.pipeline.shard_states import whole_names
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.schemas import EMBEDDINGS
from tests.pipeline.made_chain import CONFIG, made_chain, made_parts, made_tracks

FEW, MANY = 50, 250


class CountingServer:
    """An S3 server in a thread, and the number of requests by method."""

    def __init__(self):
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

        logging.getLogger("werkzeug").setLevel(logging.WARNING)
        self.counts: Counter[str] = Counter()
        self._answer = DomainDispatcherApplication(create_backend_app)
        self.server = make_server("127.0.0.1", 0, self._count, threaded=True)

    def _count(self, environ, start_response):
        self.counts[environ["REQUEST_METHOD"]] += 1
        return self._answer(environ, start_response)


@pytest.fixture(scope="module")
def server(s3_server: str) -> Iterator[CountingServer]:
    """Beside `s3_server`, which sets the credentials."""
    counting = CountingServer()
    thread = threading.Thread(target=counting.server.serve_forever, daemon=True)
    thread.start()
    yield counting
    counting.server.shutdown()
    thread.join(10)


def upload(server: CountingServer, local: Path, bucket: str) -> str:
    """The root of a copy of a local store."""
    address = f"127.0.0.1:{server.server.server_port}"
    options = {"endpoint_override": address, "scheme": "http", "allow_bucket_creation": True}
    remote = pafs.S3FileSystem(**options, allow_delayed_open=True)
    remote.create_dir(bucket)
    pafs.copy_files(str(local), f"{bucket}/store", pafs.LocalFileSystem(), remote)
    return f"s3://{bucket}/store?endpoint_override={address}&scheme=http"


def count(
    server: CountingServer, root: str, tracks: DatasetRef, model: DatasetRef
) -> tuple[list[int], list[list[int]]]:
    """The requests of each function of a run, and the pending shards."""
    stages = (
        lambda store: pending_mels(store, CONFIG, tracks),
        lambda store: commit_mels(store, CONFIG, tracks, max_reject_rate=0.5),
        lambda store: pending_embeddings(store, CONFIG, tracks, model),
        lambda store: commit_embeddings(store, CONFIG, tracks, model, max_reject_rate=0.5),
    )
    numbers, answers = [], []
    for stage in stages:
        tries = []
        for _ in range(2):  # on a machine that does other work, a request may be sent again
            before = server.counts.total()
            answer = stage(Store(root))
            tries.append(server.counts.total() - before)
        answers.append(answer)
        numbers.append(min(tries))
    return numbers, [answers[0], answers[2]]


def test_unchanged_shards_cost_no_requests_and_new_ones_a_few(server: CountingServer, tmp_path: Path):
    local = Store(str(tmp_path / "store"))
    tracks, model, embeddings = made_chain(local, FEW, failing=[7])
    few, pending = count(server, upload(server, tmp_path / "store", "few"), tracks, model)
    assert pending == [[], []]
    tracks = made_tracks(local, MANY, 3)
    made_parts(local, tracks, model, range(FEW, MANY))
    commit_mels(local, CONFIG, tracks, max_reject_rate=0.5)
    commit_embeddings(local, CONFIG, tracks, model, max_reject_rate=0.5)
    root = upload(server, tmp_path / "store", "many")
    many, pending = count(server, root, tracks, model)
    assert pending == [[], []]
    assert max(many) < 60, many
    assert max(more - less for more, less in zip(many, few, strict=True)) <= (MANY - FEW) // 100, (few, many)

    remote = Store(root)
    grown = made_tracks(local, MANY + 1, 3)
    assert grown == made_tracks(remote, MANY + 1, 3)
    assert pending_mels(Store(root), CONFIG, grown) == pending_embeddings(Store(root), CONFIG, grown, model) == [MANY]
    made_parts(remote, grown, model, [MANY])
    before = server.counts.total()
    commit_mels(Store(root), CONFIG, grown, max_reject_rate=0.5)
    commit_embeddings(Store(root), CONFIG, grown, model, max_reject_rate=0.5)
    assert server.counts.total() - before < 300, "for one new shard"
    assert Store(root).require("embeddings") != embeddings
    assert Store(root).manifest(Store(root).require("embeddings")).rows == MANY * 2 + 2 - 1


@pytest.mark.parametrize("dataset", ["health", "rejects", "mels", "embeddings"])
@pytest.mark.parametrize("way", ["deleted", "truncated"])
def test_a_lost_part_makes_its_shard_pending(tmp_path: Path, dataset: str, way: str):
    store = Store(str(tmp_path))
    tracks, model, _ = made_chain(store, 4)
    part = sorted((tmp_path / dataset / "parts").iterdir())[2]
    part.unlink() if way == "deleted" else part.write_bytes(part.read_bytes()[:-1])
    again = Store(str(tmp_path))
    assert pending_mels(again, CONFIG, tracks) == ([2] if dataset != "embeddings" else [])
    assert pending_embeddings(again, CONFIG, tracks, model) == ([2] if dataset != "mels" else [])


def test_only_shards_with_failures_to_try_again_are_pending(tmp_path: Path):
    store = Store(str(tmp_path))
    tracks, _, _ = made_chain(store, 4, failing=[1, 3])
    assert pending_mels(store, CONFIG, tracks, Retry(pause_s=3600)) == []
    assert pending_mels(store, CONFIG, tracks, Retry(pause_s=0)) == [1, 3]
    assert pending_mels(store, CONFIG, tracks, Retry(attempts=1)) == []


def test_other_settings_or_other_tracks_make_shards_pending(tmp_path: Path):
    store = Store(str(tmp_path))
    tracks, model, _ = made_chain(store, 4)
    other = CONFIG.model_copy(update={"clips": CONFIG.clips.model_copy(update={"max_clips": 3})})
    assert pending_mels(store, other, tracks) == pending_embeddings(store, other, tracks, model) == [0, 1, 2, 3]
    edited = made_tracks(store, 4, 3, edition=1)
    assert pending_mels(store, CONFIG, edited) == [3]


def test_tracks_that_get_lost_in_a_new_shard_fail_the_run(tmp_path: Path):
    store = Store(str(tmp_path))
    _, model, embeddings = made_chain(store, 4)
    grown = made_tracks(store, 5, 3)
    made_parts(store, grown, model, [4])
    name = embeddings_part(whole_names(store, CONFIG, grown)[4], model)
    store.storage.delete(f"embeddings/parts/{name}.parquet")
    store.write_part("embeddings", name, EMBEDDINGS.empty_table())
    with pytest.raises(StoreError, match=r"2 of 15 tracks of tracks@.* are neither embedded nor rejected"):
        commit_embeddings(store, CONFIG, grown, model, max_reject_rate=0.5)
    assert Store(str(tmp_path)).latest("embeddings") == embeddings
