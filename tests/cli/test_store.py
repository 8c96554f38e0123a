"""`audioae fsck`, `versions`, `rollback` and `prune`: what they print, and how they exit."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from audioae.cli import app
from audioae.errors import StoreError
from audioae.store.dataset import Store
from tests.store.damage import damage
from tests.store.made import commit

RUN = CliRunner()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(str(tmp_path))
    commit(store, a=("t1",))
    commit(store, b=("t2",))
    return store


def answer(store: Store, *arguments: str, status: int = 0) -> str:
    result = RUN.invoke(app, [*arguments, "--store", store.root])
    assert result.exit_code == status, result.output
    return result.stdout


def test_fsck_of_a_sound_store(store: Store):
    assert answer(store, "fsck").strip() == "no faults"
    assert json.loads(answer(store, "fsck", "--json")) == {"faults": [], "repaired": []}


def test_fsck_lists_mends_and_exits_with_1(store: Store):
    newest = store.require("rejects")
    path = Path(store.root) / "rejects" / "parts" / "b.parquet"
    damage(path, "truncated")
    (fault, pointer) = json.loads(answer(store, "fsck", "--json", status=1))["faults"]
    assert fault["where"] == str(path)
    assert fault["affects"] == [str(newest)]
    assert "bytes, its manifest says" in fault["what"]
    assert fault["remedy"] == "set it aside with --repair, then run again"
    assert pointer["where"].endswith("rejects/LATEST")
    assert "2 faults" in answer(store, "fsck", status=1)
    mended = answer(store, "fsck", "--repair", status=1)
    assert f"{path}: moved to rejects/quarantine" in mended
    assert "Now run the pipeline again: it computes what is missing." in mended
    assert answer(store, "fsck").strip() == "no faults"


def test_versions_shows_pins_and_what_is_not_whole(store: Store):
    first, second = (row["ref"] for row in reversed(json.loads(answer(store, "versions", "--json"))))
    assert "pinned" in answer(store, "rollback", "rejects")
    rows = {row["ref"]: row for row in json.loads(answer(store, "versions", "--json"))}
    assert (rows[first]["current"], rows[first]["note"]) == ("*", "pinned")
    assert json.loads(answer(store, "rollback", "rejects", "--release", "--json")) == {
        "current": first,
        "pinned": False,
    }
    damage(Path(store.root) / "rejects" / "parts" / "b.parquet", "deleted")
    rows = {row["ref"]: row for row in json.loads(answer(store, "versions", "--json"))}
    assert (rows[first]["note"], rows[second]["note"]) == ("", "not whole: see `audioae fsck`")


def test_release_takes_no_version(store: Store):
    result = RUN.invoke(app, ["rollback", "rejects", "abc", "--release", "--store", store.root])
    assert isinstance(result.exception, StoreError)
    assert "--release takes no version, got 'abc'" in str(result.exception)


def test_versions_verify_names_the_first_fault(store: Store):
    assert "every part verified" in answer(store, "versions", "--verify")
    damage(path := Path(store.root) / "rejects" / "parts" / "b.parquet", "byte")
    result = RUN.invoke(app, ["versions", "--verify", "--store", store.root])
    assert isinstance(result.exception, StoreError)
    assert str(result.exception).startswith(f"{path}: content with sha256 ")


def test_prune_counts_what_it_would_remove(store: Store):
    text = answer(store, "prune", "--keep", "1", "--grace-hours", "-1", "--dry-run")
    assert text.startswith("would remove 1 versions, 3 objects, ")
    assert len(json.loads(answer(store, "versions", "--json"))) == 2


def test_verify_checks_what_is_current_and_says_what_to_run(store: Store):
    old, current = (Path(store.root) / "rejects" / "parts" / f"{name}.parquet" for name in "ab")
    assert answer(store, "verify").strip() == "no faults"
    damage(old, "byte")
    assert answer(store, "verify").strip() == "no faults", "an old version is left to fsck"
    assert "1 fault" in answer(store, "fsck", status=1)
    damage(current, "byte")
    (fault,) = json.loads(answer(store, "verify", "--json", status=1))["faults"]
    assert fault["where"] == str(current)
    assert fault["what"].startswith("content with sha256 ")
    mended = answer(store, "verify", "--repair", status=1)
    assert f"{current}: moved to rejects/quarantine" in mended
    assert mended.rstrip().endswith("audioae run CONFIG")
    assert not Store(store.root).has_part("rejects", "b")
