#!/bin/sh
# Installs what the tests need from Debian where it is absent: a PostgreSQL server, and Chromium with poppler-utils
# and a font to print digests and count their pages. Says so and goes on where it may not install.
set -u
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null 2>&1; then sudo -n "$@"; else return 1; fi; }
need=""
command -v chromium >/dev/null 2>&1 || need="$need chromium"
# Digests are set in Arial where no Chinese font is there: this one has its widths, and the tests count printed pages.
dpkg -s fonts-liberation >/dev/null 2>&1 || need="$need fonts-liberation"
command -v pdfinfo >/dev/null 2>&1 || need="$need poppler-utils"
if ! command -v postgres >/dev/null 2>&1 && ! ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; then need="$need postgresql"; fi
[ -z "$need" ] && exit 0
echo "test-tools: installing$need"
# shellcheck disable=SC2086 # a list of package names
if ! { as_root apt-get update -qq && DEBIAN_FRONTEND=noninteractive as_root apt-get install -y -qq --no-install-recommends $need; } >/dev/null 2>&1; then
    echo "test-tools: could not install$need; install them by hand (apt-get install$need) or the tests that need them will say so" >&2
fi
exit 0
