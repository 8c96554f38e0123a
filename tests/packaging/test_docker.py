"""The Dockerfile and the compose file, as far as they can be checked without a docker daemon: by hadolint, by the
schema of Compose, and by what they name.

Where there is a daemon, docker/try-serve.sh and docker/try-compose.sh build and run them.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from typer.testing import CliRunner

from audioae.cli import app
from audioae.config import load_config
from audioae.settings import PipelineConfig

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = ROOT / "docker" / "compose.yaml"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}


def check(*command: str | Path) -> str:
    """The output of a linter, which finds nothing."""
    run = subprocess.run([str(BIN / command[0]), *map(str, command[1:])], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def test_hadolint_finds_nothing():
    assert check("hadolint", ROOT / "Dockerfile") == ""


def test_the_compose_file_matches_the_schema_of_compose():
    check("check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE)


def test_every_target_is_there_and_every_copied_file_reaches_the_daemon():
    targets = set(re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.MULTILINE))
    assert {"serve", "pipeline", "gpu"} <= targets
    assert {service["build"]["target"] for service in OURS.values()} <= targets
    assert {(s["image"], s["build"]["target"]) for s in OURS.values()} == {
        (f"audioae-{target}", target) for target in ("serve", "pipeline", "gpu")
    }
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--)(.*) \S+$", DOCKERFILE, re.MULTILINE)
    assert {name.removeprefix("./") for line in copied for name in line.split()} == sent
    assert all((ROOT / name).exists() for name in sent)


def test_the_extras_of_the_images_exist():
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = re.findall(r'install "\.\[([\w,]+)\]"', DOCKERFILE) + re.findall(
        r"^ARG EXTRAS=(\S+)", DOCKERFILE, re.MULTILINE
    )
    assert {extra for line in named for extra in line.split(",")} <= set(extras)


def test_the_commands_of_the_services_have_the_options_that_they_use():
    deploy = SERVICES["deploy"]["command"]
    assert deploy[:2] == ["audioae", "deploy"]
    text = CliRunner().invoke(app, ["deploy", "--help"]).output
    for option in deploy[2:]:
        assert option.partition("=")[0] in text, option
    for service in ("prefect", "worker", "scheduler", "dask-worker"):
        command = SERVICES[service]["command"]
        words = [word for word in command[1:] if not word.startswith(("-", "tcp:"))][
            : 2 if command[0] == "prefect" else 1
        ]
        text = check(command[0], *words, "--help")
        for option in [word for word in command if word.startswith("--")]:
            assert option in text, (service, option)


def test_the_config_of_the_compose_file_is_right_and_fits_it():
    config = load_config(PipelineConfig, ROOT / "docker" / "compose-config.yaml")
    assert config.store == SERVICES["serve"]["environment"]["AUDIOAE_STORE"]
    assert config.run.dask_address == SERVICES["dask-worker"]["command"][2] == "tcp://scheduler:8786"
    mounts = [volume.split(":")[-2] for volume in SERVICES["worker"]["volumes"]]
    assert mounts == [config.catalog.source, "/etc/audioae/config.yaml"]
    assert SERVICES["worker"]["volumes"] == SERVICES["dask-worker"]["volumes"], "both read the same paths"


def test_the_bucket_is_made_once(s3_server: str):
    code = SERVICES["bucket"]["command"][2].replace("http://s3:9000", s3_server)
    for _ in range(2):
        subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
    buckets = boto3.client("s3", endpoint_url=s3_server).list_buckets()["Buckets"]
    assert [bucket["Name"] for bucket in buckets].count("audioae") == 1


def test_only_this_machine_reaches_the_ports_and_no_password_is_written_down():
    assert {port.partition(":")[0] for service in SERVICES.values() for port in service.get("ports", [])} == {
        "127.0.0.1"
    }
    secrets = re.findall(r"(?:PASSWORD|SECRET_ACCESS_KEY|API_KEYS): (.*)", COMPOSE.read_text())
    assert len(secrets) == 4
    assert all(secret.startswith("${") for secret in secrets)


@pytest.mark.parametrize("script", ["try-serve.sh", "try-compose.sh"])
def test_a_script_that_tries_the_images_says_when_there_is_no_daemon(script: str, tmp_path: Path):
    environment = {**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/none"}
    run = subprocess.run(
        [ROOT / "docker" / script, tmp_path], capture_output=True, text=True, timeout=60, env=environment
    )
    assert (run.returncode, run.stderr) == (2, "no docker daemon answers here; nothing was built\n")
