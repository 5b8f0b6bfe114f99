#!/bin/bash
# Chromium, in which the acceptance suite looks at the viewer: install Debian's where /usr/bin/chromium is missing.
set -eu
[ ! -x /usr/bin/chromium ] || exit 0
if ! command -v apt-get >/dev/null || grep -q '^ID=ubuntu' /etc/os-release; then
  echo "The viewer is proved in Chromium at /usr/bin/chromium, and there is none (Ubuntu's package is a snap): install Chromium or" >&2
  echo "Google Chrome, and link it: ln -s /usr/bin/google-chrome /usr/bin/chromium" >&2
  exit 1
fi
echo "installing Chromium, in which the viewer is proved (a minute)"
export DEBIAN_FRONTEND=noninteractive
${SUDO:-} apt-get update -qq
${SUDO:-} apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null
