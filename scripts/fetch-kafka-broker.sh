#!/usr/bin/env bash
# Fetches a broker of Apache Kafka with Maven, once, into the cache of the user, and prints the directory of its jars. Java 17 runs it:
# test/harness/kafka-broker.ts.
set -euo pipefail

version=4.3.1
home=${QUORATE_KAFKA_BROKER_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/quorate/kafka-broker-$version}

if [ ! -f "$home/kafka_2.13-$version.jar" ]; then
  mkdir -p "$(dirname "$home")"
  # Beside its place: it is moved there when it is complete.
  work=$(mktemp -d "$home.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  cat >"$work/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>quorate.test</groupId>
  <artifactId>broker</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>$version</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-slf4j-impl</artifactId>
      <version>2.24.3</version>
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
