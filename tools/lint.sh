#!/usr/bin/env bash
# Run every check that needs no database; all of them, also after one failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
failed=()
export PATH="$PWD/.venv/bin:$PATH" # Node is there

check() { # NAME COMMAND...
  local name=$1
  shift
  echo "==> $name"
  "$@" || failed+=("$name")
}

check "ruff format" .venv/bin/ruff format --check .
check "ruff" .venv/bin/ruff check .
check "mypy" .venv/bin/mypy
check "import order" .venv/bin/lint-imports --no-logo
check "eslint" npm run --silent lint
check "tsc" npm run --silent types
check "vendored code" .venv/bin/python web/vendor.py --check
# From here: a peer of the benchmarks brings a package "tests" of its own.
check "generated files" env PYTHONPATH=. .venv/bin/python tools/generate.py --check

[[ ${#failed[@]} == 0 ]] || { printf 'Failed: %s\n' "${failed[*]}" >&2; exit 1; }
