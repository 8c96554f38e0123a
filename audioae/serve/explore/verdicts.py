"""`/v1/verdicts`: what people say about findings; read, saved, and as the file that the screening takes.

Conventions
-----------
- Every person has a verdict of their own on a track. The newest is shown and counts; `others` has the rest.
- A verdict that contradicts what another person said since is not saved, but answered as a conflict: `expected` is what
  was seen. Send it again with the present verdict as `expected`, and it is saved beside the other.
- Saving needs a key whose role is judge or admin; without keys, everybody on this machine may.

Why POST wants `application/json`: a page of another origin cannot send that unasked, so it cannot judge in the name of
somebody who has it open.
"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from audioae.screening.registry import CHECKS
from audioae.screening.verdict_board import Board, Judgment
from audioae.screening.verdict_log import Sent
from audioae.serve.problems import Problem
from audioae.serve.requests import may_judge, respond, served_of, service_of

router = APIRouter(prefix="/v1", tags=["explorer"])

MOST = 1000
Word = Literal["issue", "fine"]
Check = Annotated[str | None, Query(max_length=100, examples=["mislabeled"])]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class OpinionModel(BaseModel):
    """What a person says, and since when; null: nothing any more."""

    by: str
    verdict: Word | None
    note: str
    at: str


class VerdictModel(OpinionModel):
    """The verdict that counts, the newest; `others`: what other people say about the same."""

    check: str
    track_id: str
    others: list[OpinionModel]


class VerdictsModel(BaseModel):
    """`revision` changes with every verdict. `read_only` is null, or a sentence on why nothing can be saved."""

    revision: str
    writable: bool
    read_only: str | None
    verdicts: list[VerdictModel]


class SentModel(BaseModel):
    """A verdict to be saved; null takes one's own back. `expected`: the one that was seen, null if there was none."""

    model_config = ConfigDict(extra="forbid")
    check: Annotated[str, Field(max_length=100, examples=["mislabeled"])]
    track_id: Annotated[str, Field(max_length=200)]
    verdict: Word | None
    by: Text
    expected: Word | None = None
    note: Annotated[str, Field(max_length=2000)] = ""


class VerdictsRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")
    verdicts: Annotated[list[SentModel], Field(min_length=1, max_length=MOST)]


class ConflictModel(BaseModel):
    """What was not saved, and what another person said meanwhile."""

    track_id: str
    title: str | None
    yours: SentModel
    theirs: VerdictModel


class SavedModel(BaseModel):
    revision: str
    saved: list[VerdictModel]
    conflicts: list[ConflictModel]


@router.get("/verdicts", responses={200: {"model": VerdictsModel}, 304: {"description": "Nothing has changed."}})
async def verdicts(request: Request, check: Check = None) -> Response:
    """The verdicts in force, of one check or of all."""
    board, read_only = await _board(request), _why_read_only(request)
    tag = f'"{board.revision}-{"r" if read_only else "w"}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(None, 304, headers)
    rows = await service_of(request).pools["files"].run(lambda: [_row(board, one) for one in board.shown(check)])
    about = {"revision": board.revision, "writable": read_only is None, "read_only": read_only}
    answer = respond(request, {**about, "verdicts": rows})
    answer.headers.update(headers)
    return answer


@router.get("/verdicts.csv", responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}})
async def as_csv(request: Request, check: Check = None) -> Response:
    """The verdicts in force as the CSV that `audioae run screen` takes (`--set screen.verdicts=FILE`)."""
    board = await _board(request)
    headers = {"Content-Disposition": 'attachment; filename="verdicts.csv"', "Cache-Control": "private, no-cache"}
    return Response(board.to_csv(check), media_type="text/csv; charset=utf-8", headers=headers)


@router.post("/verdicts", responses={200: {"model": SavedModel}, 403: {}, 404: {}})
async def save(request: Request, body: VerdictsRequest) -> Response:
    """Save verdicts; those that contradict what another person said since come back as conflicts."""
    _check_sender(request)
    _check_sent(request, body.verdicts)
    key = request.scope.get("state", {}).get("key")
    sent = [Sent(**one.model_dump(), key=key) for one in body.verdicts]
    log = service_of(request).verdicts
    saved, conflicts = await service_of(request).pools["files"].run(lambda: log.save(sent))
    board = await _board(request)
    payload = {
        "revision": board.revision,
        "saved": [_row(board, one) for one in saved],
        "conflicts": [_conflict(request, board, mine, theirs) for mine, theirs in conflicts],
    }
    return respond(request, payload)


async def _board(request: Request) -> Board:
    return await service_of(request).pools["files"].run(service_of(request).verdicts.read)


def _why_read_only(request: Request) -> str | None:
    if not may_judge(request):
        return "this key may only read; verdicts need one of the role judge (audioae serve-key --judge)"
    return service_of(request).verdicts.why_read_only()


def _check_sender(request: Request) -> None:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json":
        raise Problem(415, f"verdicts of type {media[:100]!r}, wanted application/json")
    if why := _why_read_only(request):
        raise Problem(403, f"verdicts cannot be saved: {why}", action="download them as CSV instead", kind="read-only")


def _check_sent(request: Request, sent: list[SentModel]) -> None:
    """Raise a `Problem` unless every check and every track is known; nothing has been saved then."""
    if unknown := [i for i, one in enumerate(sent) if one.check not in CHECKS]:
        where, checks = f"verdicts.{unknown[0]}.check", ", ".join(CHECKS)
        raise Problem(422, f"no check {sent[unknown[0]].check!r}; wanted one of {checks}", where=where)
    rows = served_of(request).library.lookup.rows_of([one.track_id for one in sent])
    if (rows < 0).any():
        i = int((rows < 0).argmax())
        raise Problem(404, f"no track_id {sent[i].track_id!r}", where=f"verdicts.{i}.track_id", kind="unknown-track")


def _row(board: Board, one: Judgment) -> dict[str, Any]:
    others = [_opinion(other) for other in board.others(one)]
    return {"check": one.check, "track_id": one.track_id, **_opinion(one), "others": others}


def _opinion(one: Judgment) -> dict[str, Any]:
    return {"by": one.by, "verdict": one.verdict, "note": one.note, "at": one.at}


def _conflict(request: Request, board: Board, mine: Sent, theirs: Judgment) -> dict[str, Any]:
    lookup = served_of(request).library.lookup
    title = lookup.track(lookup.row_of(mine.track_id)).title
    yours = {name: getattr(mine, name) for name in SentModel.model_fields}
    return {"track_id": mine.track_id, "title": title, "yours": yours, "theirs": _row(board, theirs)}
