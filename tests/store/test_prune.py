"""What prune deletes, what it keeps, and what changes while it deletes."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from audioae.errors import StoreError
from audioae.store.artifacts import commit_artifact
from audioae.store.dataset import Store
from audioae.store.fsck import check_store, repair
from audioae.store.latest import Latest
from audioae.store.manifest import DatasetRef
from audioae.store.prune import prune
from audioae.store.schemas import HEALTH
from audioae.store.storage import Storage
from audioae.store.upkeep import rollback
from tests.store.made import commit, rejects

EVERYTHING = timedelta(seconds=-5)  # no object is too young to be deleted
TWO_DAYS_S = 2 * 86400.0


def age(folder: Path, seconds: float = TWO_DAYS_S) -> None:
    """Make every file below `folder` older."""
    for path in folder.rglob("*"):
        os.utime(path, (time.time() - seconds, time.time() - seconds))


def before_each_deletion(monkeypatch: pytest.MonkeyPatch, act: Callable[[str], object]) -> None:
    """Call `act` with the key of each object just before prune looks at the store for the last time."""
    from audioae.store import prune as module

    original = module._Needed.has
    monkeypatch.setattr(module._Needed, "has", lambda self, dataset, key: act(key) or original(self, dataset, key))


def test_a_version_that_became_current_meanwhile_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = Store(str(tmp_path))
    first, second = commit(store, a=("t1",)), commit(store, b=("t2",))
    third = commit(store, c=("t3",))
    others = {first: second, second: first}
    deleted = []

    def rolled_back(key: str) -> None:
        """Another process makes the other old version current when the first deletion is about to happen."""
        for ref, other in others.items():
            if ref.version in key and not deleted:
                deleted.append(ref)
                Store(str(tmp_path)).write_latest("rejects", Latest(other.version))

    before_each_deletion(monkeypatch, rolled_back)
    assert prune(store, keep=1, grace=EVERYTHING).versions == deleted
    kept = others[deleted[0]]
    assert store.latest("rejects") == kept
    assert store.read(kept).num_rows == store.read(third).num_rows == 1
    assert check_store(Store(str(tmp_path))) == []


def test_parts_that_a_run_publishes_meanwhile_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = Store(str(tmp_path))
    commit(store, a=("t1",))
    for name in ("x", "y"):
        store.write_part("rejects", name, rejects(name))
    published = []

    def publish(key: str) -> None:
        if key.endswith(("x.parquet", "y.parquet")) and not published:
            published.append(commit(Store(str(tmp_path)), x=("x",), y=("y",)))

    before_each_deletion(monkeypatch, publish)
    pruned = prune(store, keep=2, grace=EVERYTHING)
    assert [key for key in pruned.objects if "/superseded/" not in key] == []
    assert store.read(published[0])["track_id"].to_pylist() == ["x", "y"]


def test_a_version_that_was_current_within_the_grace_period_is_kept(tmp_path: Path):
    store = Store(str(tmp_path))
    first = commit(store, a=("t1",))
    age(tmp_path)
    second = commit(store, b=("t2",))
    assert prune(store, keep=1).objects == [], "a reader may have opened the first version a minute ago"
    assert store.read(first).num_rows == store.read(second).num_rows == 1
    assert prune(store, keep=1, grace=EVERYTHING).versions == [first]


def test_a_version_that_a_rollback_made_current_is_kept_after_it(tmp_path: Path):
    """It was published long ago, and so was the version after it, but it was current a minute ago."""
    store = Store(str(tmp_path))
    refs = [commit(store, **{name: (name,)}) for name in "abc"]
    rollback(store, "rejects", refs[0].version)
    age(tmp_path)
    rollback(store, "rejects", refs[2].version)
    assert prune(store, keep=1).versions == [refs[1]]
    assert store.read(refs[0]).num_rows == 1


def test_a_version_that_is_pruned_before_it_becomes_current_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    store = Store(str(tmp_path))
    first = commit(store, a=("t1",))
    commit(store, b=("t2",))
    original = Store.make_current

    def pruned_first(self: Store, ref: DatasetRef) -> DatasetRef:
        self.storage.delete(self.version_key(ref))
        return original(self, ref)

    monkeypatch.setattr(Store, "make_current", pruned_first)
    assert commit(store, a=("t1",)) == first == store.latest("rejects")
    assert check_store(store) == []


def test_old_damage_stops_no_prune(tmp_path: Path):
    store = Store(str(tmp_path))
    damaged, old = commit(store, a=("t1",)), commit(store, b=("t2",))
    files = {"w": b"weights"}
    models = [
        commit_artifact(store, "model", files, derived={}, recipe=recipe, config={}, parents=[]) for recipe in "rs"
    ]
    new = commit(store, c=("t3",))
    Path(store.storage.path(store.version_key(damaged))).write_bytes(b"{")
    pruned = prune(store, keep=1, grace=EVERYTHING)
    assert set(pruned.versions) == {damaged, old, models[0]}
    assert store.part_fingerprints("rejects") == {"a", "b", "c"}, "the damaged manifest may have named any of them"
    assert store.read(new).num_rows == 1
    prune(store, keep=1, grace=EVERYTHING)
    assert store.part_fingerprints("rejects") == {"c"}


def test_versions_that_are_not_whole_do_not_count_as_the_newest(tmp_path: Path):
    store = Store(str(tmp_path))
    refs = [commit(store, **{name: (name,)}) for name in "abc"]
    Path(store.storage.path("rejects/parts/c.parquet")).unlink()
    assert set(prune(store, keep=1, grace=EVERYTHING).versions) == {refs[0], refs[2]}
    assert store.latest("rejects") == refs[1]


def test_what_was_set_aside_is_deleted_when_it_is_old(tmp_path: Path):
    store = Store(str(tmp_path))
    commit(store, a=("t1",))
    commit(store, b=("t2",))
    path = Path(store.storage.path("rejects/parts/a.parquet"))
    path.write_bytes(path.read_bytes()[:-9])
    age(tmp_path)
    repair(store, check_store(store))
    marks = [key for key in prune(store).objects if "/superseded/" in key]
    assert len(marks) == 1
    assert prune(store).objects == [], "it was set aside just now"
    age(tmp_path)
    assert {key.split("/")[1] for key in prune(store).objects} == {"quarantine", "lost"}
    assert check_store(store) == []


@pytest.mark.parametrize("key", ["rejects/parts/.tmp-1", "rejects/.tmp-2", "index/parts/.tmp-3/index.faiss"])
def test_leftovers_are_deleted_wherever_they_are(tmp_path: Path, key: str):
    store = Store(str(tmp_path))
    commit(store, a=("t1",))
    path = tmp_path / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(10))
    assert prune(store).objects == []
    age(tmp_path)
    assert prune(store).objects == [key]
    assert not any(".tmp-" in str(path) for path in tmp_path.rglob("*"))


def test_unfinished_uploads_are_aborted_when_they_are_old(s3_root: str, s3_server: str):
    import boto3

    store = Store(s3_root)
    commit(store, a=("t1",))
    bucket = s3_root.removeprefix("s3://").split("/")[0]
    client = boto3.client("s3", endpoint_url=s3_server)
    for key in ("store/index/parts/r/index.faiss", "other/file"):
        client.create_multipart_upload(Bucket=bucket, Key=key)
    century = timedelta(days=36500)  # moto says that every upload began in 2010
    assert prune(store, grace=century).objects == [], "an upload may be in progress"
    assert prune(store, grace=EVERYTHING, dry_run=True).objects == ["index/parts/r/index.faiss"]
    assert prune(store, grace=EVERYTHING).objects == ["index/parts/r/index.faiss"]
    left = client.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert [upload["Key"] for upload in left] == ["other/file"], "what is not in this store is not touched"


def test_a_server_that_refuses_to_list_uploads_is_named(s3_root: str, monkeypatch: pytest.MonkeyPatch):
    store = Store(s3_root)
    commit(store, a=("t1",))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "")
    store.root = s3_root.replace("s3://", "s3://no-")
    with pytest.raises(StoreError, match=r"s3://no-.*: unfinished uploads cannot be listed .*NoSuchBucket"):
        prune(store)


def test_an_empty_store_has_nothing_to_prune(tmp_path: Path):
    assert prune(Store(str(tmp_path))).objects == []
    assert Storage(tmp_path).list("") == {}


def test_the_parts_of_a_run_that_takes_days_are_kept_until_it_publishes(tmp_path: Path):
    """A first run, interrupted after two days, and a run on a grown catalog that has not published yet."""
    store = Store(str(tmp_path))
    store.write_part("health", "000000-first", HEALTH.empty_table())
    store.write_part("rejects", "abandoned", rejects("t0"))
    age(tmp_path, 2 * TWO_DAYS_S)
    commit(store, a=("t1",))
    age(tmp_path)
    store.write_part("rejects", "next", rejects("t2"))
    for name, age_s in (("next", TWO_DAYS_S / 2 + 60), ("abandoned", 2 * TWO_DAYS_S)):
        then = time.time() - age_s
        os.utime(tmp_path / "rejects" / "parts" / f"{name}.parquet", (then, then))
    assert prune(store).objects == ["rejects/parts/abandoned.parquet"]
    assert store.part_fingerprints("rejects") == {"a", "next"}
    assert store.part_fingerprints("health") == {"000000-first"}
    age(tmp_path, 31 * 86400.0)
    assert set(prune(store).objects) == {"rejects/parts/next.parquet", "health/parts/000000-first.parquet"}


RUN = """
import sys, time
from audioae.store.dataset import Store
from tests.store.made import rejects
store, names = Store(sys.argv[1]), [f"{i:06d}-run" for i in range(50)]
for name in names:
    store.write_part("rejects", name, rejects(name))
    time.sleep(0.06)
print(store.commit("rejects", names, recipe="run", config={}))
"""


def test_prune_beside_a_real_run_deletes_nothing_of_it(tmp_path: Path):
    """The run writes for three seconds and then publishes; prune runs all the time and spares what is .5 s old."""
    store = Store(str(tmp_path))
    commit(store, a=("t1",))
    store.write_part("rejects", "orphan", rejects("t9"))
    commit(store, b=("t2",))
    run = subprocess.Popen([sys.executable, "-c", RUN, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    deleted, oldest = [], 0.0
    while run.poll() is None:
        deleted += prune(Store(str(tmp_path)), keep=1, grace=timedelta(seconds=0.5)).objects
        unpublished = [path.stat().st_mtime for path in (tmp_path / "rejects" / "parts").glob("*-run.parquet")]
        oldest = max([oldest, *(time.time() - written for written in unpublished)])
    ref = DatasetRef.parse(run.communicate()[0].strip())
    assert run.returncode == 0
    assert oldest > 1.5, "the run had parts that were older than the grace period before it published"
    assert "rejects/parts/orphan.parquet" in deleted
    assert not any("-run" in key for key in deleted)
    assert store.latest("rejects") == ref
    assert Store(str(tmp_path)).read(ref).num_rows == 50
