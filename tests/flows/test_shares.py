"""`--shards i/n`: processes that share a stage and know nothing of each other publish what one process would."""

import logging
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from audioae.errors import ConfigError, IncompleteError, StoreError
from audioae.flows.launch import start_share
from audioae.flows.sharded import SHARDED, sharded_stage
from audioae.flows.shares import Share, parse_share, run_share
from audioae.pipeline.index import build_index, load_index
from audioae.pipeline.shards import shard_numbers
from audioae.search.factory import IndexConfig
from audioae.settings import PipelineConfig
from audioae.similarity.table import publish_similar
from audioae.store.dataset import Store
from tests.chain import copy_datasets
from tests.flows.conftest import N_SHARDS, parts
from tests.flows.test_launch import modules_after
from tests.made_embeddings import commit_parts
from tests.processes import PATIENCE_S, Run
from tests.search.made import clustered


@pytest.fixture
def start(catalog, tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Start `audioae run STAGE CONFIG --shards i/n` on the store `tmp_path / "store"`."""
    root, path, overrides = catalog
    shutil.copytree(root, tmp_path / "store")
    settings = [part for each in [*overrides, f"store={tmp_path / 'store'}"] for part in ("--set", each)]
    runs: list[Run] = []

    def begin(stage: str, shards: str, **environment: str) -> Run:
        command = [sys.executable, "-m", "audioae", "run", stage, path, *settings, "--shards", shards]
        runs.append(Run(command, tmp_path / f"{len(runs)}.log", **environment))
        return runs[-1]

    yield begin
    for run in runs:
        run.kill()


def test_three_shares_of_which_one_is_killed_and_restarted_give_the_same_bytes(single, start, tmp_path):
    store = tmp_path / "store"
    own = Share(2, 3).of(shard_numbers(single, single.require("tracks")))
    runs = [start("mels", f"{number}/3") for number in (1, 2, 3)]
    runs[1].wait_until(lambda: parts(store, "mels").keys() & {*own})
    runs[1].end_by(signal.SIGKILL)
    assert runs[1].is_gone(), "its decoder ends with it"
    for run in (runs[0], runs[2]):
        assert run.process.wait(PATIENCE_S) == 0, run.printed
        assert "the last share to finish publishes" in run.printed
    before = parts(store, "mels")
    assert 1 <= len(before.keys() & {*own}) < len(own), "killed in the middle"
    assert not Store(str(store)).latest("mels")

    again = start("mels", "2/3")
    assert again.process.wait(PATIENCE_S) == 0, again.printed
    after = parts(store, "mels")
    assert {shard: inode for shard, inode in after.items() if shard in before} == before, "no shard is computed twice"
    assert f"{len(after) - len(before)} of {len(own)} shards to compute" in again.printed
    for dataset in ("mels", "health", "rejects"):
        assert Store(str(store)).require(dataset) == single.require(dataset)
        assert (
            Store(str(store)).manifest(single.require(dataset)).parts == single.manifest(single.require(dataset)).parts
        ), "the same hash of every part"


def test_two_that_compute_the_same_shards_do_no_harm(single, start, tmp_path):
    runs = [start("mels", "auto", SLURM_ARRAY_TASK_ID="0", SLURM_ARRAY_TASK_COUNT="1") for _ in range(2)]
    for run in runs:
        assert run.process.wait(PATIENCE_S) == 0, run.printed
        assert f"no shard is missing: published {single.require('mels')}" in run.printed
    store = Store(str(tmp_path / "store"))
    store.verify(store.require("mels"))
    assert store.manifest(store.require("mels")).parts == single.manifest(single.require("mels")).parts


def test_a_share_that_is_stopped_says_where(start, tmp_path):
    run = start("mels", "1/1")
    run.wait_until(lambda: parts(tmp_path / "store", "mels"))
    status, _, lines = run.end_by(signal.SIGTERM)
    assert status == 143
    assert lines[-1].startswith("stopped in mels, ")
    assert lines[-1].endswith(f" of {N_SHARDS} shards done; run the same command to go on")


def test_embed_is_published_by_its_last_share(chain, tmp_path, caplog):
    finished, config = chain
    store = Store(str(tmp_path / "store"))
    copy_datasets(finished, store, "tracks", "mels", "health", "rejects", "model")
    stage = sharded_stage("embed", config.model_copy(update={"store": store.root}))
    caplog.set_level(logging.INFO, "audioae.shares")
    assert run_share(stage, Share(3, 3)) is None
    assert run_share(stage, Share(1, 3)) is None
    assert "embed 1/3 is done, 2 shards of other shares are not" in caplog.text
    assert not store.latest("embeddings")
    assert run_share(stage, Share(2, 3)) == finished.require("embeddings")
    assert run_share(stage, Share(1, 3)) == finished.require("embeddings"), "again, with nothing to do"
    assert "embed 1/3 of" in caplog.text
    assert "0 of 2 shards to compute" in caplog.text


def test_similar_is_shared_by_blocks_of_tracks(chain, tmp_path, monkeypatch):
    monkeypatch.setattr("audioae.similarity.table.BLOCK", 7)
    finished, config = chain
    stores = [Store(str(shutil.copytree(finished.root, tmp_path / name))) for name in ("alone", "shared")]
    wanted = publish_similar(stores[0], config.similar, stores[0].require("index"))
    stage = sharded_stage("similar", config.model_copy(update={"store": stores[1].root}))
    assert stage.shards() == [0, 1, 2, 3]
    assert run_share(stage, Share(2, 2)) is None
    assert stage.pending() == [0, 2]
    with pytest.raises(IncompleteError, match="2 blocks of similar are missing; nothing was published"):
        stage.commit()
    assert run_share(stage, Share(1, 2)) == wanted == stores[1].require("similar")


@pytest.fixture
def indexed(tmp_path: Path) -> tuple[list[Store], PipelineConfig]:
    """Two stores of the same 2,500 embeddings in four shards, and a config of an index that is filled by shard."""
    stores = [Store(str(tmp_path / name)) for name in ("alone", "shared")]
    for store in stores:
        commit_parts(store, [clustered(610 + 10 * number, seed=number) for number in range(4)])
    index = {"factory": "IVF32,SQ8", "n_queries": 400, "train_size": 2_000, "min_recall": 0.9}
    sections = {"store": stores[1].root, "catalog": {"source": "music"}, "index": index}
    return stores, PipelineConfig.model_validate(sections)


def test_index_is_trained_by_the_first_share_and_filled_by_all(indexed, caplog, monkeypatch):
    (alone, shared), config = indexed
    wanted = build_index(alone, config.index, alone.require("embeddings"))
    stage = sharded_stage("index", config)
    waits = []

    def train(seconds: float) -> None:
        waits.append(seconds)
        stage.prepare()

    monkeypatch.setattr("audioae.flows.shares.time.sleep", train)
    caplog.set_level("INFO", "audioae.shares")
    assert run_share(stage, Share(2, 2)) is None
    assert len(waits) == 1
    assert "index 2/2 waits for share 1/2, which trains the index" in caplog.text
    assert len(stage.pending()) == 2
    with pytest.raises(IncompleteError, match="the lists of 2 shards of the index are missing"):
        stage.commit()
    ref = run_share(stage, Share(1, 2))
    assert ref == shared.require("index") == wanted
    assert run_share(stage, Share(1, 2)) == wanted


def test_a_share_does_not_wait_forever_for_the_training(indexed, monkeypatch):
    _, config = indexed
    monkeypatch.setattr("audioae.flows.shares.LONGEST_WAIT_S", 0.0)
    with pytest.raises(StoreError, match="index 2/3 has waited 0 h for share 1/3, which trains the index; start share"):
        run_share(sharded_stage("index", config), Share(2, 3))


def test_an_index_of_one_pass_has_no_shards(indexed):
    (alone, shared), config = indexed
    flat = config.model_copy(update={"index": IndexConfig(min_recall=0.9)})
    stage = sharded_stage("index", flat)
    assert (stage.shards(), stage.is_prepared()) == ([], True)
    assert run_share(stage, Share(2, 2)) == build_index(alone, flat.index, alone.require("embeddings"))
    assert load_index(shared, shared.require("index")).factory == "Flat"


@pytest.mark.parametrize("n", [1, 2, 3, 7, 24, 40])
def test_shares_overlap_nowhere_and_leave_nothing_out(n: int):
    shards = [3, 4, 8, *range(10, 34)]
    shares = [Share(number, n).of(shards) for number in range(1, n + 1)]
    assert sorted(shard for share in shares for shard in share) == shards
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


SLURM = {"SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_MIN": "3", "SLURM_ARRAY_TASK_STEP": "2"}


@pytest.mark.parametrize(
    ("text", "environment", "share"),
    [
        ("1/1", {}, Share(1, 1)),
        ("8/8", {"JOB_COMPLETION_INDEX": "0"}, Share(8, 8)),
        ("auto", {**SLURM, "SLURM_ARRAY_TASK_COUNT": "4"}, Share(3, 4)),
        ("auto/4", {**SLURM, "SLURM_ARRAY_TASK_COUNT": "4"}, Share(3, 4)),
        ("auto", {"AWS_BATCH_JOB_ARRAY_INDEX": "0", "AWS_BATCH_JOB_ARRAY_SIZE": "2"}, Share(1, 2)),
        ("auto", {"CLOUD_RUN_TASK_INDEX": "4", "CLOUD_RUN_TASK_COUNT": "5"}, Share(5, 5)),
        ("auto", {"BATCH_TASK_INDEX": "4", "BATCH_TASK_COUNT": "5"}, Share(5, 5)),
        ("auto/6", {"JOB_COMPLETION_INDEX": "5"}, Share(6, 6)),
    ],
)
def test_a_share_is_given_or_taken_from_the_job_array(text: str, environment: dict[str, str], share: Share):
    assert parse_share(text, environment) == share


@pytest.mark.parametrize(
    ("text", "environment", "message"),
    [
        ("0/8", {}, r"got '0/8', share 0 of 8; wanted i/n with i from 1 to n, such as 2/8; or auto"),
        ("9/8", {}, r"got '9/8', share 9 of 8"),
        ("3", {}, r"got '3'; wanted i/n"),
        ("1/0", {}, r"got '1/0'"),
        ("-1/3", {}, r"got '-1/3'; wanted i/n"),
        ("auto8", {}, r"got 'auto8'; wanted i/n"),
        ("auto", {}, r"--shards auto: no job array here \(SLURM_ARRAY_TASK_ID, .*JOB_COMPLETION_INDEX\); wanted i/n"),
        ("auto", {"JOB_COMPLETION_INDEX": "0"}, r"JOB_COMPLETION_INDEX does not say how many .*; wanted auto/n"),
        ("auto/3", {"JOB_COMPLETION_INDEX": "3"}, r"JOB_COMPLETION_INDEX=3 is not one of 3 indices from 0"),
        (
            "auto/9",
            {"AWS_BATCH_JOB_ARRAY_INDEX": "0", "AWS_BATCH_JOB_ARRAY_SIZE": "2"},
            r"the job array has AWS_BATCH_JOB_ARRAY_SIZE=2 jobs; wanted auto",
        ),
        (
            "auto",
            {**SLURM, "SLURM_ARRAY_TASK_COUNT": "2"},
            r"SLURM_ARRAY_TASK_ID=7 is not one of 2 indices from 3 in steps of 2; submit an unbroken range",
        ),
    ],
)
def test_a_wrong_share_is_explained(text: str, environment: dict[str, str], message: str):
    with pytest.raises(ConfigError, match=message):
        parse_share(text, environment)


@pytest.mark.parametrize(
    ("stage", "overrides", "error", "message"),
    [
        (
            "pipeline",
            [],
            ConfigError,
            "--shards 1/2: the whole chain does not work by shard; wanted one of mels, embed, index, similar",
        ),
        (
            "train",
            [],
            ConfigError,
            r"the stage train does not work by shard.*Run the other stages once, in their order",
        ),
        (
            "mels",
            ["run.runner=dask"],
            ConfigError,
            "--shards 1/2 divides a stage without Dask; wanted run.runner=local",
        ),
        (
            "mels",
            [],
            StoreError,
            "mels needs tracks, but the store has no tracks yet; run `audioae run catalog CONFIG`",
        ),
        (
            "embed",
            [],
            StoreError,
            "embed needs tracks and model, but the store has no tracks and no model yet; run `audioae run catalog "
            "CONFIG` and `audioae run train CONFIG` first, once, or the whole chain",
        ),
    ],
)
def test_what_cannot_be_shared_is_explained(tiny_config, tmp_path, stage, overrides, error, message):
    path, right = tiny_config
    with pytest.raises(error, match=message):
        start_share(stage, path, [*right, *overrides, f"store={tmp_path / 'store'}"], "1/2")


def test_a_share_loads_no_prefect():
    loaded = modules_after("from audioae.flows.launch import start_share; from audioae.flows.sharded import SHARDED")
    assert not loaded & {"prefect", "dask", "distributed", "torch", "librosa"}
    assert {*SHARDED} - {"idle"} == {"mels", "embed", "index", "similar"}  # the benchmark of flows adds one
