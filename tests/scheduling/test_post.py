"""Messages that wait are sent between runs, when their time has come."""

from __future__ import annotations

import dataclasses
import datetime as dt

from riskwatch.digest import Digest
from riskwatch.scheduling.post import send_due
from tests.delivery.conftest import (  # noqa: F401 - fixtures
    DESK,
    NOW,
    Mailbox,
    World,
    _no_proxy,
    empty_store,
    mailbox,
    ordinary,
    template,
    world,
)

ROUTE = """
channels: [{{name: mail, kind: smtp, host: 127.0.0.1, port: {port}, security: none, sender: riskwatch@example.org, timeout_seconds: 10,
  retry: {{first_seconds: 600, most_seconds: 1200, attempts: 5}}}}]
routes: [{{name: digests, channel: mail, centres: [changchun], kinds: [digest], languages: [zh]}}]
"""


def test_what_waits_is_sent_when_it_is_due(world: World, mailbox: Mailbox, ordinary: Digest) -> None:  # noqa: F811 - fixtures
    world.configure(ROUTE.format(port=mailbox.port))
    world.recipients(DESK)
    project, moment = world.project, NOW
    project.clock = lambda: moment
    assert send_due(project) is None
    world.decide([ordinary])
    mailbox.answers = ["451 later", "250 OK"]
    first = send_due(project)
    assert first is not None
    assert (first.sent, first.retry) == (0, 1)
    moment += dt.timedelta(minutes=5)
    assert send_due(project) is None
    moment += dt.timedelta(minutes=25)
    second = send_due(project)
    assert second is not None
    assert (second.sent, second.waiting) == (1, 0)
    assert len(mailbox.mails) == 1
    assert send_due(project) is None


def test_a_project_that_delivers_by_hand_is_left_alone(world: World, mailbox: Mailbox, ordinary: Digest) -> None:  # noqa: F811 - fixtures
    world.configure(ROUTE.format(port=mailbox.port))
    world.recipients(DESK)
    world.project.clock = lambda: NOW
    world.decide([ordinary])
    pipelines = {
        name: one.model_copy(update={"steps": tuple(step for step in one.steps if step.step != "deliver")})
        for name, one in world.project.definitions.pipelines.items()
    }
    world.project.definitions = dataclasses.replace(world.project.definitions, pipelines=pipelines)
    assert send_due(world.project) is None
    assert mailbox.mails == []
