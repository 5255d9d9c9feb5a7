"""Empty the outbox: claim a message, send it, mark what became of it; several at a time, each channel at its own pace.

Killed between sending and marking, a claim ends by itself and the message is sent again: docs/delivery.md says which channels then tell a
reader twice.
"""

from __future__ import annotations

import datetime as dt
import math
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from riskwatch.delivery.backoff import next_attempt
from riskwatch.delivery.message import URGENT, Outcome
from riskwatch.delivery.pace import Pace
from riskwatch.delivery.references import References
from riskwatch.delivery.routing import due_time
from riskwatch.delivery.rules import DeliveryRules
from riskwatch.delivery.senders import Sender, sender_for
from riskwatch.errors import DeliveryError, RiskwatchError
from riskwatch.runner.context import RunContext
from riskwatch.runner.messages import delivery_rules, without_recipients
from riskwatch.runner.parcels import AnyChannel, Packer
from riskwatch.store import StoredMessage, outbox
from riskwatch.store.lease import this_process

__all__ = ["DeliveryReport", "deliver"]

_BEAT_SECONDS = 5.0
_NAMED = 5  # failures that a fault names
_WITHDRAWN = Outcome("dead", "withdrawn", "a corrected run of the day does not hold it any more")


@dataclass
class DeliveryReport:
    """What one emptying of the outbox did.

    Attributes
    ----------
    sent, retry, dead, withdrawn : int
        Messages by what became of them.
    waiting : int
        Still pending at the end, for whatever reason.
    failures : list of str
        Key and code of what was not delivered; no addresses.
    would_send : list of str
        Keys that a dry run found due.
    """

    sent: int = 0
    retry: int = 0
    dead: int = 0
    withdrawn: int = 0
    waiting: int = 0
    failures: list[str] = field(default_factory=list)
    would_send: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        """One line that says how many messages failed, and names some; none if all went well."""
        if not self.failures:
            return []
        shown = "; ".join(self.failures[:_NAMED]) + ("; …" if len(self.failures) > _NAMED else "")
        return [f"deliver: {len(self.failures)} not delivered ({shown}); riskwatch outbox list"]


class _Clock:
    """The frozen ``now`` of a context, going forward from when it was made."""

    def __init__(self, now: dt.datetime) -> None:
        self._now, self._start = now, time.monotonic()

    def __call__(self) -> dt.datetime:
        return self._now + dt.timedelta(seconds=time.monotonic() - self._start)


class _Channel:
    """What the workers of one channel share: its pace, and how many messages are left to look for."""

    def __init__(self, channel: AnyChannel, due: int) -> None:
        self.channel, self.pace = channel, Pace(channel.per_minute)
        self._left, self._lock = due, threading.Lock()

    def take(self) -> bool:
        """Take one of the messages that were due; False when none is left."""
        with self._lock:
            if self._left <= 0:
                return False
            self._left -= 1
            return True


def deliver(
    ctx: RunContext, *, limit: int | None = None, dry_run: bool = False, wait_seconds: float = 0.0, bounded: bool = False
) -> DeliveryReport:
    """Send what is due.

    Parameters
    ----------
    ctx : RunContext
        Its ``now`` says what is due; time goes on from there.
    limit : int, optional
        At most so many messages.
    dry_run : bool
        Only say what would be sent.
    wait_seconds : float
        Go on for so long with what becomes due meanwhile: attempts that failed, the end of quiet hours.
    bounded : bool
        Begin no message after ``run_seconds`` of the rules: something else waits for this to end.

    Raises
    ------
    StoreError
        If the database refuses.
    """
    rules, report = delivery_rules(ctx.definitions), DeliveryReport()
    if rules is None:
        return report
    clock = _Clock(ctx.now)
    if dry_run:
        now = _text(clock())
        pending = outbox.read_messages(ctx.store.database, ("pending",))
        report.would_send = [one.message_key for one in pending if one.due_at <= now][:limit]
        report.waiting = len(pending)
        return report
    run = _Run(ctx, rules, report, clock, limit=limit, deadline=time.monotonic() + (rules.run_seconds if bounded else math.inf))
    deadline = time.monotonic() + wait_seconds
    while True:
        run.once()
        following = outbox.next_due(ctx.store.database)
        left = deadline - time.monotonic()
        if following is None or run.spent or left <= 0:
            break
        pause = (dt.datetime.fromisoformat(following) - clock()).total_seconds()
        if pause > left:
            break
        ctx.heartbeat()
        # A message of a channel that is gone stays due: it must not be asked for without end.
        time.sleep(min(max(pause, 0.25), _BEAT_SECONDS))
    report.waiting = outbox.count_messages(ctx.store.database)["pending"]
    for (channel, _, centre), name in sorted(without_recipients(ctx.definitions, rules).items()):
        report.failures.append(f"route {name}: centre {centre} has no recipients for channel {channel}")
    return report


def _text(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


class _Run:
    """One emptying of the outbox."""

    def __init__(
        self,
        ctx: RunContext,
        rules: DeliveryRules,
        report: DeliveryReport,
        clock: Callable[[], dt.datetime],
        *,
        limit: int | None,
        deadline: float,
    ) -> None:
        self._ctx, self._rules, self._report, self._clock, self._limit, self._deadline = ctx, rules, report, clock, limit, deadline
        self._references = References(os.environ, ctx.root)
        self._packer = Packer(ctx, rules, self._references.addresses)
        self._lock = threading.Lock()
        self._started = 0
        self._unknown: set[str] = set()

    @property
    def spent(self) -> bool:
        """Whether as many messages were sent as were asked for."""
        return self._limit is not None and self._started >= self._limit

    def once(self) -> None:
        """Send all that is due now."""
        due = outbox.due_channels(self._ctx.store.database, self._clock())
        work: list[_Channel] = []
        for name, count in due.items():
            channel = self._rules.channel(name)
            if channel is not None:
                work += [_Channel(channel, count)]
            elif name not in self._unknown:
                self._unknown.add(name)
                self._report.failures.append(f"channel {name} is not in config/delivery.yaml any more: {count} messages wait")
        jobs = [shared for shared in work for _ in range(shared.channel.concurrency)]
        if not jobs:
            return
        with ThreadPoolExecutor(max_workers=len(jobs), thread_name_prefix="deliver") as pool:
            futures = [pool.submit(self._work, shared, f"{this_process('deliver')} #{number}") for number, shared in enumerate(jobs)]
            self._watch(futures)

    def _watch(self, futures: list[Future[None]]) -> None:
        """Wait for all, keep the run's lease, and pass on what went wrong beside the sending."""
        left = set(futures)
        while left:
            done, left = wait(left, timeout=_BEAT_SECONDS, return_when=FIRST_EXCEPTION)
            for one in done:
                one.result()
            self._ctx.heartbeat()

    def _work(self, shared: _Channel, holder: str) -> None:
        """Send messages of one channel, one after the other, until none is due."""
        sender: Sender | None = None
        try:
            while shared.take() and self._may_start():
                left = self._deadline - time.monotonic()
                if left <= 0 or not shared.pace.wait(left):
                    return  # no message has been claimed: what is left waits for the next sender
                message = outbox.claim(
                    self._ctx.store.database,
                    shared.channel.name,
                    holder=holder,
                    now=self._clock(),
                    seconds=self._rules.lease_seconds,
                )
                if message is None:
                    return
                started = self._clock()
                outcome, sender = self._attempt(message, shared.channel, sender)
                self._note(message, shared.channel, outcome, holder, started)
        finally:
            if sender is not None:
                sender.close()

    def _may_start(self) -> bool:
        with self._lock:
            if self.spent:
                return False
            self._started += 1
            return True

    def _attempt(self, message: StoredMessage, channel: AnyChannel, sender: Sender | None) -> tuple[Outcome, Sender | None]:
        try:
            parcel = self._packer.pack(message, channel)
            if parcel is None:
                return _WITHDRAWN, sender
            if sender is None:
                var = self._ctx.definitions.var
                sender = sender_for(channel, self._references, root=self._ctx.root, var=var)
            return sender.send(parcel), sender
        except DeliveryError as error:
            return Outcome("retry", "config", self._references.scrub(error.message)), sender
        except RiskwatchError as error:
            return Outcome("retry", "render", self._references.scrub(error.message)), sender
        except Exception as error:  # noqa: BLE001 - one message that cannot be sent must not keep the others from their readers
            return Outcome("retry", "internal", type(error).__name__), sender

    def _note(self, message: StoredMessage, channel: AnyChannel, outcome: Outcome, holder: str, started: dt.datetime) -> None:
        finished = self._clock()
        failures = message.attempts + 1
        withdrawn = outcome is _WITHDRAWN
        state, due = outcome.state, None
        if state == "retry":
            if failures >= channel.retry.attempts:
                state = "dead"
            else:
                again = next_attempt(message.message_key, failures, channel.retry, now=finished, asked=outcome.after)
                due = self._not_in_quiet_hours(message, again)
        outbox.mark(
            self._ctx.store.database,
            message.message_key,
            holder=holder,
            outcome="dropped" if withdrawn else state,
            code=outcome.code,
            detail=outcome.detail,
            started=started,
            finished=finished,
            due=due,
        )
        with self._lock:
            if withdrawn:
                self._report.withdrawn += 1
                return
            setattr(self._report, state, getattr(self._report, state) + 1)
            if state != "sent" or outcome.code.endswith("partly"):
                self._report.failures.append(f"{message.message_key}: {outcome.code}{', given up' if state == 'dead' else ''}")

    def _not_in_quiet_hours(self, message: StoredMessage, moment: dt.datetime) -> dt.datetime:
        """Return the earliest moment at which one of the routes that could have led here lets it go."""
        if message.grade in URGENT:
            return moment
        moments = [
            due_time(moment, message.grade, one.quiet_hours, self._ctx.zone)
            for one in self._rules.routes_in(self._ctx.definitions.profile)
            if (one.channel, one.recipients) == (message.channel, message.recipients)
            and (one.centres is None or message.centre in one.centres)
        ]
        return min(moments, default=moment)
