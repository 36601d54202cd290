#!/usr/bin/env bash
# Installs the peers into a virtual environment of their own: tests/peers/install.sh [DIRECTORY]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
venv=${1:-$here/.venv}
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --requirement "$here/requirements.txt"
echo "$venv/bin/python $here/schedulers.py STREAMS RESULTS"
