#!/bin/sh
# The wheel works elsewhere: build it, install it in an empty environment, make and run a demonstration project.
set -eu
cd "$(dirname "$0")/.."
root=$(pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
.venv/bin/python -m build --wheel --outdir "$work/dist" . >"$work/build.log" 2>&1 || { cat "$work/build.log" >&2; exit 1; }
.venv/bin/python -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check --constraint "$root/constraints.txt" "$work"/dist/*.whl
cd "$work"
PATH="$work/env/bin:$PATH"
riskwatch init demo
cd demo
riskwatch check
riskwatch run daily
