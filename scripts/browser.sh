#!/bin/bash
# Chromium, in which the acceptance suite looks at viewer and EMR: Debian's, or Playwright's own build where the distribution has none
# (Ubuntu's is a snap); and certutil, by which it is told whom to trust. Needs the virtualenv; does nothing where they are there.
set -eu
export DEBIAN_FRONTEND=noninteractive
playwright="$(dirname "$0")/../.venv/bin/playwright"
missing=()
[ -n "$(type -P certutil)" ] || missing+=(libnss3-tools)
if grep -q '^ID=ubuntu' /etc/os-release; then
  own=$("$playwright" install --list 2>/dev/null | grep '/chromium-' || true)
else
  own=none
  [ -x /usr/bin/chromium ] || missing+=(chromium fonts-dejavu-core)
fi
[ ${#missing[@]} -gt 0 ] || [ -z "$own" ] || exit 0
if [ ${#missing[@]} -gt 0 ]; then
  if ! command -v apt-get >/dev/null; then
    echo "Viewer and EMR are proved in Chromium at /usr/bin/chromium, with NSS' certutil: install what is missing of both." >&2
    exit 1
  fi
  echo "installing ${missing[*]}, by which viewer and EMR are proved (a minute)"
  ${SUDO:-} apt-get update -qq
  ${SUDO:-} apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
if [ -z "$own" ]; then
  echo "installing Playwright's Chromium, in which viewer and EMR are proved (a minute)"
  ${SUDO:-} "$playwright" install-deps chromium >/dev/null
  "$playwright" install chromium >/dev/null
fi
