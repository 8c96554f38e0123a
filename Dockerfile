# audioae as a container that serves a store:
#
#     docker build --target serve -t audioae-serve .
#     docker run --read-only --tmpfs /tmp -p 8000:8000 -v /srv/store:/data:ro -e AUDIOAE_API_KEYS="me:<sha256>" audioae-serve
#
# EXTRAS=serve has no PyTorch (a query needs none); EXTRAS=serve,pipeline also embeds uploaded audio files.
# docker/try-serve.sh builds it and asks it a question.

FROM python:3.12-slim-bookworm AS build
ARG EXTRAS=serve
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY audioae ./audioae
COPY configs ./configs
RUN python -m venv /opt/audioae && /opt/audioae/bin/pip install ".[${EXTRAS}]"

FROM python:3.12-slim-bookworm AS serve
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin audioae
COPY --from=build /opt/audioae /opt/audioae
ENV PATH=/opt/audioae/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    AUDIOAE_STORE=/data \
    AUDIOAE_CACHE=/tmp/audioae-cache
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
ENTRYPOINT ["audioae", "serve", "--host", "0.0.0.0", "--port", "8000"]
CMD ["--follow", "10"]
