"""A file that a command writes is whole under its name, or not there, however the command ends."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from audioae.cli import app
from tests.screening.made import make_store, screen
from tests.stores import made_store

PACKAGE = Path(__file__).parents[1] / "audioae"
N = 40
KILLED_WHILE_WRITING = """
import resource, signal, sys
from audioae.output import write_whole
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # at byte 1,000 of a file, the kernel kills the process
write_whole(sys.argv[1], "new" * 1000)
"""


class Killed(BaseException):
    """In place of SIGKILL, which a test does not survive."""


@pytest.mark.parametrize("before", [None, "old"])
def test_a_kill_in_the_middle_of_writing_leaves_what_was_there(tmp_path: Path, before: str | None):
    path = tmp_path / "page.html"
    if before:
        path.write_text(before)
    run = subprocess.run([sys.executable, "-c", KILLED_WHILE_WRITING, str(path)], capture_output=True, timeout=60)
    assert run.returncode == -signal.SIGXFSZ, run.stderr
    assert (path.read_text() if path.exists() else None) == before


def test_links_and_pipes_stay_what_they_are(tmp_path: Path):
    from audioae.output import write_whole

    real, link = tmp_path / "real.txt", tmp_path / "link.txt"
    real.write_text("old")
    link.symlink_to(real)
    write_whole(link, "müsli")
    assert link.is_symlink()
    assert real.read_bytes() == "müsli".encode()
    reader, writer = os.pipe()
    write_whole(f"/dev/fd/{writer}", b"through a pipe")
    assert os.read(reader, 99) == b"through a pipe"
    os.close(reader)
    os.close(writer)
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path, "x")
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "none" / "x", "x")
    assert sorted(os.listdir(tmp_path)) == ["link.txt", "real.txt"]


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A store without audio, one with findings, and files that commands read."""
    folder = tmp_path_factory.mktemp("stores")
    store = made_store(folder / "made", N)
    screened = make_store(str(folder / "screened"), N, near=[(0, 5, 9)])
    screen(screened, corrupt=None)
    rows = store.read(store.require("embeddings")).to_pylist()
    ids, vectors = [row["track_id"] for row in rows], np.array([row["embedding"] for row in rows], np.float32)
    labels = np.array([f"style {i % 2}" for i in range(len(ids))])
    np.savez(folder / "vectors.npz", id=np.array(ids), vector=vectors, label=labels)
    lines = [f"{track_id},style {i % 2}" for i, track_id in enumerate(ids)]
    (folder / "truth.csv").write_text("track_id,true_label\n" + "\n".join(lines) + "\n")
    return {name: folder / name for name in ("made", "screened", "vectors.npz", "truth.csv")}


COMMANDS = [
    ("playlist t00 t01 -n 5 --out {out} --store {made}", "walk.m3u8", "#EXTM3U"),
    ("playlist t00 t01 -n 5 --out {out} --store {made}", "walk.json", '"entries"'),
    ("findings --check duplicate --out {out} --store {screened}", "worst.csv", "check,"),
    ("export embeddings {out} --store {made}", "out.parquet", 40),
    ("evaluate {vectors.npz} --out {folder}", "evaluation.json", '"metrics"'),
    ("evaluate {vectors.npz} --out {folder}", "evaluation.html", "</html>"),
    ("report --out {out} --store {made}", "report.html", "</html>"),
    ("recommend simulate {out} --truth {truth.csv} --listeners 9 --store {made}", "plays.parquet", None),
]


@pytest.mark.parametrize(("command", "name", "content"), COMMANDS, ids=lambda value: str(value).split(" -")[0])
def test_a_killed_command_leaves_the_old_file_and_the_next_run_works(
    command: str, name: str, content: str | int | None, stores: dict[str, Path], tmp_path: Path, monkeypatch
):
    out = tmp_path / name
    places = {**stores, "out": out, "folder": tmp_path}
    arguments = [re.sub(r"\{(.+?)\}", lambda m: str(places[m[1]]), word) for word in command.split()]
    out.write_text("old")
    monkeypatch.setattr("audioae.report.build.make_report", lambda *_, **__: SimpleNamespace(omitted=(), versions={}))
    monkeypatch.setattr("audioae.pages.report_page.render_report", lambda _: "<html>of an hour's work</html>")
    replace = Path.replace

    def killed(self: Path, target: Path):
        if Path(target).name == name:
            raise Killed
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(Killed):
        CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert out.read_text() == "old"
    monkeypatch.setattr(Path, "replace", replace)
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, repr(result.exception)
    if name.endswith(".parquet"):
        assert pq.read_table(out).num_rows == (content or pq.read_table(out).num_rows)
    else:
        assert str(content) in out.read_text()
        if name.endswith(".json"):
            json.loads(out.read_text())
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_no_command_writes_to_a_named_file_directly():
    """Elsewhere, bytes go to memory, temporary folders, the store (which moves parts), or the catalog of the demo."""
    own = {"output.py", "store/storage.py", "store/cache.py", "model/devices.py", "serve/uploads.py"}
    own |= {"audio/remote.py", "search/index_file.py", "plan/measure.py"}
    own |= {"serve/cut_cache.py", "serve/explore/build.py", "explore/projector_export.py"}  # all move what is whole
    direct = re.compile(
        r"\.write_(text|bytes)\(|(?<!unfinished\.)\bopen\([^)]*\"[wx]b?\"|write_table\([^)]*\bout\b",
    )
    found = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if direct.search(path.read_text()) and path.relative_to(PACKAGE).parts[0] != "demo"
    }
    assert found == own
