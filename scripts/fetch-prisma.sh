#!/usr/bin/env bash
# Fetches the command line of Prisma, which generates the client that the tests of its adapter use, once, into the cache of
# the user, and prints where it is. It is not among the dependencies because it brings 200 MB that nothing else needs.
set -euo pipefail

version=7.10.1
home=${QUORATE_PRISMA_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/quorate/prisma-$version}

if [ ! -f "$home/node_modules/prisma/build/index.js" ]; then
  mkdir -p "$(dirname "$home")"
  # Beside its place: it is moved there when it is whole.
  work=$(mktemp -d "$home.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  # Without install scripts: they would download an engine for migrations.
  npm install --prefix "$work" --ignore-scripts --no-audit --no-fund --silent "prisma@$version" >&2
  mv --no-target-directory "$work" "$home"
fi
echo "$home"
