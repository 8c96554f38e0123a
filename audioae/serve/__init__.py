"""`audioae serve`: the library over HTTP. FastAPI and uvicorn have their door in this package."""
