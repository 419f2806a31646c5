# A Redis from Debian packages, where the public image cannot be pulled. scripts/with-docker.sh builds it.
ARG BASE
FROM ${BASE}
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends redis-server redis-tools && rm -rf /var/lib/apt/lists/*
USER redis
WORKDIR /var/lib/redis
CMD ["redis-server", "--protected-mode", "no"]
