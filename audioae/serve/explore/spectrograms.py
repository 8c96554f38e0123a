"""`GET /v1/tracks/{track_id}/spectrogram`: the mel of a track's seconds, drawn when it is asked for."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from audioae.audio.spectrogram import MEDIA_TYPE, draw_spectrogram
from audioae.serve.explore.cut_answers import Seconds, Start, TrackId, answer_cut, track_of
from audioae.serve.v1.files import require_pipeline

router = APIRouter(prefix="/v1", tags=["explorer"])

CODE = 1  # raise it when the same seconds of the same file would be another picture
_PICTURE = {"content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}}
ANSWERS: dict[int | str, dict[str, Any]] = {200: _PICTURE, 206: _PICTURE, 404: {}, 416: {}}

Width = Annotated[int, Query(ge=16, le=2048)]
Height = Annotated[int, Query(ge=16, le=512)]


@router.head("/tracks/{track_id}/spectrogram", include_in_schema=False)
@router.get("/tracks/{track_id}/spectrogram", responses=ANSWERS, response_class=Response)
async def spectrogram(
    request: Request,
    track_id: TrackId,
    start: Start = None,
    seconds: Seconds = 10.0,
    width: Width = 600,
    height: Height = 128,
) -> Response:
    """The mel of the seconds that a clip plays, as a grayscale PNG: white is loud, high frequencies are at the top."""
    require_pipeline()
    track, size = track_of(request, track_id), (width, height)
    return await answer_cut(request, track, draw_spectrogram, start, seconds, *size, code=CODE, media=MEDIA_TYPE)
