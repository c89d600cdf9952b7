# The server: Debian, git, and the single executable. `npm run image` makes both; the image that tasks run in is another
# one (src/sandbox/image/Dockerfile).
FROM debian:bookworm-slim

# git and ssh are for the server's own clones and pushes, tini for what nobody waits for.
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ca-certificates git openssh-client tini \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/log/apt /var/log/dpkg.log \
 && install -d -o 1000 -g 1000 -m 0700 /data

COPY dist/errand /usr/local/bin/errand
COPY LICENSE /usr/share/doc/errand/copyright

# HOME holds the SQLite addon, which the system can only load from a file.
ENV HOME=/data \
    ERRAND_HOST=0.0.0.0 \
    ERRAND_PORT=8787 \
    ERRAND_DATA_DIR=/data
VOLUME /data
WORKDIR /data
USER 1000:1000
EXPOSE 8787
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
  CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/$ERRAND_PORT && printf 'GET /healthz HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && grep -q '\"ok\"' <&3"]
ENTRYPOINT ["tini", "--", "errand"]
CMD ["serve"]
