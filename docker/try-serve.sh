#!/usr/bin/env bash
# Build the image `serve`, serve a store from it, ask for its index, and end it. Usage: docker/try-serve.sh STORE
set -euo pipefail
store=$(realpath "${1:?usage: docker/try-serve.sh STORE}")
cd "$(dirname "$0")/.."
docker info >/dev/null 2>&1 || { echo "no docker daemon answers here; nothing was built" >&2; exit 2; }

docker build --target serve -t audioae-serve .
docker run --rm --entrypoint python audioae-serve -c \
    "import importlib.util as u, sys; sys.exit('torch is in the image' if u.find_spec('torch') else 0)"
key=$(head -c 32 /dev/urandom | sha256sum | cut -d' ' -f1)
hash=$(printf %s "$key" | sha256sum | cut -d' ' -f1)
id=$(docker run -d --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
    -p 127.0.0.1::8000 -v "$store:/data:ro" -e AUDIOAE_API_KEYS="try:$hash" audioae-serve)
trap 'docker rm -f "$id" >/dev/null' EXIT
url=http://$(docker port "$id" 8000)
for _ in $(seq 60); do curl -fs "$url/readyz" >/dev/null && break; sleep 1; done
[ "$(curl -s -o /dev/null -w '%{http_code}' "$url/v1/index")" = 401 ]
curl -fs -H "X-API-Key: $key" "$url/v1/index"
echo
start=$(date +%s)
docker stop -t 10 "$id" >/dev/null
echo "ended after $(($(date +%s) - start)) s, exit status $(docker inspect -f '{{.State.ExitCode}}' "$id")"
