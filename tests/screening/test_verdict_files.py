"""Verdict files: read as people and spreadsheets save them, and rejected with the line that is wrong."""

import re

import pytest

from audioae.errors import ConfigError
from audioae.screening.verdict_files import add_verdicts, load_verdicts, read_verdicts

HEADER = "rank,check,track_id,title,verdict\n"


def read(text: str) -> dict:
    return read_verdicts(text.splitlines(keepends=True), "worst.csv")


def test_reads_rows_with_a_verdict_however_a_spreadsheet_saved_them():
    rows = HEADER + '1,corrupt,aa,"a, b\nc",Issue\n2,corrupt,ab,,\n3,duplicate,aa,x, fine \n'
    expected = {("corrupt", "aa"): True, ("duplicate", "aa"): False}
    assert {key: value[0] for key, value in read(rows).items()} == expected
    assert {key: value[0] for key, value in read("\ufeff" + rows.replace("\n", "\r\n")).items()} == expected
    semicolons = "\ufeffcheck;track_id;verdict\r\ncorrupt;aa;issue\r\n"
    assert {key: value[0] for key, value in read(semicolons).items()} == {("corrupt", "aa"): True}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: no column check, track_id, verdict"),
        ("check,track_id\ncorrupt,aa\n", "line 1: no column verdict among check, track_id"),
        (HEADER + "1,corrupt,aa,x,\n2,corrupt,ab,x,perhaps\n", "line 3: got verdict 'perhaps'; wanted issue, fine"),
        (HEADER + "1,corupt,aa,x,issue\n", "line 2: got check 'corupt'; wanted one of mislabeled, corrupt, generated"),
        (HEADER + "1,corrupt,aa,x,issue\n" + '2,corrupt,"' + "x" * 200_000, "line 3: not readable as CSV"),
        (HEADER + "1,corrupt,,x,issue\n", "line 2: a verdict without a track_id"),
        (
            HEADER + "1,corrupt,aa,x,issue\n2,corrupt,aa,x,fine\n",
            "line 3: check corrupt, track aa is fine, but issue in",
        ),
    ],
)
def test_a_wrong_row_is_one_message_with_its_line(text, message):
    with pytest.raises(ConfigError, match=re.escape(f"worst.csv, {message}")):
        read(text)


def test_the_same_verdict_in_two_files_counts_once_and_a_contradiction_is_an_error():
    rows = read(HEADER + "1,corrupt,aa,x,issue\n")
    add_verdicts(rows, read(HEADER + "1,corrupt,aa,x,issue\n1,corrupt,ab,x,fine\n"))
    assert len(rows) == 2
    with pytest.raises(ConfigError, match=r"track ab is issue, but fine in worst\.csv, line 3; remove one of the two"):
        add_verdicts(rows, read(HEADER + "1,corrupt,ab,x,issue\n"))


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_named(tmp_path, content):
    path = tmp_path / "worst.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=f"cannot read {re.escape(str(path))} .*wanted a CSV file in UTF-8"):
        load_verdicts(str(path))
