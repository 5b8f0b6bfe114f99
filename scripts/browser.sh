#!/bin/bash
# Chromium, in which the acceptance suite looks at the viewer: Debian's, or Playwright's own build where the distribution has none
# (Ubuntu's is a snap). Needs the virtualenv; does nothing where one is there.
set -eu
[ ! -x /usr/bin/chromium ] || exit 0
export DEBIAN_FRONTEND=noninteractive
playwright="$(dirname "$0")/../.venv/bin/playwright"
if grep -q '^ID=ubuntu' /etc/os-release; then
  "$playwright" install --list 2>/dev/null | grep -q '/chromium-' && exit 0
  echo "installing Playwright's Chromium, in which the viewer is proved (a minute)"
  ${SUDO:-} "$playwright" install-deps chromium >/dev/null
  "$playwright" install chromium >/dev/null
  exit 0
fi
if ! command -v apt-get >/dev/null; then
  echo "The viewer is proved in Chromium at /usr/bin/chromium, and there is none: install it." >&2
  exit 1
fi
echo "installing Chromium, in which the viewer is proved (a minute)"
${SUDO:-} apt-get update -qq
${SUDO:-} apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null
