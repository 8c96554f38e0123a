"""Whatever is killed, and whenever, nothing is torn in a store, no process is left, and the next run gives the same."""

import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import pytest

from audioae.pipeline.config import Workers
from audioae.playlists.options import PlaylistOptions
from audioae.playlists.table import PlaylistRequest, publish_playlists
from audioae.recommend.config import RecommendConfig
from audioae.recommend.table import publish_recommendations
from audioae.screening.findings import open_findings, write_list
from audioae.similarity.config import SimilarConfig
from audioae.similarity.table import publish_similar
from audioae.store.dataset import Store
from audioae.store.manifest import DatasetRef
from audioae.store.storage import Storage
from tests.processes import LIMIT_S, Run
from tests.screening.made import N, fill_in, make_store, screen
from tests.stores import made_store

Publish = Callable[[Store], DatasetRef]
HANGS = """
import audioae.audio.extract
from tests.audio.worker_functions import act_by_name
audioae.audio.extract.extract = act_by_name  # by the file's name, it hangs
from audioae.cli import main
main()
"""


class Killed(BaseException):
    """In place of SIGKILL, which a test does not survive."""


@contextmanager
def killed_at(monkeypatch: pytest.MonkeyPatch, n: int):
    """Killed before write number `n` to a store; yields the keys that were written."""
    keys: list[str] = []

    def counted(write: Callable[[Storage, str, object], None]) -> Callable[[Storage, str, object], None]:
        def count(self: Storage, key: str, content: object) -> None:
            if len(keys) == n:
                raise Killed
            keys.append(key)
            write(self, key, content)

        return count

    with monkeypatch.context() as patch:
        for name in ("write", "move_file"):  # a whole object, and a part that was written block by block
            patch.setattr(Storage, name, counted(getattr(Storage, name)))
        yield keys


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kills")


@pytest.fixture(scope="module")
def made(folder: Path) -> Path:
    made_store(folder / "made", 12)
    return folder / "made"


@pytest.fixture(scope="module")
def screened(folder: Path) -> tuple[Path, Path]:
    """A store with findings, and verdicts on them."""
    store = make_store(str(folder / "screened"), N, near=[(0, 5, 9)])
    screen(store, corrupt=None)
    path = folder / "worst.csv"
    write_list(open_findings(store).worst("duplicate", 9)[0], str(path))
    return folder / "screened", fill_in(path, {"t0": "fine"})


def check_kills(before: Path, publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Kill `publish` before each of its writes; returns their keys."""
    whole = Store(str(shutil.copytree(before, tmp_path / "whole")))
    with killed_at(monkeypatch, -1) as keys:
        wanted = publish(whole)
    latest = whole.latest(wanted.dataset), Store(str(before)).latest(wanted.dataset)
    for n in range(len(keys)):
        root = str(shutil.copytree(before, tmp_path / str(n)))
        with killed_at(monkeypatch, n), pytest.raises(Killed):
            publish(Store(root))
        assert Store(root).latest(wanted.dataset) in latest, "the old version, or the new one"
        if now := Store(root).latest(wanted.dataset):
            Store(root).verify(now)
        assert publish(Store(root)) == wanted
        Store(root).verify(wanted)
        assert Store(root).latest(wanted.dataset) == wanted
    return keys


def test_similar(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("audioae.similarity.table.BLOCK", 5)

    def publish(store: Store) -> DatasetRef:
        return publish_similar(store, SimilarConfig(k=3), store.require("index"))

    assert len(check_kills(made, publish, tmp_path, monkeypatch)) == 3 + 2, "parts, the manifest, LATEST"


def test_playlists(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    request = PlaylistRequest(name="a", waypoints=("t00", "t01"), options=PlaylistOptions(n=6))

    def publish(store: Store) -> DatasetRef:
        return publish_playlists(store, [request], store.require("index"), Workers(), lambda what, done, total: None)

    assert len(check_kills(made, publish, tmp_path, monkeypatch)) >= 3


def test_recommendations(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    plays = tmp_path / "plays.csv"
    plays.write_text("listener_id,track_id\n" + "".join(f"{who},t0{i}\n" for who in ("anna", "ben") for i in range(4)))

    def publish(store: Store) -> DatasetRef:
        return publish_recommendations(store, RecommendConfig(plays=str(plays), k=3), store.require("embeddings"))

    assert len(check_kills(made, publish, tmp_path, monkeypatch)) >= 3


def test_verdicts(screened: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    before, verdicts = screened

    def publish(store: Store) -> DatasetRef:
        return screen(store, corrupt=None, verdicts=str(verdicts))

    keys = check_kills(before, publish, tmp_path, monkeypatch)
    datasets = [key.split("/")[0] for key in keys if "/superseded/" not in key]
    assert datasets == ["findings", "screenings", "screenings", "screenings", "findings", "findings"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_query_ends_with_its_worker(made: Path, tmp_path: Path, number: signal.Signals):
    path = tmp_path / "hang.wav"
    path.write_bytes(b"no audio")
    run = Run([sys.executable, "-c", HANGS, "similar", str(path), "--store", str(made)], tmp_path / "log")
    try:
        run.wait_until(lambda: len(run.processes()) == 2)
        status, seconds, lines = run.end_by(number)
        assert status in (-number, 128 + number), lines
        assert seconds < LIMIT_S
        assert len(lines) <= 1, lines
        assert run.is_gone(), run.processes()
    finally:
        run.kill()
