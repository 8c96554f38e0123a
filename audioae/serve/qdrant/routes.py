"""All of Qdrant's paths, those that are refused last."""

from fastapi import APIRouter

from audioae.serve.qdrant import collections, points, refused

router = APIRouter()
for part in (collections.router, points.router, refused.router):
    router.include_router(part)
