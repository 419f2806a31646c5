#!/usr/bin/env bash
# Fetches Kafka's own command line tools (kafka-topics, kafka-consumer-groups, kafka-get-offsets) with Maven, once, into the
# cache of the user, and prints the directory of their jars.
set -euo pipefail

version=4.3.1
home=${QUORATE_KAFKA_TOOLS_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/quorate/kafka-tools-$version}

if [ ! -f "$home/kafka-tools-$version.jar" ]; then
  mkdir -p "$(dirname "$home")"
  # Beside its place: it is moved there when it is complete.
  work=$(mktemp -d "$home.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  cat >"$work/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>quorate.test</groupId>
  <artifactId>tools</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka-tools</artifactId>
      <version>$version</version>
    </dependency>
  </dependencies>
</project>
POM
  timeout 600 mvn -q -B -f "$work/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
    -DoutputDirectory="$work" >&2
  mv --no-target-directory "$work" "$home"
  trap - EXIT
fi
echo "$home"
