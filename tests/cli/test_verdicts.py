"""`audioae verdicts`: what was judged, as a table, as JSON, and as the CSV that goes back."""

import json

from typer.testing import CliRunner

from audioae.cli import app
from audioae.screening.verdict_files import load_verdicts
from audioae.screening.verdict_log import Sent, VerdictLog
from audioae.store.storage import Storage


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["verdicts", *arguments], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.output


def test_verdicts_are_listed_and_exported(tmp_path):
    store, path = str(tmp_path / "store"), str(tmp_path / "verdicts.csv")
    assert "no verdicts yet" in run("list", "--store", store)
    log = VerdictLog(Storage(store))
    log.save([Sent("corrupt", "a", "issue", "Ann", note="\x1b[2Jclicks"), Sent("mislabeled", "b", "fine", "Ann")])
    log.save([Sent("corrupt", "a", "fine", "Bob", expected="issue")])
    table = run("list", "--store", store)
    assert "2 verdicts" in table
    assert "Ann: issue" in table
    assert "\x1b" not in table
    (row,) = json.loads(run("list", "--store", store, "--check", "corrupt", "--json"))["verdicts"]
    assert (row["verdict"], row["by"], row["others"][0]["by"]) == ("fine", "Bob", "Ann")
    assert "2 verdicts written" in run("export", path, "--store", store)
    assert load_verdicts(path) == {"corrupt": {"a": False}, "mislabeled": {"b": False}}


def test_a_check_that_does_not_exist_is_named(tmp_path):
    result = CliRunner().invoke(app, ["verdicts", "list", "--store", str(tmp_path), "--check", "no"])
    assert "no check 'no'; wanted one of" in str(result.exception)
