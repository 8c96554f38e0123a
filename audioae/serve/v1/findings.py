"""`GET /v1/findings`: what the checks found: an overview, or the worst of one check in pages."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from audioae.errors import NotScreenedError
from audioae.serve.problems import Problem
from audioae.serve.requests import call, respond
from audioae.serve.v1.tracks import Limit, Offset

router = APIRouter(prefix="/v1", tags=["findings"])

COLUMNS = (
    *("rank", "track_id", "title", "artist", "album", "label", "uri", "score", "is_issue", "suggestion"),
    *("confidence", "why", "verdict", "evidence", "group", "tracks", "issues", "members"),
)


class FindingModel(BaseModel):
    """A finding: its worst track, and in `members` all of its tracks; scores run from 0 (bad) to 1 (fine)."""

    rank: int
    track_id: str
    title: str | None
    artist: str | None
    album: str | None
    label: str | None
    uri: str | None
    score: float | None
    is_issue: bool
    suggestion: str | None
    confidence: float | None
    why: str | None
    verdict: str | None
    evidence: dict
    group: str | None
    tracks: int
    issues: int
    members: list[dict]


class CheckModel(BaseModel):
    """A check: the tracks that it looked at, how many are issues (scores below `threshold`), in how many findings."""

    check: str
    title: str
    screened: int
    issues: int
    findings: int
    cannot_tell: int
    threshold: float
    measured: dict
    omitted: list[str]
    accuracy: list[str]


class FindingsModel(BaseModel):
    """Without a check `checks` has the overview; with one `worst` has its findings from `offset` on, `total` in all.

    `outdated` has a sentence if another index was screened than the one that answers.
    """

    index: str
    model: str
    findings: str
    screened: str
    outdated: str | None
    checks: list[CheckModel]
    check: str | None
    worst: list[FindingModel]
    total: int
    offset: int
    judged_fine: int


@router.get("/findings", responses={200: {"model": FindingsModel}, 404: {}})
async def findings(
    request: Request,
    check: Annotated[str | None, Query(max_length=100, examples=["mislabeled"])] = None,
    limit: Limit = 20,
    offset: Offset = 0,
    issues_only: bool = False,
) -> Response:
    """The worst findings of a check, or without a check an overview of all."""
    try:
        page = await call(
            request, "jobs", lambda library: library.findings(check, limit, offset, issues_only=issues_only)
        )
    except NotScreenedError as error:
        raise Problem(
            404, "the store has no findings yet", action="run `audioae run screen CONFIG`", kind="not-screened"
        ) from error
    checks = [{name.replace(" ", "_"): value for name, value in row.items()} for row in page.checks]
    worst = [_finding(row) for row in page.worst]
    return respond(request, {**vars(page), "checks": checks, "worst": worst})


def _finding(row: dict[str, Any]) -> dict[str, Any]:
    members = [{name: member[name] for name in COLUMNS if name in member} for member in row["members"]]
    return {name: row[name] for name in COLUMNS} | {"members": members}
