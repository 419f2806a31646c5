#!/usr/bin/env bash
# Fetches Kafka's own command line tools (kafka-topics, kafka-consumer-groups, kafka-get-offsets) with Maven, once, into the
# cache of the user, and prints the directory of their jars.
set -euo pipefail
source "$(dirname "$0")/fetch-with-maven.sh"

version=4.3.1
home=${QUORATE_KAFKA_TOOLS_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/quorate/kafka-tools-$version}
fetch_with_maven "$home" "kafka-tools-$version.jar" "org.apache.kafka:kafka-tools:$version"
echo "$home"
