"""Read the answers that people saved from a listening test.

Conventions
-----------
- A file is one person's: its answers name a trial by its place in `trials`, and the candidate that was chosen.
- Files of different tests may be read together; two files of one session may not, because both hold the same answers.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from audioae.errors import EvaluationError
from audioae.pages.listening_page import FORMAT

MAX_BYTES = 16 << 20
LONGEST = 200


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class HeardTrack(_Read):
    """The excerpt that was heard as X, A or B."""

    track_id: str = Field(min_length=1, max_length=LONGEST)
    start_s: float


class Trial(_Read):
    """A trial as it was heard. A candidate of X's own track makes it a catch trial."""

    x: HeardTrack
    a: HeardTrack
    b: HeardTrack
    difficulty: Literal["easy", "medium", "hard", "catch"]
    repeated: bool = False

    @property
    def own(self) -> Literal["a", "b"] | None:
        """In a catch trial, the candidate from X's own track."""
        if self.a.track_id == self.x.track_id:
            return "a"
        return "b" if self.b.track_id == self.x.track_id else None

    def chosen(self, choice: str) -> str:
        """The track that a choice means."""
        return self.a.track_id if choice == "a" else self.b.track_id


class Answer(_Read):
    """A choice in one trial, and the seconds that it took."""

    trial: int = Field(ge=0)
    choice: Literal["a", "b"]
    seconds: float | None = None


class Answers(_Read):
    """One file: who listened, the trials, and the answers, at most one per trial."""

    format: Literal["audioae listening test 1"]
    test: str
    embeddings: str = ""
    session: str = Field(min_length=1, max_length=LONGEST)
    listener: str = Field(default="", max_length=LONGEST)
    trials: tuple[Trial, ...]
    answers: tuple[Answer, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _answers_have_trials(self) -> "Answers":
        numbers = [answer.trial for answer in self.answers]
        if len(set(numbers)) < len(numbers):
            raise ValueError("a trial is answered twice")
        if max(numbers) >= len(self.trials):
            raise ValueError(f"an answer is to trial {max(numbers)}, but there are {len(self.trials)} trials")
        return self


def read_answers(paths: Sequence[str | Path]) -> list[Answers]:
    """Read answers files.

    Raises
    ------
    EvaluationError
        If a file cannot be read, is none of these, or two are of one session.
    """
    if not paths:
        raise EvaluationError("listening test: got no answers; name the files that the page saved")
    read = [_read(Path(path)) for path in paths]
    by_session: dict[str, str] = {}
    for path, answers in zip(paths, read, strict=True):
        if earlier := by_session.get(answers.session):
            raise EvaluationError(f"{earlier} and {path} are of one session; name the newer one only")
        by_session[answers.session] = str(path)
    return read


def _read(path: Path) -> Answers:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise EvaluationError(f"{path}: got more than {MAX_BYTES >> 20} MB, which no answers file has")
        return Answers.model_validate_json(path.read_bytes())
    except OSError as error:
        raise EvaluationError(f"{path}: cannot be read ({error.strerror})") from None
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"])) or "the file"
        raise EvaluationError(
            f"{path}: {where}: {problem['msg']}; wanted a file that the page of `audioae listen make` saved ({FORMAT})"
        ) from None
