"""The endpoints of the explorer: the application adds them after those of the API."""

from fastapi import APIRouter

from audioae.serve.explore import clips, latent, map, page, selection, spectrograms, verdicts, versions

ROUTERS: tuple[APIRouter, ...] = (
    page.router,
    map.router,
    selection.router,
    clips.router,
    spectrograms.router,
    verdicts.router,
    versions.router,
    latent.router,
)
