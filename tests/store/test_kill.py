"""kill -9 before every change that others can see: the store stays sound, and the same command goes on to the end."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from audioae.store.dataset import Store
from audioae.store.fsck import check_store
from audioae.store.upkeep import rollback
from tests.store.killed import OPERATIONS, publish_artifact
from tests.store.made import commit

ROOT = Path(__file__).parents[2]


def killed_at(root: Path, operation: str, n: int) -> bool:
    """Whether the operation was killed; otherwise it has fewer changes than `n`, and ended well."""
    command = [sys.executable, "-m", "tests.store.killed", str(root), operation, str(n)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert run.returncode in (0, -signal.SIGKILL), run.stderr
    return run.returncode != 0


def state(root: Path) -> tuple[object, ...]:
    """What a reader sees: current versions and their rows, pins, and the names of all files."""
    store = Store(str(root))
    ref, pointer = store.require("rejects"), store.pointer("rejects")
    rows = store.read(ref)["track_id"].to_pylist()
    pinned = pointer and pointer.pin and pointer.pin.recipes
    return ref, rows, pinned, set(store.storage.list("")), store.latest("index")


@pytest.fixture
def begun(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A store with three versions, prepared for the operation."""
    root = tmp_path / "begun"
    store = Store(str(root))
    refs = [commit(store, a=("t1",)), commit(store, b=("t2",), a=("t1",)), commit(store, c=("t3",), a=("t1",))]
    publish_artifact(store, "q")
    operation = request.node.callspec.params["operation"]
    if operation == "release":
        rollback(store, "rejects", refs[1].version)
    if operation == "repair":
        (root / "rejects" / "parts" / "c.parquet").write_bytes(b"short")
        (root / "rejects" / "versions" / f"{refs[0].version}.json").write_bytes(b"{")
    return root


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_kill_at_any_change_leaves_the_store_sound(begun: Path, tmp_path: Path, operation: str):
    whole = Path(shutil.copytree(begun, tmp_path / "whole"))
    OPERATIONS[operation](Store(str(whole)))
    n = 1
    while killed_at(root := Path(shutil.copytree(begun, tmp_path / f"killed{n}")), operation, n):
        store = Store(str(root))
        assert store.read(store.require("rejects")).num_rows >= 1
        if operation != "repair":
            assert check_store(store) == [], f"after a kill before change {n}"
        OPERATIONS[operation](Store(str(root)))
        assert state(root) == state(whole), f"after a kill before change {n}"
        assert check_store(Store(str(root))) == []
        n += 1
    assert state(root) == state(whole)
    assert n > 1, "it was killed at least once"
