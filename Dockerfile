# audioae as containers. `docker build --target TARGET -t audioae-TARGET .`, where TARGET is
#
#   serve     serves a store (docs/serve-deploy.md). EXTRAS=serve has no PyTorch, because a query needs none;
#             EXTRAS=serve,pipeline also embeds uploaded audio files.
#   pipeline  makes a store: runs, Prefect's server and workers, Dask's scheduler and workers (docs/operate.md).
#   gpu       the same on NVIDIA GPUs: PyTorch brings CUDA, so the host needs a driver and the NVIDIA container toolkit.
#
# Without a GPU, an index with the CPU builds of PyTorch makes the image 5 GB smaller:
# `--build-arg PIP_EXTRA_INDEX_URL=...`. docker/try-serve.sh and docker/try-compose.sh build and try all of it.

FROM python:3.12-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY pyproject.toml README.md LICENSE hatch_build.py ./
COPY audioae ./audioae
COPY configs ./configs
RUN python -m venv /opt/audioae

FROM build AS build-serve
ARG EXTRAS=serve
RUN /opt/audioae/bin/pip install ".[${EXTRAS}]"

FROM build AS build-pipeline
ARG PIP_EXTRA_INDEX_URL=
RUN /opt/audioae/bin/pip install ".[pipeline,dask,s3]"

FROM python:3.12-slim-bookworm AS base
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin audioae \
    && install --directory --owner=10001 --group=10001 /data /work
ENV PATH=/opt/audioae/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    AUDIOAE_STORE=/data \
    AUDIOAE_CACHE=/tmp/audioae-cache
USER 10001:10001

FROM base AS serve
COPY --from=build-serve /opt/audioae /opt/audioae
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
ENTRYPOINT ["audioae", "serve", "--host", "0.0.0.0", "--port", "8000"]
CMD ["--follow", "10"]

# No entry point: a worker of a Prefect pool of type docker starts what it wants in it.
FROM base AS pipeline
COPY --from=build-pipeline /opt/audioae /opt/audioae
ENV HOME=/tmp \
    PREFECT_HOME=/tmp/prefect \
    PREFECT_SERVER_ANALYTICS_ENABLED=false \
    NUMBA_CACHE_DIR=/tmp/numba \
    MPLCONFIGDIR=/tmp/matplotlib
WORKDIR /work
CMD ["audioae", "--help"]

FROM pipeline AS gpu
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
