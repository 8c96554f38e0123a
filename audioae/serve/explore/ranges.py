"""Parts of a body on request: what a player asks for to begin, to seek, and to go on after an interruption.

Conventions
-----------
- One range is answered by 206; several, another unit or a malformed header by the whole (RFC 9110 allows that). A range
  beyond the end is 416.
- A client that has the body already (If-None-Match, If-Modified-Since) gets 304; one that has a part of another body
  (If-Range) gets the whole.

Source: RFC 9110, 13 and 14.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime

from audioae.serve.problems import Problem

_RANGE = re.compile(r"bytes=\s*(\d{0,18})\s*-\s*(\d{0,18})")


@dataclass(frozen=True)
class Slice:
    """What is to be answered: a status, its headers, and which bytes of the body; none for 304."""

    status: int
    headers: dict[str, str]
    start: int
    stop: int


def choose(headers: Mapping[str, str], size: int, etag: str, modified_at: float) -> Slice:
    """What a request wants of a body.

    Parameters
    ----------
    headers : mapping
        Of the request.
    size : int
        Bytes of the whole body.
    etag : str
        Without quotes.
    modified_at : float
        Seconds since 1970; 0 if nobody knows.

    Raises
    ------
    Problem
        416, if the wanted range begins after the end.
    """
    quoted = f'"{etag}"'
    described = {"ETag": quoted, "Accept-Ranges": "bytes"}
    if modified_at:
        described["Last-Modified"] = formatdate(modified_at, usegmt=True)
    if _is_known(headers, quoted, modified_at):
        return Slice(304, described, 0, 0)
    wanted = parse_range(headers.get("range", ""), size)
    if wanted is None or not _is_same(headers.get("if-range"), quoted, modified_at):
        return Slice(200, {**described, "Content-Length": str(size)}, 0, size)
    if not wanted:
        raise Problem(
            416,
            f"the range {headers['range'][:100]!r} begins after the end, at byte {size:,}",
            where="Range",
            headers={"Content-Range": f"bytes */{size}"},
        )
    length = {"Content-Length": str(len(wanted)), "Content-Range": f"bytes {wanted.start}-{wanted.stop - 1}/{size}"}
    return Slice(206, {**described, **length}, wanted.start, wanted.stop)


def parse_range(header: str, size: int) -> range | None:
    """The bytes that a header Range asks for; empty if there are none; None if the whole is to be answered.

    >>> parse_range("bytes=2-", 10), parse_range("bytes=-3", 10), parse_range("bytes=0-99", 10), parse_range("", 10)
    (range(2, 10), range(7, 10), range(0, 10), None)
    >>> parse_range("bytes=10-", 10), parse_range("bytes=5-2", 10), parse_range("bytes=0-1,3-4", 10)
    (range(10, 10), None, None)
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        return range(max(size - int(last), 0), size)
    if last and int(last) < int(first):
        return None
    return range(min(int(first), size), min(int(last) + 1, size) if last else size)


def _is_known(headers: Mapping[str, str], quoted: str, modified_at: float) -> bool:
    if (tags := headers.get("if-none-match")) is not None:
        return tags.strip() == "*" or quoted in (tag.strip().removeprefix("W/") for tag in tags.split(","))
    return 0 < int(modified_at) <= (_seconds(headers.get("if-modified-since")) or 0)


def _is_same(if_range: str | None, quoted: str, modified_at: float) -> bool:
    if if_range is None:
        return True
    return if_range.strip() == quoted or _seconds(if_range) == int(modified_at)


def _seconds(date: str | None) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp() if date else None
    except (TypeError, ValueError):
        return None
