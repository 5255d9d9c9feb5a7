#!/bin/sh
# The kill tests on a throwaway PostgreSQL, or on the one that RISKWATCH_TEST_POSTGRES names: soak-postgres.sh PYTHON [OPTIONS of tests.faults.soak]
set -eu
cd "$(dirname "$0")/.."
python=$1
shift
if [ -n "${RISKWATCH_TEST_POSTGRES:-}" ]; then exec "$python" -m tests.faults.soak --postgres "$RISKWATCH_TEST_POSTGRES" "$@"; fi
# The server's user must be able to enter the folder.
dir=${TMPDIR:-/var/tmp}/riskwatch-soak-$$
trap 'scripts/postgres.sh stop "$dir" && rm -rf "$dir"' EXIT
url=$(scripts/postgres.sh start "$dir")
"$python" -m tests.faults.soak --postgres "$url" "$@"
