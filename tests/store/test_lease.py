"""Two runs at once: the second waits, or says who holds the lease."""

from __future__ import annotations

import datetime as dt
import re
import subprocess
import sys
import threading

import pytest

from riskwatch.errors import LeaseHeldError
from riskwatch.store import Store
from riskwatch.store.lease import is_dead, this_process
from riskwatch.store.tables import source_state


class Clock:
    def __init__(self) -> None:
        self.now = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)

    def __call__(self) -> dt.datetime:
        return self.now


def test_the_second_is_told_who_holds_it(store):
    clock = Clock()
    with store.lease("run", seconds=60, clock=clock):
        clock.now += dt.timedelta(seconds=59)
        with pytest.raises(
            LeaseHeldError, match=re.escape(f'The lease "run" is held by {this_process()} (since 2024-05-01T00:00:00')
        ) as caught:
            store.lease("run", seconds=60, clock=clock)
        assert caught.value.exit_code == 3
        with store.lease("other", seconds=60, clock=clock):
            pass
    store.lease("run", seconds=60, clock=clock).release()


def test_an_expired_lease_is_taken_over_and_its_old_holder_learns_of_it(store):
    clock = Clock()
    old = store.lease("run", seconds=60, clock=clock, holder="1@gone")
    clock.now += dt.timedelta(seconds=50)
    old.renew()
    clock.now += dt.timedelta(seconds=59)
    with pytest.raises(LeaseHeldError, match="1@gone"):
        store.lease("run", seconds=60, clock=clock, holder="2@here")
    clock.now += dt.timedelta(seconds=1)
    new = store.lease("run", seconds=60, clock=clock, holder="2@here")
    with pytest.raises(LeaseHeldError, match="of 1@gone expired and is now held by 2@here"):
        old.renew()
    old.release()  # must not take it from the new holder
    new.renew()
    new.release()
    with pytest.raises(LeaseHeldError, match="now held by nobody"):
        new.renew()


def test_waiting_gets_it_when_the_other_lets_go(store):
    held = store.lease("run", holder="1@here")
    timer = threading.Timer(0.3, held.release)
    timer.start()
    with store.lease("run", holder="2@here", wait_seconds=20) as taken:
        assert taken.holder == "2@here"
    timer.join()


def test_of_many_that_start_together_one_gets_it(store):
    got, refused = [], []

    def take(number: int) -> None:
        try:
            got.append(store.lease("run", holder=f"{number}@here"))
        except LeaseHeldError:
            refused.append(number)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1
    assert len(refused) == 5


def test_a_killed_holder_on_this_machine_is_taken_over_at_once(store, url):
    code = (
        "import sys; from riskwatch.store import Store; from riskwatch.store.lease import this_process; store = Store.open(sys.argv[1]);"
        " store.lease('run', holder=this_process('daily')); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(LeaseHeldError, match=rf"held by daily on .* \(process {other.pid}\)"):
            store.lease("run")
        other.kill()
        other.wait()
    with store.lease("run", holder=this_process("next")):
        pass


def test_a_holder_elsewhere_is_never_taken_for_dead():
    assert not is_dead("daily on elsewhere (process 999999999) [00000000]")
    assert not is_dead("4711@elsewhere (since 2026-01-01T00:00:00Z)")
    assert not is_dead(this_process())


# --- the fence -------------------------------------------------------------------------------------------------------


def test_who_lost_the_lease_writes_nothing_and_who_holds_it_writes(store):
    clock = Clock()
    old = store.lease("run", seconds=60, clock=clock, holder="1@asleep")
    with old:
        store.set_cursor("spot", "before")
        clock.now += dt.timedelta(seconds=61)
        store.set_cursor("spot", "ended but taken by nobody")
        new = store.lease("run", seconds=60, clock=clock, holder="2@awake")
        for write in (
            lambda: store.set_cursor("spot", "late"),
            lambda: store.start_run("daily-1", pipeline="daily", as_of=clock.now.date(), now=clock.now, definitions={}),
            lambda: store.write_run_results("daily-1", now=clock.now),
        ):
            with pytest.raises(LeaseHeldError, match="of 1@asleep expired and is now held by 2@awake"):
                write()
        assert store.source_status("spot").cursor == "ended but taken by nobody"
        assert store.read_runs() == []
        new.release()
        with pytest.raises(LeaseHeldError, match="now held by nobody"):
            store.set_cursor("spot", "late")
    store.set_cursor("spot", "no lease, no fence")
    assert store.source_status("spot").cursor == "no lease, no fence"


def test_a_lease_within_a_lease_gives_the_outer_fence_back(store):
    clock = Clock()
    with store.lease("run", seconds=60, clock=clock, holder="1@here") as outer:
        with store.lease("deliver", seconds=60, clock=clock, holder="1@here"):
            store.set_cursor("spot", "inner")
        outer.release()
        with pytest.raises(LeaseHeldError, match='The lease "run"'):
            store.set_cursor("spot", "outer lost")


def test_a_takeover_waits_for_a_write_that_found_the_lease_held(store, url):
    """Between the check and the commit nobody can take the lease; renewing it in another thread goes on."""
    clock = Clock()
    with store.lease("run", seconds=60, clock=clock, holder="1@slow") as held:
        clock.now += dt.timedelta(seconds=61)
        order = []

        def take_over() -> None:
            with Store.open(url) as other:
                other.lease("run", seconds=60, clock=clock, holder="2@eager")
                order.append("taken over")

        thread = threading.Thread(target=take_over)
        with store.database.session("write for long", write=True) as session:
            session.execute(source_state.insert().values(source="spot", cursor="slow", consecutive_failures=0))
            if store.database.dialect == "postgresql":
                held.renew()
                clock.now += dt.timedelta(seconds=61)
            thread.start()
            thread.join(0.5)
            order.append("written")
        thread.join(20)
        assert order == ["written", "taken over"]
        assert store.source_status("spot").cursor == "slow"
        with pytest.raises(LeaseHeldError):
            store.set_cursor("spot", "late")
