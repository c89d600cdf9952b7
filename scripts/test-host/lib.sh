# shellcheck shell=bash disable=SC2034
# Shared by install-test-host and its parts; sourced, never run.

cache=${ERRAND_TEST_CACHE:-/var/cache/errand-test-host}
mirror=${ERRAND_TEST_MIRROR:-http://deb.debian.org/debian}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export base_image=debian:bookworm-slim
export sandbox_image=errand-sandbox:latest

now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }
seconds_since() {
  local ms=$(($(now_ms) - $1))
  printf '%d.%d s' $((ms / 1000)) $((ms % 1000 / 100))
}
report() { printf '%-14s %-10s %s\n' "$1" "$2" "$3"; }
say_error() { printf 'install-test-host: %s\n' "$*" >&2; }

need_root() {
  ((EUID == 0)) && return
  say_error "$1 needs root: run this script as root once, or install it yourself"
  exit 1
}

engine_version() { timeout 10 docker version --format '{{.Server.Version}}' 2>/dev/null; }

why_no_engine() {
  local socket=/var/run/docker.sock
  if [[ -n ${DOCKER_HOST-} ]]; then echo "no engine answers at DOCKER_HOST=$DOCKER_HOST"; elif [[ -S $socket && ! -w $socket ]]; then
    echo "$(id -un 2>/dev/null || id -u) may not use $socket: join the group docker"
  else echo "no engine answers at $socket"; fi
}

usage_of_part() {
  say_error "usage: $(basename "$0") check|install"
  exit 2
}
