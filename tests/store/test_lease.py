"""Two runs at once: the second waits, or says who holds the lease."""

from __future__ import annotations

import datetime as dt
import threading

import pytest

from riskwatch.errors import LeaseHeldError
from riskwatch.store.lease import this_process


class Clock:
    def __init__(self) -> None:
        self.now = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)

    def __call__(self) -> dt.datetime:
        return self.now


def test_the_second_is_told_who_holds_it(store):
    clock = Clock()
    with store.lease("run", seconds=60, clock=clock):
        clock.now += dt.timedelta(seconds=59)
        with pytest.raises(LeaseHeldError, match=rf'The lease "run" is held by {this_process()} \(since 2024-05-01T00:00:00') as caught:
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
