#!/bin/bash
# Chromium, in which the acceptance suite looks at the viewer: install Debian's where /usr/bin/chromium is missing.
set -eu
[ ! -x /usr/bin/chromium ] || exit 0
if ! command -v apt-get >/dev/null; then
  echo "Chromium is missing at /usr/bin/chromium, and the viewer is proved in it: install it" >&2
  exit 1
fi
echo "installing Chromium, in which the viewer is proved (a minute)"
export DEBIAN_FRONTEND=noninteractive
${SUDO:-} apt-get update -qq
${SUDO:-} apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null
