#!/bin/sh
# A throwaway PostgreSQL for tests and benchmarks.
#
#   scripts/postgres.sh install        install the server if this machine has none (Debian/Ubuntu, as root or with sudo)
#   scripts/postgres.sh start [DIR]    make a cluster in DIR (default .postgres), start it on a free loopback port, print its URL
#   scripts/postgres.sh url [DIR]      print the URL of a started server
#   scripts/postgres.sh restart [DIR]  let it fall, as a power cut would, and start it again at the same URL
#   scripts/postgres.sh stop [DIR]     stop it
#
# Put the URL in RISKWATCH_TEST_POSTGRES to have the tests use a server of your own. Only for tests: it trusts every local
# user and does not wait for the disk.
set -eu

# A plain user's PATH may lack the folders that hold runuser.
PATH=$PATH:/usr/sbin:/sbin

command=${1:-}
dir=${2:-.postgres}

say() { printf '%s\n' "$*" >&2; }

bindir() {
    if [ -n "${PG_BINDIR:-}" ]; then printf '%s\n' "$PG_BINDIR"; return; fi
    newest=
    for found in /usr/lib/postgresql/*/bin; do
        [ -x "$found/initdb" ] && newest=$found
    done
    if [ -n "$newest" ]; then printf '%s\n' "$newest"; return; fi
    if command -v initdb >/dev/null 2>&1 && command -v pg_ctl >/dev/null 2>&1; then dirname "$(command -v pg_ctl)"; return; fi
    return 1
}

install_server() {
    if bindir >/dev/null; then return; fi
    command -v apt-get >/dev/null 2>&1 || { say "No PostgreSQL server and no apt-get here: install PostgreSQL 14 or newer."; exit 1; }
    sudo=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null 2>&1 || { say "No PostgreSQL server here: run 'apt-get install postgresql' as root."; exit 1; }
        sudo=sudo
    fi
    say "installing postgresql ..."
    # A package that starts its own cluster would only take memory: ours is made in DIR.
    $sudo sh -c 'apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql' >&2
    bindir >/dev/null || { say "postgresql was installed, but initdb is in neither PATH nor /usr/lib/postgresql."; exit 1; }
}

# The server refuses to run as root: then it runs as postgres, or as nobody.
as_owner() {
    if [ "$(id -u)" -eq 0 ]; then runuser -u "$owner" -- "$@"; else "$@"; fi
}

prepare() {
    owner=$(id -un)
    if [ "$(id -u)" -eq 0 ]; then
        owner=nobody
        id postgres >/dev/null 2>&1 && owner=postgres
    fi
    mkdir -p "$dir"
    dir=$(cd "$dir" && pwd)
    bin=$(bindir)
}

url() { printf 'postgresql://riskwatch@127.0.0.1:%s/postgres\n' "$(cat "$dir/port")"; }

running() { [ -s "$dir/data/postmaster.pid" ] && as_owner "$bin/pg_ctl" -D "$dir/data" status >/dev/null 2>&1; }

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' 2>/dev/null && return
    awk 'BEGIN { srand(); print 40000 + int(rand() * 20000) }'
}

start() {
    install_server
    prepare
    if running; then url; return; fi
    if [ "$(id -u)" -eq 0 ]; then
        chown "$owner" "$dir"
        as_owner test -w "$dir" || { say "User $owner cannot reach $dir: give a folder that it can enter, such as one under ${TMPDIR:-/tmp}."; exit 1; }
    fi
    if [ ! -s "$dir/data/PG_VERSION" ]; then
        as_owner "$bin/initdb" -D "$dir/data" -U riskwatch --auth=trust --encoding=UTF8 --locale=C --no-sync >"$dir/initdb.log" 2>&1 ||
            { cat "$dir/initdb.log" >&2; exit 1; }
    fi
    for _ in 1 2 3; do
        port=$(free_port)
        if as_owner "$bin/pg_ctl" -D "$dir/data" -l "$dir/data/server.log" -w -t 60 \
            -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_wal_size=4GB -c shared_buffers=256MB" \
            start >"$dir/start.log" 2>&1; then
            printf '%s\n' "$port" >"$dir/port"
            url
            return
        fi
    done
    say "PostgreSQL did not start:"
    cat "$dir/start.log" "$dir/data/server.log" >&2
    exit 1
}

stop() {
    prepare
    if running; then as_owner "$bin/pg_ctl" -D "$dir/data" -m fast -w stop >/dev/null; fi
}

restart() {
    prepare
    as_owner "$bin/pg_ctl" -D "$dir/data" -l "$dir/data/server.log" -m immediate -w -t 60 restart >"$dir/start.log" 2>&1 || { cat "$dir/start.log" >&2; exit 1; }
}

case $command in
install) install_server ;;
start) start ;;
restart) restart ;;
stop) stop ;;
url)
    prepare
    running || { say "no server runs in $dir: scripts/postgres.sh start $dir"; exit 1; }
    url
    ;;
*)
    sed -n '2,11s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
