#!/usr/bin/env bash
# Fetches a Valkey server for the tests of WAITAOF, which the Redis of Debian 12 does not have: the package of Debian's
# backports, or of Debian itself where it is newer, unpacked into the cache of the user and not installed. A few seconds.
# It needs the libraries that come with redis-server.
set -euo pipefail

home=${XDG_CACHE_HOME:-$HOME/.cache}/quorate/valkey
if [ ! -x "$home/valkey-server" ]; then
  mkdir -p "$(dirname "$home")"
  work=$(mktemp -d "$home.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
  archive() { apt-get indextargets --format '$(REPO_URI) $(CODENAME)' | awk -v suite="$suite" '$2 == suite { print $1; exit }'; }
  [ -n "$(archive)" ] || apt-get update -qq >&2
  archive=$(archive)
  # An apt of our own: the sources of the machine stay as they are.
  mkdir -p "$work"/apt/{etc/apt.conf.d,etc/preferences.d,state/lists/partial,cache/archives/partial}
  touch "$work/apt/status"
  for each in "$suite" "$suite-backports"; do
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $archive $each main"
  done >"$work/apt/etc/sources.list"
  cat >"$work/apt.conf" <<CONF
Dir::Etc "$work/apt/etc";
Dir::Etc::sourceparts "/dev/null";
Dir::State "$work/apt/state";
Dir::State::status "$work/apt/status";
Dir::Cache "$work/apt/cache";
APT::Sandbox::User "root";
Acquire::Languages "none";
# A mirror may be behind. The signature counts all the same.
Acquire::Check-Valid-Until "false";
CONF
  export APT_CONFIG=$work/apt.conf
  apt-get update -qq >&2
  (cd "$work" && apt-get download -qq valkey-tools >&2)
  dpkg-deb --extract "$work"/valkey-tools_*.deb "$work/files"
  mkdir "$work/valkey"
  # One program; what it is called tells it what to do.
  cp "$work/files/usr/bin/valkey-check-rdb" "$work/valkey/valkey-server"
  mv --no-target-directory "$work/valkey" "$home"
fi
"$home/valkey-server" --version >&2
echo "$home"
