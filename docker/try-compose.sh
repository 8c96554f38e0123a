#!/usr/bin/env bash
# Build all images, start docker/compose.yaml on a folder of music, run its deployment, ask the service, and remove it
# all again. Usage: docker/try-compose.sh MUSIC
set -euo pipefail
MUSIC=$(realpath "${1:?usage: docker/try-compose.sh MUSIC}")
cd "$(dirname "$0")/.."
docker info >/dev/null 2>&1 || { echo "no docker daemon answers here; nothing was built" >&2; exit 2; }
docker compose version >/dev/null 2>&1 || { echo "docker has no compose here; nothing was built" >&2; exit 2; }

random() { head -c 32 /dev/urandom | sha256sum | cut -d' ' -f1; }
key=$(random)
S3_PASSWORD=$(random)
PREFECT_DB_PASSWORD=$(random)
AUDIOAE_API_KEYS="try:$(printf %s "$key" | sha256sum | cut -d' ' -f1)"
export MUSIC S3_PASSWORD PREFECT_DB_PASSWORD AUDIOAE_API_KEYS
compose() { docker compose --project-name audioae-try --file docker/compose.yaml "$@"; }
trap 'compose down --volumes --timeout 10' EXIT

compose up --build --detach
compose exec worker audioae doctor /etc/audioae/config.yaml
compose exec worker prefect deployment run --watch pipeline/nightly
compose exec worker audioae runs --store "s3://audioae/store?endpoint_override=s3:9000&scheme=http"
for _ in $(seq 60); do curl -fs http://127.0.0.1:8000/readyz >/dev/null && break; sleep 1; done
curl -fs -H "X-API-Key: $key" http://127.0.0.1:8000/v1/index
echo
