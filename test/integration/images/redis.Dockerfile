# A Redis from Debian packages, where the public image cannot be pulled. scripts/with-docker.sh builds it.
ARG BASE
FROM ${BASE}
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends redis-server redis-tools && rm -rf /var/lib/apt/lists/*
RUN install -d -o redis -g redis /data
USER redis
WORKDIR /data
CMD ["redis-server", "--protected-mode", "no"]
