"""The endpoints of the explorer: the application adds them after those of the API."""

from fastapi import APIRouter

ROUTERS: tuple[APIRouter, ...] = ()
