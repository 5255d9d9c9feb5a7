#!/bin/sh
# Makes .venv with everything that riskwatch needs, from the pinned versions in constraints.txt.
# Usage: scripts/setup.sh [run|test]
set -eu
cd "$(dirname "$0")/.."
what=${1:-test}

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null 2>&1; then sudo "$@"; else return 1; fi; }

python=""
for candidate in "${PYTHON:-}" python3.13 python3.12 python3.11 python3; do
    [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 || continue
    if "$candidate" -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' 2>/dev/null; then python=$candidate; break; fi
done
if [ -z "$python" ]; then
    echo "setup: riskwatch needs Python 3.11 or newer; none was found (set PYTHON=/path/to/python3.11)" >&2
    exit 2
fi

stamp=.venv/.stamp-$what
sum=$(cat setup.cfg constraints.txt pyproject.toml scripts/setup.sh | cksum)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$sum" ]; then exit 0; fi

if [ ! -x .venv/bin/python ]; then
    if ! "$python" -m venv .venv 2>/dev/null; then
        rm -rf .venv
        echo "setup: this Python has no venv module; installing Debian's python3-venv"
        as_root apt-get update -qq && as_root apt-get install -y -qq python3-venv >/dev/null || {
            echo "setup: install the package python3-venv and try again" >&2; exit 2; }
        "$python" -m venv .venv
    fi
fi
echo "setup: installing riskwatch and its pinned dependencies into .venv (a minute or two the first time)"
extras=""
[ "$what" = test ] && extras="[test]"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".$extras"
echo "$sum" > "$stamp"
[ "$what" = test ] && cp "$stamp" .venv/.stamp-run
exit 0
