"""The endpoints of the explorer: the application adds them after those of the API."""

from fastapi import APIRouter

from audioae.serve.explore import map

ROUTERS: tuple[APIRouter, ...] = (map.router,)
