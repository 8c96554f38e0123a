"""The pipeline's configuration: light to import, clear about a mistyped key, and consistent in what it derives."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from audioae.config import parse_config
from audioae.config_files import list_configs, packaged_config
from audioae.settings import PipelineConfig, RunConfig

HEAVY = (
    "torch", "torchaudio", "lightning", "numba", "librosa", "av", "soundfile", "soxr", "scipy", "sklearn", "matplotlib",
    "prefect", "faiss", "pandas",
)  # fmt: skip


def run_python(code: str, *arguments: str) -> dict:
    """Run `code` in a new process; return what it puts into `result`, and the heavy packages that it loaded."""
    script = textwrap.dedent(code) + textwrap.dedent(
        f"""
        import json, sys
        print(json.dumps({{"result": result, "heavy": [name for name in {HEAVY!r} if name in sys.modules]}}))
        """
    )
    run = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.parametrize(
    ("source", "files", "is_made"),
    [
        ("new", [], True),
        ("notes", ["notes/diary.txt"], True),  # then synthesizing refuses
        ("demo", ["demo/planted.json", "demo/a.flac"], True),
        ("begun", ["begun/.synth", "begun/a.flac"], True),
        ("music", ["music/album/A.FLAC"], False),
        ("tracks.csv", [], False),
    ],
)
def test_music_of_the_user_takes_the_place_of_a_synthesized_catalog(tmp_path, source, files, is_made):
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    content = {"catalog": {"source": str(tmp_path / source)}, "synth": {"n_tracks": 24}}
    config = parse_config(PipelineConfig, content, "mine.yaml")
    assert (config.to_synthesize == config.synth) is is_made
    assert (config.to_synthesize is None) is not is_made


def test_importing_the_settings_loads_no_heavy_package():
    assert run_python("import audioae.settings as settings; result = settings.__name__") == {
        "result": "audioae.settings",
        "heavy": [],
    }


def test_reading_every_packaged_pipeline_config_loads_no_heavy_package():
    names = [name for name in list_configs() if "/" not in name]
    paths = [str(packaged_config(name)) for name in names]
    code = """
        import sys
        from audioae.config import load_config
        from audioae.settings import PipelineConfig
        result = [load_config(PipelineConfig, path).store for path in sys.argv[1:]]
    """
    answer = run_python(code, *paths)
    assert answer["heavy"] == []
    assert len(answer["result"]) == len(names) > 0


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("train: {stepz: 10}", "train.stepz: unknown key; did you mean 'steps'?"),
        ("screen: {corupt: {}}", "screen.corupt: unknown key; did you mean 'corrupt'?"),
        ("recommend: {play: x.csv}", "recommend.play: unknown key; did you mean 'plays'?"),
        ("similar: {k: 0}", "similar.k: got 0;"),
        ("index: {knid: flat}", "index.knid: unknown key;"),
    ],
)
def test_a_mistyped_key_is_reported_before_any_heavy_package_is_loaded(tmp_path: Path, section: str, message: str):
    path = tmp_path / "mine.yaml"
    path.write_text(f"catalog: {{source: music}}\n{section}\n")
    code = """
        import sys
        from audioae.config import load_config
        from audioae.errors import ConfigError
        from audioae.settings import PipelineConfig
        try:
            load_config(PipelineConfig, sys.argv[1])
        except ConfigError as error:
            result = str(error)
    """
    answer = run_python(code, str(path))
    assert answer["heavy"] == []
    assert answer["result"].startswith(f"{path}: ")
    assert message in answer["result"]


def test_a_dask_worker_decodes_one_file_at_a_time():
    local, dask = RunConfig(workers=3), RunConfig(runner="dask", workers=3, decode_timeout_s=5.0)
    assert (local.decode_workers.n, dask.decode_workers.n, dask.local_workers.n) == (3, 1, 3)
    assert dask.decode_workers.timeout_s == 5.0


@pytest.mark.parametrize(
    ("store", "tensorboard", "expected"),
    [
        ("data", None, Path("data/tensorboard")),
        ("s3://bucket/store", None, None),
        ("s3://bucket/store", "logs", Path("logs")),
    ],
)
def test_the_tensorboard_folder_is_in_a_local_store_or_as_configured(
    store: str, tensorboard: str | None, expected: Path | None
):
    content = {"catalog": {"source": "music"}, "store": store, "run": {"tensorboard": tensorboard}}
    assert parse_config(PipelineConfig, content, where="mine.yaml").log_dir == expected
