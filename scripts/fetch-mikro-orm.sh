#!/usr/bin/env bash
# Fetches MikroORM, which the tests of its adapter use, once, into the cache of the user, and prints where it is. It is not
# among the dependencies because it declares Node 22, and `npm ci` would warn on the oldest Node that is supported.
set -euo pipefail

version=7.2.5
home=${QUORATE_MIKRO_ORM_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/quorate/mikro-orm-$version}

if [ ! -f "$home/node_modules/@mikro-orm/postgresql/index.js" ]; then
  mkdir -p "$(dirname "$home")"
  # Beside its place: it is moved there when it is complete.
  work=$(mktemp -d "$home.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  npm install --prefix "$work" --ignore-scripts --no-audit --no-fund --silent \
    "@mikro-orm/core@$version" "@mikro-orm/postgresql@$version" >&2
  mv --no-target-directory "$work" "$home"
fi
echo "$home"
