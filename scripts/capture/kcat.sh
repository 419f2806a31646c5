#!/bin/sh
# What an older librdkafka says: kcat lists the cluster and is a member of a group for some seconds.
# Usage: kcat.sh KCAT BOOTSTRAP
kcat=$1
bootstrap=$2
"$kcat" -b "$bootstrap" -L -t tenants >/dev/null
timeout --signal=INT 5 "$kcat" -b "$bootstrap" -X session.timeout.ms=3000 -X heartbeat.interval.ms=300 \
  -X auto.commit.interval.ms=500 -X fetch.wait.max.ms=200 -G billing tenants >/dev/null 2>&1
"$kcat" -b "$bootstrap" -Q -t tenants:0:-1 >/dev/null
exit 0
