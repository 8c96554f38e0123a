"""The flows on a real Prefect server: a private one, a given one, and a Dask cluster; errors as a user sees them."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from audioae import cli
from audioae.library.export import SCHEMA
from audioae.maps.reader import read_map
from audioae.pipeline.run_log import list_runs
from audioae.store.dataset import Store
from audioae.store.upkeep import PUBLISHED
from tests.conftest import free_port
from tests.forked import Forked, forked

ROOT = Path(__file__).parents[2]


def options(overrides: list[str]) -> list[str]:
    return [part for override in overrides for part in ("--set", override)]


def parts_of(store: Path) -> dict[Path, int]:
    """Every part of what runs compute, and its inode."""
    files = [path for path in store.glob("*/parts/**/*") if path.is_file()]
    return {path: path.stat().st_ino for path in files if path.relative_to(store).parts[0] != "runs"}


class Commands:
    """`python -m flows.<stage>` with a server, and `audioae` on a store, in processes of their own."""

    def __init__(self, forks: Forked):
        self._forks = forks

    def flow(self, stage: str, config: str, overrides: list[str]) -> subprocess.CompletedProcess[str]:
        return self._forks.run(f"flows.{stage}", [config, *options(overrides)])

    def audioae(self, *arguments: str, store: Path | str) -> subprocess.CompletedProcess[str]:
        return self._forks.run("audioae", [*arguments, "--store", str(store)])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A Prefect server, as a team has it; the environment that names it."""
    port = free_port()
    environment = {"PREFECT_HOME": str(tmp_path_factory.mktemp("server"))}
    process = subprocess.Popen(
        [str(Path(sys.executable).parent / "prefect"), "server", "start", "--host", "127.0.0.1", "--port", str(port)],
        env={**os.environ, **environment},
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}/api"
    try:
        for _ in range(240):
            with suppress(OSError), urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
                if answer.status == 200:
                    break
            time.sleep(0.5)
        yield {**environment, "PREFECT_API_URL": url}
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def commands(server: dict[str, str]) -> Iterator[Commands]:
    with forked(["audioae.flows.pipeline", "audioae.flows.recommend", "audioae.evaluation.run"], **server) as forks:
        yield Commands(forks)


@pytest.fixture(scope="module")
def finished(tiny_config, tmp_path_factory) -> tuple[Path, list[str], str]:
    """A finished pipeline, started as a user starts it, without a server: its store, its overrides, and its output."""
    path, overrides = tiny_config
    store = tmp_path_factory.mktemp("finished") / "store"
    run = subprocess.run(
        [sys.executable, "-m", "flows.pipeline", path, *options([*overrides, f"store={store}"])],
        cwd=ROOT,
        env={**os.environ, "PREFECT_HOME": str(tmp_path_factory.mktemp("prefect"))},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    return store, overrides, run.stdout + run.stderr


def test_pipeline_publishes_everything_and_prints_a_summary(finished, commands):
    store, _, printed = finished
    for dataset in PUBLISHED:
        assert Store(str(store)).latest(dataset), dataset
    for words in ("24 in the catalog: 24 embedded", "tracks/s", "recall@10", "index@", str(store), "audioae findings"):
        assert words in printed, words
    assert len(read_map(Store(str(store)), Store(str(store)).require("index"))) == 24
    shown = json.loads(commands.audioae("findings", "--json", store=store).stdout)
    assert shown["index"] == str(Store(str(store)).require("index"))
    assert [row["check"] for row in shown["checks"]] == ["mislabeled", "corrupt", "duplicate"]
    assert (shown["checks"][2]["screened"], shown["checks"][2]["issues"]) == (24, 0)


def test_rerun_writes_no_part(finished, commands):
    store, overrides, _ = finished
    before, runs = parts_of(store), len(list_runs(Store(str(store))))
    run = commands.flow("pipeline", "configs/tiny.yaml", [*overrides, f"store={store}"])
    assert run.returncode == 0, run.stderr[-3000:]
    assert parts_of(store) == before
    assert len(list_runs(Store(str(store)))) == runs + 1, "the run itself is recorded"


def test_a_server_receives_the_runs_and_their_artifacts(finished, server, commands):
    store, overrides, _ = finished
    run = commands.flow("index", "configs/tiny.yaml", [*overrides, f"store={store}"])
    assert run.returncode == 0, run.stderr[-3000:]

    def ask(what: str) -> list[dict]:
        url = f"{server['PREFECT_API_URL']}/{what}/filter"
        request = urllib.request.Request(url, b"{}", {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    assert "index" in [entry["name"] for entry in ask("flows")]
    index = str(Store(str(store)).latest("index"))
    assert any(index in (entry["description"] or "") for entry in ask("artifacts"))


def test_recommend_publishes_and_requires_a_play_log(finished, tmp_path, commands):
    store, overrides, _ = finished
    opened = Store(str(store))
    ids = opened.read(opened.require("tracks"))["track_id"].to_pylist()
    plays = tmp_path / "plays.csv"
    plays.write_text("listener_id,track_id\n" + "".join(f"anna,{track_id}\n" for track_id in ids[:9]))
    settings = [*overrides, f"store={store}"]
    run = commands.flow("recommend", "configs/tiny.yaml", [*settings, f"recommend.plays={plays}", "recommend.k=5"])
    assert run.returncode == 0, run.stderr[-3000:]
    rows = opened.read(opened.require("recommendations")).to_pylist()
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5]
    assert not {row["track_id"] for row in rows} & set(ids[:9])
    run = commands.flow("recommend", "configs/tiny.yaml", settings)
    assert run.returncode == 1
    assert "recommend is null; add a play log, --set recommend.plays=" in run.stderr
    assert "Traceback" not in run.stderr


def test_similar_accepts_an_id_a_title_and_an_outside_file(finished, tiny_audio, tmp_path, commands):
    store, _, _ = finished
    by_path = json.loads(
        commands.audioae("similar", str(next(tiny_audio.rglob("*.flac"))), "-k", "5", "--json", store=store).stdout
    )
    track = by_path["query"]
    by_id = json.loads(commands.audioae("similar", track["track_id"], "-k", "5", "--json", store=store).stdout)
    by_title = json.loads(commands.audioae("similar", track["title"], "-k", "5", "--json", store=store).stdout)
    assert by_id["neighbors"] == by_path["neighbors"] == by_title["neighbors"]
    assert len(by_id["neighbors"]) == 5
    assert track["track_id"] not in [row["track_id"] for row in by_id["neighbors"]]
    outside = tmp_path / "not in the catalog.xyz"
    outside.write_bytes(Path(track["uri"]).read_bytes())
    answer = json.loads(commands.audioae("similar", str(outside), "-k", "5", "--json", store=store).stdout)
    assert answer["query"] == track, "the same bytes are the same track, wherever they lie"
    assert answer["neighbors"] == by_id["neighbors"]


def test_coverage_explain_export_and_versions(finished, tmp_path, commands):
    import pyarrow.parquet as pq

    store, _, _ = finished
    sums = json.loads(commands.audioae("coverage", "--json", store=store).stdout)
    states = sums["embedded"] + sums["duplicates"] + sum(sums["rejected"].values()) + sums["pending"]
    assert states == sums["n_tracks"] == 24
    out = tmp_path / "out.parquet"
    assert commands.audioae("export", "embeddings", str(out), store=store).returncode == 0
    table = pq.read_table(out)
    assert (table.column_names, table.num_rows) == (SCHEMA.names, 24)
    explained = json.loads(commands.audioae("explain", table["track_id"][0].as_py(), "--json", store=store).stdout)
    assert set(explained) == {"track", "state", "health", "clips", "embedding", "neighbors", "findings"}
    assert "duplicate" in [row["check"] for row in explained["findings"]]
    assert explained["state"]["state"] == "embedded"
    verified = commands.audioae("versions", "--verify", store=store)
    assert "every part verified" in verified.stdout


def test_evaluate_writes_a_table_json_and_a_page(finished, tmp_path, commands):
    store = finished[0]
    run = commands.audioae("evaluate", "--robustness-tracks", "2", "--out", str(tmp_path), store=store)
    assert run.returncode == 0, run.stderr
    assert "best of the others" in run.stdout
    assert "left out: R2 of instrumentalness: no truth given" in run.stdout
    document = json.loads((tmp_path / "evaluation.json").read_text())
    assert document["n_tracks"] == 24
    assert "librosa features" in document["metrics"][0]["results"]
    page = (tmp_path / "evaluation.html").read_text()
    assert document["title"] in page


def test_compare_trains_a_model_and_a_variant_of_it(finished, tmp_path, commands):
    model = "configs/model/vqvae_consistency.yaml"
    vary = ("--vary", "augment.roll_mels=0; channels=[2, 2, 2, 2]", "--vary", "head.modulation=9")
    arguments = ("--budget", "2steps", "--seeds", "1", "--out", str(tmp_path))
    run = commands.audioae("compare", model, *vary[:2], *arguments, store=finished[0])
    assert run.returncode == 0, run.stderr
    assert "vqvae_consistency is better than (+)" in run.stdout
    document = json.loads((tmp_path / "comparison.json").read_text())
    assert [run["seed"] for run in document["runs"]] == [0, 0]
    assert document["runs"][1]["model"] == vary[1]
    assert len(list((tmp_path / "trained").iterdir())) == 2
    wrong = commands.audioae("compare", model, *vary[2:], *arguments, store=finished[0])
    assert wrong.returncode == 1
    assert "modulation must divide 128, got 9" in wrong.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("evaluate", "none.parquet"), "EvaluationError: none.parquet: "),
        (("evaluate", "embeddings@0000"), "DamageError: "),
        (("compare", "configs/model/pca.yaml", "--budget", "5"), "ConfigError: budget: got '5'"),
        (("compare", "configs/model/pca.yaml", "pca"), "EvaluationError: models: two of"),
        (("similar", "no such track at all"), "SearchError: no track 'no such track at all' among the 24"),
        (("similar", "x", "-k", "0"), "SearchError: k=0: wanted at least 1"),
        (("findings", "--check", "corupt"), "SearchError: findings@"),
        (("rollback", "index"), "StoreError: index@"),
        (("prune", "--keep", "0"), "StoreError: keep=0"),
        (("export", "embeddings", "/nowhere/out.parquet"), "StoreError: /nowhere/out.parquet: cannot be written"),
    ],
)
def test_a_wrong_command_prints_one_message(finished, arguments, message, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["audioae", *arguments, "--store", str(finished[0])])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert str(ended.value.code).startswith(message)


def test_an_empty_store_names_the_command_to_run(tmp_path, commands):
    run = commands.audioae("similar", "x", store=tmp_path)
    assert run.returncode == 1
    assert "the store has no index yet; run the pipeline first" in run.stderr


def test_a_missing_source_is_reported_in_one_message(tiny_config, tmp_path, commands):
    path, right = tiny_config
    run = commands.flow("pipeline", path, [*right, f"store={tmp_path}", "catalog.source=/nowhere/music"])
    assert run.returncode == 1
    assert "/nowhere/music" in run.stderr, run.stderr[-2000:]
    assert "Traceback" not in run.stderr
    assert not list(tmp_path.rglob("LATEST")), "nothing may be published"


def test_a_catalog_of_bad_files_fails_and_publishes_no_mels(tiny_config, tmp_path, commands):
    path, _ = tiny_config
    music = tmp_path / "music"
    music.mkdir()
    for number in range(3):
        (music / f"{number}.mp3").write_bytes(bytes([number]) * 5000)
    overrides = ["synth=null", f"catalog.source={music}", f"store={tmp_path / 'store'}"]
    run = commands.flow("pipeline", path, overrides)
    assert run.returncode == 1
    assert "all 3 tracks were rejected" in run.stderr, run.stderr[-2000:]
    assert not (tmp_path / "store" / "mels" / "LATEST").exists()
    assert "Traceback" not in run.stderr


def test_dask_gives_the_same_bytes(finished, tiny_config, tmp_path, commands):
    """Groups of shards over a real local Dask cluster: the same versions as on one machine."""
    store, overrides, _ = finished
    other = tmp_path / "store"
    dask = ["run.runner=dask", "run.workers=2", "run.max_tasks=4"]
    for stage in ("catalog", "mels"):
        run = commands.flow(stage, tiny_config[0], [*overrides, *dask, f"store={other}"])
        assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    for dataset in ("tracks", "mels", "health", "rejects"):
        assert Store(str(other)).latest(dataset) == Store(str(store)).latest(dataset)
