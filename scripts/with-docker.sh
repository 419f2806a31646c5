#!/usr/bin/env bash
# Runs a command with a Docker engine and a base image for docker/Dockerfile: bash scripts/with-docker.sh COMMAND...
# Where no engine answers, Debian's is installed and started for as long as the command runs. Where the public base image
# cannot be pulled, one is made from Debian packages and this machine's Node, and images of Redis and PostgreSQL on top of it.
set -euo pipefail

if ! command -v docker >/dev/null || { ! docker info >/dev/null 2>&1 && ! command -v dockerd >/dev/null; }; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker.io iptables
fi
engine=''
scratch=$(mktemp -d)
finish() {
  if [ -n "$engine" ]; then
    kill "$engine" 2>/dev/null || true
    wait "$engine" 2>/dev/null || true
  fi
  rm -rf --one-file-system "$scratch"
}
trap finish EXIT

if ! docker info >/dev/null 2>&1; then
  dockerd >"$scratch/dockerd.log" 2>&1 &
  engine=$!
  for _ in $(seq 60); do
    docker info >/dev/null 2>&1 && break
    sleep 1
  done
  docker info >/dev/null || {
    tail -20 "$scratch/dockerd.log" >&2
    exit 1
  }
fi

public=node:24-bookworm-slim
own=quorate-test-base
if [ -z "${QUORATE_TEST_BASE_IMAGE:-}" ]; then
  if docker image inspect "$public" >/dev/null 2>&1 || timeout 120 docker pull --quiet "$public" >/dev/null 2>&1; then
    export QUORATE_TEST_BASE_IMAGE=$public
  else
    if ! docker image inspect "$own" >/dev/null 2>&1; then
      if ! command -v debootstrap >/dev/null; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap
      fi
      root=$scratch/root
      debootstrap --variant=minbase --include=ca-certificates,libstdc++6 bookworm "$root" >"$scratch/debootstrap.log" 2>&1 || {
        tail -20 "$scratch/debootstrap.log" >&2
        exit 1
      }
      rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*
      # The certificates that this machine trusts, so that npm reaches the registry as it does here.
      cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
      cp -L "$(command -v node)" "$root/usr/local/bin/node"
      mkdir -p "$root/usr/local/lib/node_modules"
      cp -RL "$(npm root --global)/npm" "$root/usr/local/lib/node_modules/npm"
      ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
      ln -s ../lib/node_modules/npm/bin/npx-cli.js "$root/usr/local/bin/npx"
      certificates='ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt'
      tar -C "$root" -c . | docker import --change "$certificates" - "$own" >/dev/null
    fi
    export QUORATE_TEST_BASE_IMAGE=$own
  fi
fi
# The same for the servers that workers write to.
own_unless_public() {
  local variable=$1 name=$2 image=$3 images
  if [ -n "${!variable:-}" ]; then return; fi
  if [ "$QUORATE_TEST_BASE_IMAGE" != "$own" ]; then return; fi
  images=$(dirname "$0")/../test/integration/images
  DOCKER_BUILDKIT=0 docker build --quiet --build-arg "BASE=$own" -f "$images/$name.Dockerfile" -t "$image" "$images" >/dev/null
  export "$variable=$image"
}
own_unless_public QUORATE_TEST_REDIS_IMAGE redis quorate-test-redis
own_unless_public QUORATE_TEST_POSTGRES_IMAGE postgres quorate-test-postgres
# The helper container of testcontainers cannot be pulled where the base image cannot.
if [ "$QUORATE_TEST_BASE_IMAGE" = "$own" ]; then export TESTCONTAINERS_RYUK_DISABLED=true; fi

"$@"
