"""`/v1/codebook`, `/v1/latent:decode`, `/v1/latent:listen`: what the model writes with, and what its decoder draws.

Conventions
-----------
- A mel is base64 of uint8, shape (128, 130), the lowest band first: what the store contains as `mel`.
- The model runs in the processes that embed uploads, which are killed if they take too long: the server loads no torch.
- Sound is an illustration (Griffin-Lim): the header `X-Illustration` and the OpenAPI document say so.
- Answers are kept in memory, up to `KEPT_BYTES` in each process. What they were made from is part of their name.
"""

import base64
from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel

from audioae.api import Library
from audioae.constants import N_FRAMES, N_MELS
from audioae.errors import ModelError, NoCodebookError
from audioae.explore.codebook import codes_of, describe_code, usage
from audioae.explore.codes import check_book
from audioae.explore.decoding import decode_one_code, make_audible
from audioae.explore.latent_facts import is_two_dimensional
from audioae.serve.explore.answer_cache import AnswerCache
from audioae.serve.explore.latent_bodies import BOOKS, CODES, DecodeRequest, ListenRequest
from audioae.serve.problems import Problem
from audioae.serve.requests import call, encode, respond_encoded, served_of
from audioae.serve.v1.files import require_pipeline

router = APIRouter(prefix="/v1", tags=["explorer"])

KEPT_BYTES = 16 << 20
ILLUSTRATION = "decoded by the model, phases estimated by Griffin-Lim: no track sounds like this"
_HEADERS = {"Cache-Control": "private, max-age=3600", "X-Illustration": ILLUSTRATION}
_SOUND = {"content": {"audio/mpeg": {"schema": {"type": "string", "format": "binary"}}}, "description": ILLUSTRATION}

_answers = AnswerCache(KEPT_BYTES)

Of = Annotated[
    Literal["clips", "tracks"] | None,
    Query(description="Which are counted; default: a sample of clips if their mels are stored, else all tracks."),
]
BookPath = Annotated[int, Path(ge=0, lt=BOOKS)]
CodePath = Annotated[int, Path(ge=0, lt=CODES)]
Clips = Annotated[int, Query(ge=0, le=100, description="How many clips at most.")]


class CodeUse(BaseModel):
    """How often a code is used: by `n` clips (or tracks), and their share."""

    book: int
    code: int
    n: int
    share: float


class CodebookModel(BaseModel):
    """The use of all codes, counted over `n` clips (or tracks, as `of` says). The shares of a book add up to 1."""

    index: str
    model: str
    of: Literal["clips", "tracks"]
    n: int
    books: int
    codebook_size: int
    codes: list[CodeUse]


class NearClip(BaseModel):
    """A clip that has the code; of a track as a whole, `clip` and `start_s` are null."""

    track_id: str
    clip: int | None
    start_s: float | None
    distance: float


class CodeModel(BaseModel):
    """A code: the clips nearest to it, and its mel; `mean_mel` is the same with the mean of its book in its place."""

    index: str
    model: str
    of: Literal["clips", "tracks"]
    n: int
    share: float
    clips: list[NearClip]
    mel: str
    mean_mel: str


class FramesModel(BaseModel):
    """Decoded mels.

    `values`: of a sweep the values of the dimension, of a way the shares of it. `track_value`: the track's own value.
    `columns`: how many frames a row of a picture has.
    """

    index: str
    model: str
    width: int
    height: int
    columns: int
    frames: list[str]
    values: list[float] | None
    track_value: float | None


@router.get("/codebook", responses={200: {"model": CodebookModel}, 404: {}})
async def codebook(request: Request, of: Of = None) -> Response:
    """How often each code of the model's codebook is used."""
    require_pipeline()
    return await _answer(request, ("codebook", of), lambda library: usage(library, of))


@router.get("/codebook/{book}/{code}", responses={200: {"model": CodeModel}, 404: {}})
async def code(request: Request, book: BookPath, code: CodePath, k: Clips = 12, of: Of = None) -> Response:
    """One code: the clips nearest to it, and what the decoder makes of it."""
    require_pipeline()

    def describe(library: Library) -> dict[str, Any]:
        found = describe_code(library, book, code, k, of)
        return {**found, "mel": _mel(found["mel"]), "mean_mel": _mel(found["mean_mel"])}

    return await _answer(request, ("code", book, code, k, of), describe)


@router.post("/latent:decode", responses={200: {"model": FramesModel}, 404: {}})
async def decode(request: Request, body: DecodeRequest) -> Response:
    """What the decoder makes of a track, of the way between two, of a sweep of one dimension, or of a grid."""
    require_pipeline()

    def decoded(library: Library) -> dict[str, Any]:
        places = _places(body, library)
        return {
            "width": N_FRAMES,
            "height": N_MELS,
            "columns": places.columns,
            "frames": [_mel(mel) for mel in places.decode(library)],
            "values": None if places.values is None else places.values.tolist(),
            "track_value": places.track_value,
        }

    return await _answer(request, ("decode", body.model_dump_json()), decoded)


@router.post("/latent:listen", responses={200: _SOUND, 404: {}}, response_class=Response)
async def listen(request: Request, body: ListenRequest) -> Response:
    """A decoded mel as 3 s of MP3: an illustration, no track sounds like it."""
    require_pipeline()
    key = ("listen", body.model_dump_json())
    content = await _computed(request, key, lambda library: make_audible(_heard(body, library)))
    return Response(content, media_type="audio/mpeg", headers=_HEADERS)


def _heard(body: ListenRequest, library: Library) -> np.ndarray:
    """The mel that is meant, (128, 130)."""
    if body.book is not None and body.code is not None:
        check_book(library, body.book, body.code)
        return decode_one_code(library, codes_of(library).counts, body.book, body.code)[0]
    places = _places(body, library)
    if body.frame >= len(places.places):
        raise Problem(422, f"frame {body.frame} of {len(places.places)}", where="frame", action="count from 0")
    one = places.places[body.frame : body.frame + 1]
    return type(places)(one, places.space).decode(library)[0]


def _places(body: DecodeRequest, library: Library) -> Any:
    if body.grid is not None and not is_two_dimensional(library):
        action = "train a model with two dimensions (model: vae_2d)"
        raise Problem(404, f"{library.model_ref} has no latent space of two dimensions", kind="no-grid", action=action)
    return body.places(library)


async def _answer(request: Request, key: tuple, function: Callable[[Library], dict[str, Any]]) -> Response:
    names = served_of(request).names
    return respond_encoded(await _computed(request, key, lambda library: encode({**names, **function(library)})))


async def _computed(request: Request, key: tuple, make: Callable[[Library], bytes]) -> bytes:
    """What was computed before, or is computed now, where uploads are."""

    def kept(library: Library) -> bytes:
        return _answers.get((library.store.root, library.index_ref, *key), lambda: make(library))

    try:
        return await call(request, "decode", kept)
    except NoCodebookError as error:
        detail, _, action = str(error).rpartition("; ")
        raise Problem(404, detail, action=action, kind="no-codebook") from error
    except ModelError as error:
        raise Problem(503, str(error), action="try again later", kind="not-decoded") from error


def _mel(mel: np.ndarray) -> str:
    return base64.b64encode(mel.tobytes()).decode()
