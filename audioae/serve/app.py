"""The application: its routes, its middleware, and its errors."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from audioae import __version__
from audioae.serve import health
from audioae.serve.problems import add_handlers
from audioae.serve.service import Service
from audioae.serve.v1 import similar

ROUTERS: tuple[APIRouter, ...] = (
    health.router,
    similar.router,
)


def create_app(service: Service) -> FastAPI:
    """The application of one process."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    app = FastAPI(
        title="audioae",
        version=__version__,
        description="A music catalog, searchable by sound.",
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.state.service = service
    for router in ROUTERS:
        app.include_router(router)
    add_handlers(app)
    return app
