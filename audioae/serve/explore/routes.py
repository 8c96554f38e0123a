"""The endpoints of the explorer: the application adds them after those of the API."""

from fastapi import APIRouter

from audioae.serve.explore import clips, map, page, selection, spectrograms

ROUTERS: tuple[APIRouter, ...] = (page.router, map.router, selection.router, clips.router, spectrograms.router)
