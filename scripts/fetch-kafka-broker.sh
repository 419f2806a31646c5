#!/usr/bin/env bash
# Fetches a broker of Apache Kafka with Maven, once, into the cache of the user, and prints the directory of its jars. Java 17 runs it:
# test/harness/kafka-broker.ts.
set -euo pipefail
source "$(dirname "$0")/fetch-with-maven.sh"

version=4.3.1
home=${QUORATE_KAFKA_BROKER_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/quorate/kafka-broker-$version}
fetch_with_maven "$home" "kafka_2.13-$version.jar" \
  "org.apache.kafka:kafka_2.13:$version" org.apache.logging.log4j:log4j-slf4j-impl:2.24.3
echo "$home"
