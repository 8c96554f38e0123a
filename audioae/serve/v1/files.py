"""`POST /v1/similar:file` and `POST /v1/embed`: questions about one uploaded audio file.

Conventions
-----------
- The file is decoded and embedded in a process of its own, which is killed if it takes too long or needs too much
  memory (`pipeline.embed_outside`): the server imports no decoder and no torch.
- A file that cannot be used is a 422 whose `type` names the reason: `urn:audioae:audio-truncated`.
"""

from importlib.util import find_spec
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, ValidationError

from audioae.api import Library
from audioae.constants import EMBEDDING_DIM
from audioae.errors import NoMatchError
from audioae.pipeline.config import OutsideLimits
from audioae.serve.models import MAX_K, OptionsModel
from audioae.serve.problems import validation_problem
from audioae.serve.requests import call, respond, service_of
from audioae.serve.uploads import FORM, Upload
from audioae.serve.v1.similar import Minus, SimilarAnswer, as_json
from audioae.similarity.answer import Answer
from audioae.similarity.seeds import FileSeed

router = APIRouter(prefix="/v1", tags=["files"])

NEEDED = ("torch", "soundfile", "soxr", "av", "numba", "safetensors")
"""Modules that decoding and embedding import: the extra `pipeline`."""


class SimilarFileOptions(OptionsModel):
    """What `POST /v1/similar` takes, without its seeds: the file is the seed."""

    minus: Minus = Field(default=(), validate_default=False)  # pyright: ignore[reportAssignmentType]
    k: Annotated[int, Field(ge=1, le=MAX_K)] = 10


class FileModel(BaseModel):
    """The uploaded file: the client's name of it, and the track that it is, byte for byte, if it is one."""

    name: str
    track_id: str | None = None


class SimilarFileAnswer(SimilarAnswer):
    file: FileModel


class EmbedAnswer(BaseModel):
    """A file as the catalog would contain it.

    `health` has the evidence of faults by the names of the dataset `health`; `padded`: shorter than a clip (3 s).
    """

    index: str
    model: str
    file: FileModel
    embedding: Annotated[list[float], Field(min_length=EMBEDDING_DIM, max_length=EMBEDDING_DIM)]
    n_clips: int
    duration_s: float
    padded: bool
    reconstruction_error: float
    spread: float
    health: dict[str, Any]


def _body(properties: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI form of an upload."""
    file = {"type": "string", "format": "binary", "description": "An audio file, or a video file with sound."}
    form = {"type": "object", "properties": {"file": file, **properties}, "required": ["file"]}
    content = {
        FORM: {"schema": {**form, "additionalProperties": False}},
        "audio/*": {"schema": file},
        "application/octet-stream": {"schema": file},
    }
    return {"requestBody": {"required": True, "content": content}}


_OPTIONS = {
    "options": {
        "type": "string",
        "contentMediaType": "application/json",
        "description": "JSON: what /v1/similar takes (k, minus, filters, diversity ...), without seeds. "
        "With a body that is the file itself, it is a parameter of the query.",
        "examples": ['{"k": 5, "filters": {"label": "jazz"}}'],
    }
}


@router.post("/similar:file", responses={200: {"model": SimilarFileAnswer}}, openapi_extra=_body(_OPTIONS))
async def similar_file(request: Request) -> Response:
    """The `k` tracks that sound most like an uploaded file. Copies of it in the catalog are left out."""
    require_pipeline()
    async with service_of(request).uploads.receive(request) as upload:
        options = _parsed(upload.options)
        limits = _limits(request)
        answer = await call(request, "decode", lambda library: _similar(library, upload, options, limits))
    track_id = answer.seeds[0].track_id if answer.seeds else None
    return respond(request, {"file": {"name": upload.name, "track_id": track_id}, **as_json(answer)})


@router.post("/embed", responses={200: {"model": EmbedAnswer}}, openapi_extra=_body({}))
async def embed(request: Request) -> Response:
    """The embedding of an uploaded file, by the model of the index, and the evidence of its faults."""
    require_pipeline()
    async with service_of(request).uploads.receive(request) as upload:
        if upload.options is not None:
            raise validation_problem([{"type": "extra_forbidden", "msg": "not an option", "loc": ("options",)}])
        path, name, limits = upload.path, upload.name, _limits(request)
        found = await call(request, "decode", lambda library: library.embed(path, name=name, limits=limits))
    columns = {column: getattr(found, column) for column in EmbedAnswer.model_fields if hasattr(found, column)}
    return respond(request, {"file": {"name": name, "track_id": None}, **columns})


def require_pipeline() -> None:
    """Raise `ModuleNotFoundError`, a 501, before a body is read that cannot be decoded here."""
    for name in NEEDED:
        if find_spec(name) is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def _parsed(options: str | None) -> SimilarFileOptions:
    try:
        return SimilarFileOptions.model_validate_json(options or "{}")
    except ValidationError as error:
        raise validation_problem([{**e, "loc": ("options", *e["loc"])} for e in error.errors()]) from None


def _similar(library: Library, upload: Upload, options: SimilarFileOptions, limits: OutsideLimits) -> Answer:
    seed = FileSeed(upload.path, name=upload.name, limits=limits)
    minus = [seed.to_seed() for seed in options.minus]
    try:
        return library.similar(seed, options.k, minus=minus, options=options.to_options())
    except NoMatchError as error:
        return Answer([], [], 0, str(error))


def _limits(request: Request) -> OutsideLimits:
    limits = service_of(request).config.limits
    return OutsideLimits(
        timeout_s=limits.decode_s,
        memory_mb=limits.decode_memory_mb,
        max_s=limits.audio_s,
        max_sample_rate=limits.sample_rate,
        max_channels=limits.channels,
    )
