"""The command `audioae findings` on a screened store."""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from audioae.cli import app
from audioae.pipeline.index import read_embeddings
from audioae.screening.findings import Findings
from audioae.store.dataset import Store
from tests.screening.made import install_fake_check, make_index, screen, store_with_copies


@pytest.fixture
def store(tmp_path: Path, monkeypatch) -> Store:
    """Screened by a fake check corrupt and by check duplicate."""
    install_fake_check(monkeypatch)
    store = store_with_copies(str(tmp_path / "store"))
    screen(store)
    return store


def audioae(store: Store, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["findings", *arguments, "--store", store.root])


def shows(shown: str, *words: str) -> bool:
    """Whether a table or text contains all words, whatever the line breaks."""
    text = " ".join(shown.split())
    missing = [word for word in words if word not in text]
    assert not missing, f"{missing} not in\n{shown}"
    return True


def test_the_overview_has_counts_accuracy_and_what_was_not_covered(store):
    shown = audioae(store).stdout
    assert shows(
        shown, "corrupt", "duplicate", "corrupt: Self-test: held out auroc 0.5", "1 track without an embedding"
    )
    overview = json.loads(audioae(store, "--json").stdout)
    assert [(row["check"], row["issues"], row["cannot tell"]) for row in overview["checks"]] == [
        ("corrupt", 10, 1),
        ("duplicate", 4, 0),
    ]


def test_a_check_lists_its_worst_findings_and_writes_them_as_csv(store, tmp_path):
    out = tmp_path / "worst.csv"
    shown = audioae(store, "--check", "corrupt", "--budget", "2", "--out", str(out)).stdout
    assert shows(shown, "album: C: 3 tracks", "hum of 0 dB", "listen at 1.5, 2.0 s", "4 tracks written to")
    with out.open(newline="") as stream:
        assert [row["track_id"] for row in csv.DictReader(stream)] == ["t10", "t11", "t12", "t13"]
    worst = json.loads(audioae(store, "--check", "corrupt", "--budget", "500", "--json").stdout)["worst"]
    assert len(worst) == 18


def test_a_track_has_the_results_of_every_check(store):
    assert shows(audioae(store, "--track", "t9").stdout, "cutoff_hz", "11000", "copies", "same recording")
    assert shows(audioae(store, "--track", "t30").stdout, "no check looked at this track")


def test_titles_that_look_like_markup_are_shown_as_they_are(store):
    assert shows(audioae(store, "--check", "corrupt").stdout, "[/b] Title")
    assert shows(audioae(store, "--track", "t14").stdout, "[/b] Title")


def test_tags_that_steer_a_terminal_are_escaped(store, monkeypatch):
    evil = "\x1b[2J\u202e\nforged line\n" + "x" * 100_000
    for name in ("worst", "of_track"):
        method = getattr(Findings, name)

        def hostile(*arguments, method=method, **options):
            found = method(*arguments, **options)
            for row in found if isinstance(found, list) else found[0]:
                row |= {"title": evil, "artist": evil, "label": evil, "group": evil, "suggestion": evil, "why": evil}
            return found

        monkeypatch.setattr(Findings, name, hostile)
    for arguments in (("--check", "corrupt"), ("--track", "t9")):
        shown = audioae(store, *arguments).stdout
        assert r"\x1b[2J" in shown
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        assert "forged line" not in [line.strip(" │") for line in shown.splitlines()]
        assert len(shown) < 300_000


def test_findings_of_an_older_index_say_so(store):
    embeddings = store.require("embeddings")
    make_index(store, read_embeddings(store, embeddings), embeddings, [], recipe="b")
    assert shows(audioae(store).stdout, "run `audioae run screen CONFIG`")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--check", "corupt"), "it has findings of: corrupt, duplicate"),
        (("--check", "corrupt", "--budget", "0"), "budget=0"),
        (("--out", "worst.csv"), "add --check, one of corrupt, duplicate"),
        (("--check", "corrupt", "--out", "/nowhere/worst.csv"), "/nowhere/worst.csv: cannot be written"),
        (("--track", "nothing like it"), "no track 'nothing like it'"),
    ],
)
def test_a_wrong_argument_is_one_message(store, arguments, message):
    assert message in str(audioae(store, *arguments).exception)
