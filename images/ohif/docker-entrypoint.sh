#!/bin/sh
# Contract of ohif/app: nginx in the foreground on PORT, as the user nginx.
set -eu

if [ "${1:-}" != nginx ]; then
  exec "$@"
fi
case $PORT in
  '' | *[!0-9]*)
    echo "ohif refuses to start: PORT=$PORT is no port" >&2
    exit 1
    ;;
esac
# shellcheck disable=SC2016
envsubst '$PORT' </etc/nginx/nginx.conf.template >/tmp/nginx.conf
exec "$@" -c /tmp/nginx.conf
