"""`GET /v1/tracks/{track_id}/clip`: seconds of a track to listen to, cut when they are asked for."""

from typing import Any

from fastapi import APIRouter, Request, Response

from audioae.audio.listening import MEDIA_TYPE, cut_audio
from audioae.serve.explore.cut_answers import Seconds, Start, TrackId, answer_cut, track_of
from audioae.serve.problems import Problem
from audioae.serve.requests import service_of
from audioae.serve.v1.files import require_pipeline

router = APIRouter(prefix="/v1", tags=["explorer"])

CODE = 1  # raise it when the same seconds of the same file would be other bytes
_SOUND = {"content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}}
ANSWERS: dict[int | str, dict[str, Any]] = {200: _SOUND, 206: _SOUND, 404: {}, 416: {}}


@router.head("/tracks/{track_id}/clip", include_in_schema=False)
@router.get("/tracks/{track_id}/clip", responses=ANSWERS, response_class=Response)
async def clip(request: Request, track_id: TrackId, start: Start = None, seconds: Seconds = 10.0) -> Response:
    """Some seconds of a track as FLAC, in stereo; fewer where it ends. Ranges are answered."""
    if service_of(request).config.audio == "none":
        raise Problem(403, "this server plays no audio", action="start it with `audio: clips`", kind="no-audio")
    require_pipeline()
    track = track_of(request, track_id)
    return await answer_cut(request, track, cut_audio, start, seconds, code=CODE, media=MEDIA_TYPE)
