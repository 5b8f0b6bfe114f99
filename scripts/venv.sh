#!/bin/bash
# Make the virtualenv and install locked requirements: venv.sh PYTHON FOLDER REQUIREMENTS
set -eu
python=$1 folder=$2 requirements=$3
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "$python is $("$python" -V 2>&1); Python 3.11 or newer is needed: make PYTHON=/path/to/python3.12 …" >&2
  exit 1
}
if [ ! -x "$folder/bin/pip" ]; then
  if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    package=$("$python" -c 'import sys; print("python3.%d-venv" % sys.version_info[1])')
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
      echo "installing $package, which the virtualenv needs"
      apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null
    else
      echo "$python lacks the venv module: apt-get install $package" >&2
      exit 1
    fi
  fi
  echo "making the virtualenv $folder"
  "$python" -m venv "$folder"
fi
echo "installing $requirements (a minute on the first run)"
"$folder/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$requirements"
