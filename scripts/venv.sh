#!/bin/bash
# Make the virtualenv and install locked requirements: venv.sh PYTHON FOLDER REQUIREMENTS. Root's part goes through $SUDO.
set -eu
python=$1 folder=$2 requirements=$3
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "$python is $("$python" -V 2>&1); Python 3.11 or newer is needed: make PYTHON=/path/to/python3.12 …" >&2
  exit 1
}
# One at a time (this file is the lock), and what was not finished is made anew: pip trusts a package of which it finds half.
exec 9<"$0"
flock --nonblock 9 || {
  echo "waiting for another run that makes $folder"
  flock 9
}
if [ ! -e "$folder/.finished" ]; then
  if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    package=$("$python" -c 'import sys; print("python3.%d-venv" % sys.version_info[1])')
    if ! command -v apt-get >/dev/null || ! { [ "$(id -u)" = 0 ] || ${SUDO:-false} true; } 2>/dev/null; then
      echo "$python lacks the venv module: apt-get install $package" >&2
      exit 1
    fi
    echo "installing $package, which the virtualenv needs"
    export DEBIAN_FRONTEND=noninteractive
    ${SUDO:-} apt-get update -qq
    ${SUDO:-} apt-get install -y -qq --no-install-recommends "$package" >/dev/null
  fi
  echo "making the virtualenv $folder"
  "$python" -m venv --clear "$folder"
fi
rm -f "$folder/.finished"
echo "installing $requirements (a minute on the first run)"
"$folder/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$requirements"
touch "$folder/.finished"
