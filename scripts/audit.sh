#!/bin/sh
# Audits the pinned versions in constraints.txt for known vulnerabilities (pip-audit, advisories of PyPI or OSV).
# Ends with 1 for a known vulnerability, with 0 and a clear word where the audit could not be made, as without a network.
# Usage: scripts/audit.sh [pypi|osv|FOLDER]; FOLDER: a copy of github.com/pypa/advisory-database, for machines without a network.
set -u
cd "$(dirname "$0")/.."
service=${1:-pypi}
version=2.10.1
place=.venv/audit # an environment of its own: nothing of the tool's gets among what riskwatch rests on
report=.venv/audit.json

not_made() { echo "audit: NOT MADE: $1; no package was looked up" >&2; exit 0; }

[ -x .venv/bin/python ] || not_made "there is no .venv (make setup)"
if [ -d "$service" ]; then exec .venv/bin/python scripts/audit_offline.py constraints.txt "$service"; fi
if [ ! -x "$place/bin/pip-audit" ]; then
    .venv/bin/python -m venv "$place" || not_made "no environment could be made for pip-audit"
    "$place/bin/python" -m pip install --quiet --disable-pip-version-check "pip-audit==$version" ||
        not_made "pip-audit $version could not be installed"
fi
case $service in
    pypi) address=https://pypi.org/pypi/pip/1.0/json ;; # an old version: it has advisories
    osv) address=https://api.osv.dev/v1/query ;;
    *) echo "audit: the service is pypi, osv or a folder of advisories, got \"$service\"" >&2; exit 2 ;;
esac
"$place/bin/python" - "$address" "$service" <<'PROBE' || not_made "the advisory service $service cannot be reached"
import sys

import requests

address, service = sys.argv[1:]
try:
    if service == "osv":
        answer = requests.post(address, json={"package": {"name": "pip", "ecosystem": "PyPI"}, "version": "1.0"}, timeout=10)
        known = "vulns" in answer.json()
    else:
        # An index that knows no advisories (a mirror of files alone) would let everything pass.
        known = bool(requests.get(address, timeout=10).json().get("vulnerabilities"))
except (requests.RequestException, ValueError) as error:
    sys.exit(f"audit: {type(error).__name__}")
sys.exit(0 if known else "audit: the service answers without advisories")
PROBE
rm -f "$report"
"$place/bin/pip-audit" --requirement constraints.txt --no-deps --disable-pip --vulnerability-service "$service" --timeout 15 \
    --progress-spinner off --format json --output "$report"
[ -s "$report" ] || not_made "pip-audit broke off (its message stands above)"
exec "$place/bin/python" - "$report" <<'VERDICT'
import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    packages = json.load(file)["dependencies"]
skipped = [entry for entry in packages if "skip_reason" in entry]
found = [(entry["name"], entry["version"], one) for entry in packages for one in entry.get("vulns", [])]
for name, version, one in found:
    mended = ", ".join(one["fix_versions"]) or "none yet"
    print(f"audit: {name} {version}: {one['id']} {' '.join(one.get('aliases', []))}; mended in {mended}")
for entry in skipped:
    print(f"audit: {entry['name']} was left out: {entry['skip_reason']}")
looked_up = len(packages) - len(skipped)
if not looked_up:
    sys.exit(print("audit: NOT MADE: the service knows none of the packages", file=sys.stderr))
print(f"audit: {looked_up} packages looked up, {len(skipped)} left out, {len(found)} known vulnerabilities")
sys.exit(bool(found))
VERDICT
