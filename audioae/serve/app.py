"""The application: its routes, its middleware, and its errors."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from audioae import __version__
from audioae.serve import docs, health, metrics
from audioae.serve.access_log import AccessLog, Recorder
from audioae.serve.audiomuse import endpoints as audiomuse
from audioae.serve.auth import Authentication
from audioae.serve.bodies import Bodies
from audioae.serve.direct import call_directly
from audioae.serve.explore import routes as explore
from audioae.serve.opensubsonic import endpoints as opensubsonic
from audioae.serve.problems import PROBLEMS, add_handlers
from audioae.serve.qdrant import routes as qdrant
from audioae.serve.service import Service
from audioae.serve.v1 import files, findings, index, playlist, recommend, similar, tracks

ROUTERS: tuple[APIRouter, ...] = (
    similar.router,
    files.router,
    playlist.router,
    recommend.router,
    tracks.router,
    findings.router,
    qdrant.router,
    audiomuse.router,
    opensubsonic.router,
    index.router,
    *explore.ROUTERS,
    health.router,
    metrics.router,
    docs.router,
)

_CORS = {"allow_methods": ("GET", "POST"), "allow_headers": ("*",), "expose_headers": ("X-Request-ID",)}


class App(FastAPI):
    """An application whose every answer is recorded, those of its own errors too."""

    access_log: AccessLog | None = None

    def openapi(self) -> dict[str, Any]:
        """The document of the API: with the header that a key is sent in, and a sentence for every operation."""
        if self.openapi_schema is None:
            document = super().openapi()
            document["components"]["securitySchemes"] = {"key": {"type": "apiKey", "in": "header", "name": "X-API-Key"}}
            document["security"] = [{"key": []}, {}]
            for operation in (one for verbs in document["paths"].values() for one in verbs.values()):
                operation["summary"] = operation.get("description", "").partition("\n")[0].removesuffix(".")
        return self.openapi_schema or {}

    def build_middleware_stack(self) -> ASGIApp:
        return Recorder(super().build_middleware_stack(), self.state.service.metrics, self.access_log)


def create_app(service: Service, access_log: AccessLog | None = None) -> FastAPI:
    """The application of one process."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        beside = [asyncio.create_task(one) for one in service.beside()]
        yield
        for task in beside:
            task.cancel()
        service.close()

    app = App(
        title="audioae",
        version=__version__,
        description="A music catalog, searchable by sound.",
        lifespan=lifespan,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # asking for it takes 15 us a request
        docs_url=None,
        redoc_url=None,
    )
    app.state.service, app.access_log = service, access_log
    app.add_middleware(Bodies, limits=service.config.limits)
    app.add_middleware(Authentication, keys=lambda: service.keys)
    if service.config.cors:
        app.add_middleware(CORSMiddleware, allow_origins=service.config.cors, **_CORS)
    for router in ROUTERS:
        app.include_router(router, responses=PROBLEMS if router.prefix == "/v1" else None)
    add_handlers(app)
    call_directly(app)
    return app
