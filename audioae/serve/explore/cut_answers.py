"""What the endpoints of clips, spectrograms and files share: the track that is meant, faults, and the answer."""

import zlib
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Path, Query, Request, Response

from audioae.audio.config import ClipConfig
from audioae.display import shown
from audioae.errors import AudioError, UnknownTrackError
from audioae.library.records import Track
from audioae.serve.explore.ranges import choose
from audioae.serve.problems import Problem, problem_of
from audioae.serve.requests import served_of, service_of

LONGEST_S = 60.0
MAX_AGE_S = 3600

TrackId = Annotated[str, Path(max_length=200)]
Start = Annotated[float | None, Query(ge=0, le=1e6, description="Seconds; default: the track's middle clip.")]
Seconds = Annotated[float, Query(ge=0.1, le=LONGEST_S)]

CACHED = {"Cache-Control": f"private, max-age={MAX_AGE_S}", "X-Content-Type-Options": "nosniff"}


def track_of(request: Request, track_id: str) -> Track:
    """The track of the catalog. Raises `UnknownTrackError`."""
    library = served_of(request).library
    row = library.lookup.row_of(track_id)  # microseconds: clips take no place in the queue of searches
    if row < 0:
        raise UnknownTrackError(f"no track_id {track_id!r} in {library.tracks_ref}; look it up by its title first")
    return library.lookup.track(row)


async def answer_cut(
    request: Request,
    track: Track,
    function: Callable[..., Any],
    start_s: float | None,
    seconds: float,
    *more: int,
    code: int,
    media: str,
) -> Response:
    """What `function` cuts, or a part of it, for a player that may have it already.

    The headers `X-Start-S`, `X-Seconds` and `X-Duration-S` say where it begins, its length, and that of the track.
    """
    clips: ClipConfig = served_of(request).library.mels_config.clips
    where = None if start_s is None else round(start_s, 3)
    arguments = (where, round(seconds, 3), clips, *more)
    try:
        key, kept = await service_of(request).cuts.get(track, function, arguments, code=code)
    except AudioError as error:
        raise fault(track, error) from error
    etag = f"{key}-{zlib.crc32(kept.content):08x}"
    chosen = choose(request.headers, len(kept.content), etag, kept.made_at)
    about = {f"X-{name.replace('_', '-').title()}": f"{value:.3f}" for name, value in kept.about.items()}
    body = kept.content[chosen.start : chosen.stop] if request.method == "GET" else b""
    return Response(body, chosen.status, {**about, **CACHED, **chosen.headers}, media)


def fault(track: Track, error: AudioError) -> Problem:
    """The problem of a track's audio: 404 if its file cannot be read, else 422."""
    name = f"{track.track_id} ({shown(track.title or 'no title')}), {shown(track.uri or '', None)}"
    if error.reason == "unreadable":
        action = "put the file back, or mount its folder; if it has moved, run the pipeline again"
        return Problem(404, f"{name}: {error.detail}", action=action, kind="audio-unreadable")
    problem = problem_of(AudioError(error.reason, f"{name}: {error.detail}"))
    assert problem is not None
    return problem
