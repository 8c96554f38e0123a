"""Answers files: what is read, and what is refused."""

from pathlib import Path

import pytest

from audioae.errors import EvaluationError
from audioae.listening.answers import read_answers
from tests.listening.made_answers import answers, trial, written

TRIALS = [trial("t0", "t1", "t2"), trial("t0", "t0", "t2", "catch")]


def test_reads_what_the_page_saved(tmp_path: Path):
    one, other = read_answers(written(tmp_path, answers(TRIALS, "ab"), answers(TRIALS, "-a", session="two")))
    assert [answer.choice for answer in one.answers] == ["a", "b"]
    assert (one.trials[0].own, one.trials[1].own) == (None, "a")
    assert one.trials[0].chosen("b") == "t2"
    assert [answer.trial for answer in other.answers] == [1]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "format: Field required"),
        (answers(TRIALS, "ab", format="other"), "format: Input should be 'audioae listening test 1'"),
        (answers(TRIALS, "--"), "answers: Tuple should have at least 1 item"),
        (answers(TRIALS, "abb"), "an answer is to trial 2, but there are 2 trials"),
        ({**answers(TRIALS, "a"), "answers": [{"trial": 0, "choice": "a"}] * 2}, "a trial is answered twice"),
        (answers(TRIALS, "c"), "answers.0.choice: Input should be 'a' or 'b'"),
    ],
)
def test_says_what_is_wrong_with_a_file(tmp_path: Path, document: dict, message: str):
    with pytest.raises(EvaluationError) as error:
        read_answers(written(tmp_path, document))
    assert message in str(error.value)
    assert "wanted a file that the page of `audioae listen make` saved" in str(error.value)


def test_refuses_two_files_of_one_session_missing_files_and_other_files(tmp_path: Path):
    twice = written(tmp_path, answers(TRIALS, "a"), answers(TRIALS, "ab"))
    with pytest.raises(EvaluationError, match="are of one session; name the newer one only"):
        read_answers(twice)
    with pytest.raises(EvaluationError, match=r"no\.json: cannot be read"):
        read_answers([tmp_path / "no.json"])
    (tmp_path / "a.json").write_bytes(b"\xff\xfe{")
    with pytest.raises(EvaluationError, match="the file: Invalid JSON"):
        read_answers([tmp_path / "a.json"])
    with pytest.raises(EvaluationError, match="got no answers"):
        read_answers([])
