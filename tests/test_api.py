"""`audioae.open` as a program uses it: typed, light, safe to share between threads, and one generation at a time."""

import json
import re
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import audioae
from audioae.errors import StoreError
from audioae.library.filters import Filters
from audioae.pipeline.index import build_index
from audioae.search.factory import IndexConfig
from audioae.similarity.search import Options
from audioae.store.dataset import Store
from tests.stores import made_store

HEAVY = ("torch", "numba", "librosa", "av", "soundfile", "soxr", "scipy", "sklearn", "matplotlib", "prefect")
SCRIPT = """
import audioae
from audioae.library.filters import Filters
from audioae.similarity.search import Options

library = audioae.open("data")
answer = library.similar("0a", k=5, options=Options(Filters(label=["jazz"]), diversity=0.3))
names: list[str] = [neighbor.track_id for neighbor in answer.neighbors]
best: float = max(neighbor.score for neighbor in answer.neighbors)
title: str | None = answer.neighbors[0].title
table = answer.to_arrow()
newest = library.refresh()
print(names, best, title, table.num_rows, newest.is_current())
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder: Path = tmp_path_factory.mktemp("api")
    made_store(folder / "store", 12, copies={7: 3})
    return str(folder / "store")


def python(code: str) -> list:
    """What a fresh process prints, as JSON."""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_a_query_loads_nothing_heavy(root: str):
    code = f"""
        import json, sys, audioae
        at_import = [name for name in (*{HEAVY}, "faiss", "pyarrow") if name in sys.modules]
        library = audioae.open({root!r})
        ids = [neighbor.track_id for neighbor in library.similar("t03", k=3).neighbors]
        print(json.dumps([at_import, ids, [name for name in {HEAVY} if name in sys.modules]]))
    """
    at_import, ids, after = python(textwrap.dedent(code))
    assert (at_import, after) == ([], [])
    assert ids == [neighbor.track_id for neighbor in audioae.open(root).similar("t03", k=3).neighbors]
    assert "t07" not in ids, "a copy of the query is left out"


@pytest.mark.parametrize(
    "command", [["--help"], ["coverage"], ["versions"], ["findings", "--help"], ["similar", "t03"]], ids=" ".join
)
def test_commands_load_nothing_heavy(root: str, command: list[str]):
    options = [] if "--help" in command else ["--store", root]
    code = f"""
        import contextlib, io, json, sys
        sys.argv[1:] = {[*command, *options]}
        from audioae.cli import main
        with contextlib.redirect_stdout(io.StringIO()) as printed, contextlib.suppress(SystemExit):
            main()
        print(json.dumps([len(printed.getvalue()), [name for name in {HEAVY} if name in sys.modules]]))
    """
    n_printed, heavy = python(textwrap.dedent(code))
    assert n_printed > 100
    assert heavy == []


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_a_users_script_is_typed(checker: str, tmp_path: Path):
    right, wrong = tmp_path / "right.py", tmp_path / "wrong.py"
    right.write_text(SCRIPT)
    wrong.write_text(SCRIPT.replace("neighbor.track_id for", "neighbor.rank for"))
    arguments = {
        "mypy": ["--strict", "--follow-imports=silent", "--cache-dir", str(tmp_path / "cache")],
        "pyright": ["--pythonpath", sys.executable],
    }[checker]
    command = [str(Path(sys.executable).parent / checker), *arguments, str(right), str(wrong)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=400, cwd=tmp_path)
    errors = [line for line in run.stdout.splitlines() if re.search(r"\berror: ", line)]
    assert len(errors) == run.returncode == 1, run.stdout + run.stderr
    assert "wrong.py:8:" in errors[0], "a wrong type is seen, and nothing else"


def test_threads_get_the_answers_of_one_thread(root: str):
    queries = [(f"t{i:02d}", options) for i in range(12) for options in (Options(), Options(hub_correction=True))]
    queries += [("t01", Options(Filters(label=["style 0"]), diversity=0.4, max_per_artist=1))]
    alone = [audioae.open(root).similar(seed, 5, options=options) for seed, options in queries]
    for _ in range(3):
        fresh = audioae.open(root)
        with ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(fresh.similar, seed, 5, options=options) for seed, options in queries * 4]
            assert [answer.result() for answer in asked] == alone * 4


def test_a_library_stays_what_it_was_and_refresh_gives_the_newest(tmp_path: Path):
    store = made_store(tmp_path / "store", 12)
    library = audioae.open(store.root)
    library.warm()
    before = library.similar("t03", 4)
    assert library.is_current()
    assert library.refresh() is library
    build_index(store, IndexConfig(factory="HNSW32"), store.require("embeddings"))
    assert not library.is_current()
    newest = library.refresh()
    assert (newest.index.factory, library.index.factory) == ("HNSW32", "Flat")
    assert library.similar("t03", 4) == before
    assert str(newest.index_ref) == str(store.require("index"))
    earlier = audioae.open(store.root, index=str(library.index_ref))
    assert earlier.similar("t03", 4) == before


def test_an_empty_store_says_what_to_do(tmp_path: Path):
    with pytest.raises(StoreError, match="the store has no index yet"):
        audioae.open(str(tmp_path / "nothing"))
    assert Store(str(tmp_path / "nothing")).latest("index") is None
