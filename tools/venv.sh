#!/usr/bin/env bash
# Put the pinned Python packages and onemap itself into .venv.
#
#   tools/venv.sh LOCKFILE
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-$(tools/python.sh)}

[[ -w . ]] || { echo "The folder $PWD cannot be written by $(id -un), and .venv goes there; use a copy of your own." >&2; exit 1; }

built_on() { "$1" -c 'import pip, sys; print(sys.version, sys.base_prefix)' 2>/dev/null; }

# Also when its Python went away with an upgrade of the machine, or another is asked for.
if [[ $(built_on .venv/bin/python) != "$("$python" -c 'import sys; print(sys.version, sys.base_prefix)')" ]]; then
  echo "==> Making .venv with $("$python" --version)"
  rm -rf .venv
  "$python" -m venv .venv
fi
echo "==> Installing the packages of $1 into .venv"
pip=(.venv/bin/python -m pip --disable-pip-version-check install --no-compile)
"${pip[@]}" --require-hashes -r "$1"
"${pip[@]}" --no-deps --no-build-isolation -e .
# On all cores, where pip compiles on one; some packages carry files that are not meant to compile.
.venv/bin/python -m compileall -q -j 0 -x '/tests?/' .venv/lib >/dev/null || true
