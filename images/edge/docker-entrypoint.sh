#!/bin/bash
# Contract of the official haproxy image: options alone mean haproxy, and haproxy runs as master and worker in the foreground, so that
# SIGUSR2 reloads and SIGUSR1 drains.
set -eu

if [[ ${1:-} = -* ]]; then
  set -- haproxy "$@"
fi
if [ "${1:-}" = haproxy ]; then
  shift
  set -- haproxy -W -db "$@"
fi
exec "$@"
