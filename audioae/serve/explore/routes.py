"""The endpoints of the explorer: the application adds them after those of the API."""

from fastapi import APIRouter

from audioae.serve.explore import clips, latent, map, page, selection, spectrograms, verdicts, versions, whole_files

ROUTERS: tuple[APIRouter, ...] = (
    page.router,
    map.router,
    selection.router,
    clips.router,
    whole_files.router,
    spectrograms.router,
    verdicts.router,
    versions.router,
    latent.router,
)
