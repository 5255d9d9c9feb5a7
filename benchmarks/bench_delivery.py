"""All digests of 60 centres in 2 languages, rendered and delivered to a mail server on this machine.

    python benchmarks/bench_delivery.py PROJECT [--centres 60] [--attachments pdf]

PROJECT is a project that has run (``riskwatch init``, the simulated province, ``riskwatch run daily``). Its digests are dealt out to many
centres, each with figures of its own in its charts: no picture is drawn for two. The server is a process of its
own, speaks STARTTLS-less SMTP as a relay within a machine does, reads every mail to its end and counts.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import multiprocessing
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from riskwatch.api import Project
from riskwatch.digest import Digest
from riskwatch.runner.deliver import deliver
from riskwatch.runner.messages import messages_of
from riskwatch.store import DigestRow, outbox


def serve(port: Any, count: Any, size: Any) -> None:
    from aiosmtpd.controller import Controller

    class Handler:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
            with count.get_lock():
                count.value += 1
                size.value += len(envelope.content)
            return "250 OK"

    class OnPort(Controller):
        def _trigger_server(self) -> None:
            self.port = self.server.sockets[0].getsockname()[1]
            super()._trigger_server()

    controller = OnPort(Handler(), hostname="127.0.0.1", port=0)
    controller.start()
    port.value = controller.port
    multiprocessing.parent_process().join()  # type: ignore[union-attr]


def own_figures(digest: Digest, name: str, number: int) -> Digest:
    """Return the digest of another centre: same length and pictures, every chart with figures of its own."""

    def shifted(card: Any) -> Any:
        if card.chart is None:
            return card
        points = tuple(
            point.model_copy(update={"observed": None if point.observed is None else point.observed + number})
            for point in card.chart.points
        )
        return card.model_copy(update={"chart": card.chart.model_copy(update={"points": points})})

    header = digest.header.model_copy(update={"centre": name})
    return digest.model_copy(update={"header": header, "warnings": tuple(map(shifted, digest.warnings))})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("--centres", type=int, default=60)
    parser.add_argument("--attachments", default="pdf")
    parser.add_argument("--concurrency", type=int, default=4)
    options = parser.parse_args()
    port, count, size = multiprocessing.Value("i", 0), multiprocessing.Value("i", 0), multiprocessing.Value("q", 0)
    server = multiprocessing.Process(target=serve, args=(port, count, size), daemon=True)
    server.start()
    while not port.value:
        time.sleep(0.05)
    with tempfile.TemporaryDirectory() as folder:
        project = Project(options.project)
        with project.store() as store:
            rows = [store.read_digest(name, language="zh+en") for name in project.definitions.centres]
        found = [Digest.model_validate(row.payload) for row in rows if row is not None]
        if not found:
            parser.error(f"{options.project} holds no digest: run 'riskwatch run daily' there first")
        day = max(row.as_of for row in rows if row is not None)
        names = [f"centre-{number}" for number in range(options.centres)]
        digests = [own_figures(found[number % len(found)], name, number) for number, name in enumerate(names)]
        made = next(iter(project.definitions.centres.values()))
        centres = {name: made.model_copy(update={"name": name, "recipients": (f"desk@{name}.example",)}) for name in names}
        channel = {
            "name": "mail", "kind": "smtp", "host": "127.0.0.1", "port": port.value, "security": "none", "sender": "riskwatch@example.org",
            "attachments": [form for form in options.attachments.split(",") if form], "concurrency": options.concurrency,
        }  # fmt: skip
        delivery = {"version": "1", "channels": [channel], "routes": [{"name": "digests", "channel": "mail"}]}
        settings = project.definitions.settings.model_copy(update={"var": folder, "database": f"sqlite:///{folder}/bench.db"})
        catalogues = {**project.definitions.catalogues, "delivery": delivery}
        project.definitions = dataclasses.replace(project.definitions, centres=centres, settings=settings, catalogues=catalogues)
        shutil.rmtree(project.var, ignore_errors=True)
        with project.context(as_of=day) as ctx:
            ctx.store.start_run("bench", pipeline="daily", as_of=day, now=ctx.now, definitions={})
            began = time.perf_counter()
            messages = messages_of(ctx, digests, [], [])
            addressed = time.perf_counter() - began
            ctx.store.write_run_results(
                "bench",
                now=ctx.now,
                digests=[DigestRow(one.header.centre, day, "zh+en", 1, one.model_dump(mode="json")) for one in digests],
                messages=messages,
            )
            began, spent = time.perf_counter(), time.process_time()
            report = deliver(dataclasses.replace(ctx, now=dt.datetime.now(dt.UTC)))
            seconds, spent = time.perf_counter() - began, time.process_time() - spent
            state = outbox.count_messages(ctx.store.database)
    assert report.sent == count.value == len(messages) == 2 * options.centres, (report, count.value)
    assert state["sent"] == len(messages)
    sys.stdout.write(
        f"{len(messages)} mails, {size.value / 1e6:.0f} MB: messages addressed in {addressed:.1f} s within the run, "
        f"rendered and delivered in {seconds:.1f} s, {spent:.1f} s of CPU\n"
    )


if __name__ == "__main__":
    main()
