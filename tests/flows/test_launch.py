"""Starting a flow: the config is checked before anything heavy is imported; entry points and deployments load."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from audioae.errors import ConfigError
from audioae.flows.launch import read_settings
from audioae.flows.stages import FLOWS

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "torchaudio", "lightning", "librosa", "numba", "scipy", "sklearn", "matplotlib")
DECODERS = ("av", "soundfile", "soxr", "mutagen")


def modules_after(code: str) -> set[str]:
    """Top-level modules loaded by `code` in a new interpreter."""
    script = f"{code}\nimport json, sys\nprint(json.dumps(sorted({{m.partition('.')[0] for m in sys.modules}})))"
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr[-2000:]
    return set(json.loads(run.stdout.splitlines()[-1]))


def test_importing_the_flows_loads_no_heavy_package():
    loaded = modules_after("\n".join(f"import audioae.flows.{name}" for name in FLOWS))
    assert "prefect" in loaded
    assert not loaded & {*HEAVY, *DECODERS, "faiss"}


def test_checking_a_config_loads_neither_prefect_nor_a_heavy_package():
    loaded = modules_after(
        "from audioae.flows.launch import read_settings; read_settings('screen', 'configs/demo.yaml', [])"
    )
    assert not loaded & {*HEAVY, *DECODERS, "faiss", "prefect"}


@pytest.mark.parametrize(
    ("flow", "overrides", "message"),
    [
        ("pipeline", ["trian.steps=3"], r"trian: unknown key; did you mean 'train'\?"),
        ("pipeline", ["train.steps=0"], r"train.steps: got 0"),
        ("pipeline", ["model=configs/model/nope.yaml"], r"configs/model/nope.yaml: no such config file"),
        ("pipeline", ["synth=null"], r"catalog.source: folder not found: .*tiny-catalog. Expected a folder of audio"),
        (
            "catalog",
            ["synth=null", "catalog.source=a.csv"],
            r"catalog.source: file not found: .*a.csv. Expected a manifest: .csv",
        ),
        ("catalog", ["catalog.source=a.csv"], r"catalog.source: file not found: .*a.csv. Expected a manifest: .csv"),
        ("map", ["map=null"], r"map is null; give it a section, such as map: {}"),
        ("screen", ["screen=null"], r"screen is null; give it a section, such as screen: {}"),
        ("recommend", [], r"recommend is null; add a play log, --set recommend.plays="),
        (
            "recommend",
            ["recommend.plays=none.csv"],
            r"recommend.plays: file not found: none.csv. Expected a CSV or Parquet",
        ),
    ],
)
def test_a_wrong_config_is_explained(flow: str, overrides: list[str], message: str, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message):
        read_settings(flow, str(ROOT / "configs" / "tiny.yaml"), overrides)
    assert not list(tmp_path.rglob("*")), "nothing may be written"


def test_a_mistyped_key_is_reported_before_prefect_is_imported(tmp_path: Path):
    command = [
        sys.executable,
        "-X",
        "importtime",
        "-m",
        "flows.pipeline",
        "configs/tiny.yaml",
        "--set",
        "trian.steps=3",
    ]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert run.returncode == 1
    assert "did you mean 'train'?" in run.stderr
    assert "Traceback" not in run.stderr
    assert "pydantic" in run.stderr, "importtime lists what was imported"
    for name in ("prefect", "torch", "librosa"):
        assert f" {name}\n" not in run.stderr


@pytest.mark.parametrize("flow", FLOWS)
def test_every_flow_describes_itself_and_has_an_entry_point(flow: str):
    entry = getattr(importlib.import_module(f"flows.{flow}"), flow)
    assert entry is getattr(importlib.import_module(f"audioae.flows.{flow}"), flow)
    assert entry.name == flow
    assert len((entry.description or "").split()) > 12


def test_help_of_an_entry_point_explains_its_flow():
    run = subprocess.run(
        [sys.executable, "-m", "flows.pipeline", "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0
    assert "--set KEY.PATH=VALUE" in run.stdout
    assert "A rerun computes only what is missing" in " ".join(run.stdout.split())


def test_a_deployment_without_a_checkout_names_a_module_and_a_packaged_config(tmp_path: Path, monkeypatch):
    from prefect.flows import load_flow_from_entrypoint

    monkeypatch.chdir(tmp_path)
    for name in FLOWS:
        entrypoint = f"audioae.flows.{name}.{name}"
        assert load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False).name == name
    assert read_settings("pipeline", "demo", []) == read_settings("pipeline", str(ROOT / "configs" / "demo.yaml"), [])
