"""`audioae compare-versions`: tables for people, JSON for programs."""

import json

import pytest
from typer.testing import CliRunner

from audioae.cli import app
from tests.evaluation.test_compare_versions import shuffled_artist
from tests.evaluation.versions import commit_map, retrain, styled, styled_store


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, str]:
    """The root of a store and its two versions."""
    store, a = styled_store(tmp_path_factory.mktemp("compared") / "store")
    b = retrain(store, shuffled_artist)
    commit_map(store, styled()[:, :2], [i % 4 for i in range(120)], {i: f"region {i}" for i in range(4)})
    return store.root, str(a), str(b)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["compare-versions", *arguments], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.stdout


def test_tables_and_sentences(compared):
    root, a, _ = compared
    text = run(a, "--store", root, "--top", "2")
    assert "labels that changed most" in text
    assert "regions that changed most" in text
    assert "tracks that changed most" in text
    first = json.loads(run(a, "--store", root, "--json"))["changed"][0]
    for name, side in (("before", "lost"), ("after", "new")):
        named = [one["title"] for one in first[name] if not one["kept"]]
        assert named, side
        assert named[0] in text
    assert text.count("region 2") == 2  # a row and a sentence
    assert "1 label changed more than the catalog: 'style 2' keeps" in text


def test_json(compared):
    root, a, b = compared
    document = json.loads(run(a, b, "--store", root, "--json", "--top", "3"))
    assert (document["a"]["embeddings"], document["b"]["embeddings"]) == (a, b)
    assert document["labels"][0]["name"] == "style 2"
    assert len(document["changed"]) == 3
    assert document["measured"] == document["shared"] == 120
