#!/usr/bin/env bash
# Put the pinned Python packages and onemap itself into .venv.
#
#   tools/venv.sh LOCKFILE
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}

[[ -w . ]] || { echo "The folder $PWD cannot be written by $(id -un), and .venv goes there; use a copy of your own." >&2; exit 1; }
"$(dirname "$0")/system.sh" python

# Also when its Python went away with an upgrade of the machine.
if ! .venv/bin/python -c 'import pip' 2>/dev/null; then
  echo "==> Making .venv with $("$python" --version)"
  rm -rf .venv
  "$python" -m venv .venv
fi
echo "==> Installing the packages of $1 into .venv"
pip=(.venv/bin/python -m pip --disable-pip-version-check install)
"${pip[@]}" --require-hashes -r "$1"
"${pip[@]}" --no-deps --no-build-isolation -e .
