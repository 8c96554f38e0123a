"""`/rest/...[.view]`: ping, getOpenSubsonicExtensions, tokenInfo, getSonicSimilarTracks and findSonicPath.

Conventions
-----------
- GET and POST, and HTTP status 200 also for errors, which the clients read from the answer. 404: no such method here;
  5xx: this server cannot answer anybody now.
- IDs are the client's own (`ServeConfig.namespace`), and so is what an answer contains.
- "At most": of more than `MAX_MATCHES` or `MAX_PATH`, that many come back.

Source: https://opensubsonic.netlify.app/docs/extensions/sonicsimilarity/
"""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request, Response

from audioae.api import Library
from audioae.errors import NoMatchError, SearchError
from audioae.serve.opensubsonic.envelope import GENERIC, NOT_FOUND, FailedError, answer, check_format, failure
from audioae.serve.opensubsonic.parameters import (
    Parameters,
    authenticate,
    check_client,
    has_valid_key,
    read_parameters,
    require,
    whole_number,
)
from audioae.serve.opensubsonic.songs import matches
from audioae.serve.problems import problem_of
from audioae.serve.requests import call, service_of
from audioae.similarity.search import Options
from audioae.similarity.seeds import TrackSeed

router = APIRouter()

EXTENSIONS = {"apiKeyAuthentication": [1], "formPost": [1], "sonicSimilarity": [1]}
MAX_MATCHES, MAX_PATH = 1000, 500

Payload = dict[str, Any]


async def ping(request: Request, parameters: Parameters, name: str) -> Payload:
    """The server answers."""
    return {}


async def extensions(request: Request, parameters: Parameters, name: str) -> Payload:
    """What this server can do beyond Subsonic."""
    return {"openSubsonicExtensions": [{"name": name, "versions": versions} for name, versions in EXTENSIONS.items()]}


async def token_info(request: Request, parameters: Parameters, name: str) -> Payload:
    """Whose key it is."""
    return {"tokenInfo": {"username": name}}


async def similar_tracks(request: Request, parameters: Parameters, name: str) -> Payload:
    """The tracks that sound most like one, closest first."""
    client_id = require(parameters, "id")
    count = min(whole_number(parameters, "count", 10, least=0), MAX_MATCHES)
    namespace = service_of(request).config.namespace

    def find(library: Library) -> list[Payload]:
        ids = library.client_ids(namespace)
        seed = TrackSeed(ids.track_id(client_id))
        if not count:
            return []
        try:
            neighbors = library.similar(seed, count, options=Options(filters=ids.filters)).neighbors
        except NoMatchError:
            return []
        return matches(ids, [n.track_id for n in neighbors], [n.score for n in neighbors])

    return {"sonicMatch": await call(request, "search", find)}


async def path(request: Request, parameters: Parameters, name: str) -> Payload:
    """Tracks that lead from one to another, in order."""
    ends = require(parameters, "startSongId"), require(parameters, "endSongId")
    count = min(whole_number(parameters, "count", 25, least=1), MAX_PATH)
    namespace = service_of(request).config.namespace

    def find(library: Library) -> list[Payload]:
        ids = library.client_ids(namespace)
        start, end = (ids.track_id(client_id) for client_id in ends)
        steps = library.sonic_path(start, end, count, filters=ids.filters)
        return matches(ids, steps.track_ids, steps.to_start)

    return {"sonicMatch": await call(request, "jobs", find)}


METHODS: dict[str, Callable[[Request, Parameters, str], Awaitable[Payload]]] = {
    "ping": ping,
    "getOpenSubsonicExtensions": extensions,
    "tokenInfo": token_info,
    "getSonicSimilarTracks": similar_tracks,
    "findSonicPath": path,
}


async def rest(request: Request) -> Response:
    """Any method, known or not."""
    parameters: Parameters = dict(request.query_params)
    method = request.scope["path"].rpartition("/")[2].removesuffix(".view")
    try:
        parameters = await read_parameters(request)
        check_format(parameters, has_key=has_valid_key(request, parameters))
        return answer(await _payload(request, method, parameters), parameters)
    except FailedError as error:
        return failure(error, parameters)


for _path in (*(f"/rest/{name}{end}" for name in METHODS for end in ("", ".view")), "/rest/{method}"):
    router.add_api_route(_path, rest, methods=["GET", "POST"], include_in_schema=False)


async def _payload(request: Request, method: str, parameters: Parameters) -> Payload:
    if method == "getOpenSubsonicExtensions":  # for everybody, says the specification
        return await extensions(request, parameters, "")
    check_client(parameters)
    name = authenticate(request, parameters)
    if method not in METHODS:
        raise FailedError(GENERIC, f"{method}: this server has {', '.join(METHODS)} only", status=404)
    try:
        return await METHODS[method](request, parameters, name)
    except Exception as error:
        problem = problem_of(error)
        if problem is None:
            raise
        code = NOT_FOUND if isinstance(error, SearchError) else GENERIC
        status = problem.status if problem.status >= 500 else 200
        raise FailedError(code, str(error), status=status, headers=problem.headers) from None
