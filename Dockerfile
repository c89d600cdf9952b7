# The server. The image that tasks run in is another one: src/sandbox/image/Dockerfile.
# Not Node 24 yet: compiled with the headers of 24.19 or later, better-sqlite3 12 aborts when statements are collected.
ARG BUILD_IMAGE=node:22-bookworm
ARG RUNTIME_IMAGE=node:22-bookworm-slim

FROM ${BUILD_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci
COPY . .
# All that runs: the bundle, and the SQLite addon where the bundle looks for it.
RUN npm run build \
 && mkdir -p /app/dist /app/node_modules/better-sqlite3/build/Release \
 && cp dist/errand.mjs /app/dist/ \
 && cp LICENSE /app/ \
 && cp node_modules/better-sqlite3/build/Release/better_sqlite3.node /app/node_modules/better-sqlite3/build/Release/

FROM ${RUNTIME_IMAGE}
# git and ssh for the server's own clones and pushes.
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ca-certificates git openssh-client \
 && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log \
 && install -d -o 1000 -g 1000 -m 0700 /data
COPY --from=build /app /app

ENV NODE_ENV=production \
    ERRAND_HOST=0.0.0.0 \
    ERRAND_PORT=8787 \
    ERRAND_DATA_DIR=/data
VOLUME /data
WORKDIR /data
USER 1000:1000
EXPOSE 8787
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.ERRAND_PORT}/healthz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/dist/errand.mjs"]
CMD ["serve"]
