"""``config/delivery.yaml``: channels, groups of recipients, routes. Secrets and addresses of webhooks stand here by reference only."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, model_validator

from riskwatch.rulebase import Rule, Text

__all__ = [
    "CENTRE",
    "Channel",
    "DeliveryRules",
    "FileChannel",
    "Form",
    "Group",
    "MailChannel",
    "QuietHours",
    "RetryRules",
    "RobotChannel",
    "Route",
    "WebhookChannel",
]

CENTRE = "centre"
"""Name of the group that every centre has: the recipients in ``config/centres.yaml``."""

Form = Literal["html", "md", "pdf", "docx", "xlsx", "json"]
Kind = Literal["digest", "alert"]
Level = Literal["I", "II", "III", "IV"]
Language = Literal["zh", "en"]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
Reference = Annotated[str, Field(pattern=r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$")]
Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
_ADDRESS = re.compile(r"[^\s@,;<>]+@[^\s@,;<>]+")


class RetryRules(Rule):
    """How long to wait after the n-th failure: first_seconds * factor^(n-1), at most most_seconds, and a share more."""

    first_seconds: float = Field(60.0, gt=0, description="wait after the first failure, in seconds")
    factor: float = Field(2.0, ge=1, description="how many times longer each wait is than the one before")
    most_seconds: float = Field(3600.0, gt=0, description="longest wait, in seconds")
    jitter: float = Field(
        0.2, ge=0, le=1, description="largest share by which waits are lengthened, so that messages do not come back all at once"
    )
    attempts: int = Field(8, ge=1, le=100, description="so many failures make a dead letter")

    @model_validator(mode="after")
    def _ordered(self) -> RetryRules:
        if self.most_seconds < self.first_seconds:
            raise ValueError(f"most_seconds must be >= first_seconds ({self.first_seconds:g}), got {self.most_seconds:g}")
        return self


class _Channel(Rule):
    """What every channel has."""

    name: Name = Field(description="unique name of the channel")
    timeout_seconds: float = Field(20.0, gt=0, le=600, description="longest wait for the other side, in seconds, at each step")
    per_minute: int = Field(0, ge=0, description="at most so many messages a minute; 0: no limit")
    concurrency: int = Field(2, ge=1, le=32, description="messages sent at the same time")
    retry: RetryRules = Field(RetryRules(), description="waits between attempts")


class MailChannel(_Channel):
    """Mail by SMTP."""

    kind: Literal["smtp"] = Field(description="mail by SMTP")
    host: str = Field(min_length=1, description="name or address of the mail server")
    port: int = Field(587, ge=1, le=65535, description="port of the mail server")
    security: Literal["starttls", "tls", "none"] = Field("starttls", description="starttls, tls from the first byte, or none")
    ca_file: str | None = Field(None, description="certificates to trust instead of the system's, from the project's folder")
    username: Reference | None = Field(None, description="env:NAME or file:PATH of the user's name")
    password: Reference | None = Field(None, description="env:NAME or file:PATH of the password")
    sender: str = Field(description="address of the sender")
    sender_name: Text | None = Field(None, description="name of the sender as shown to readers")
    domain: Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]+$")] = Field("riskwatch.invalid", description="right-hand side of Message-IDs")
    attachments: tuple[Form, ...] = Field(("pdf",), description="forms of the digest that are attached")

    @model_validator(mode="after")
    def _sound(self) -> MailChannel:
        if not _ADDRESS.fullmatch(self.sender):
            raise ValueError("sender must be one address such as riskwatch@example.org")
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password must be given both or neither")
        if self.security == "none" and self.username is not None:
            raise ValueError("security: none sends no password; choose starttls or tls")
        return self


class WebhookChannel(_Channel):
    """A signed POST of JSON."""

    kind: Literal["webhook"] = Field(description="a signed POST of JSON")
    url: Reference = Field(description="env:NAME or file:PATH of the address; https, or http on this machine")
    secret: Reference = Field(description="env:NAME or file:PATH of the key of the signature")
    ca_file: str | None = Field(None, description="certificates to trust instead of the system's, from the project's folder")


class RobotChannel(_Channel):
    """A robot in a chat group."""

    kind: Literal["wecom", "dingtalk", "feishu"] = Field(description="whose robot it is")
    url: Reference = Field(description="env:NAME or file:PATH of the robot's address; it holds the robot's key")
    secret: Reference | None = Field(None, description="env:NAME or file:PATH of the key of the signature (DingTalk, Feishu)")
    ca_file: str | None = Field(None, description="certificates to trust instead of the system's, from the project's folder")
    per_minute: int = Field(20, ge=0, description="at most so many messages a minute; 0: no limit")
    concurrency: int = Field(1, ge=1, le=32, description="messages sent at the same time")
    busy_codes: tuple[int, ...] = Field(
        (-1, 45009, 90030, 130101, 410100, 9499, 11232),
        description="codes in an answer that mean 'too much at once' or 'busy': the message is tried again; any other code is final",
    )

    @model_validator(mode="after")
    def _sound(self) -> RobotChannel:
        if self.kind == "wecom" and self.secret is not None:
            raise ValueError("robots of WeCom sign nothing: leave secret out")
        return self


class FileChannel(_Channel):
    """A folder that another system, or a person, reads."""

    kind: Literal["file"] = Field(description="files in a folder")
    folder: str = Field(
        min_length=1, description="where; {var} stands for the folder of the profile, relative paths begin at the project's folder"
    )
    forms: tuple[Form, ...] = Field(("html", "json"), min_length=1, description="forms that are written")

    def place(self, root: Path, var: Path) -> Path:
        """Return the folder, of a project in ``root`` whose profile has its files in ``var``."""
        return root / self.folder.replace("{var}", str(var))


Channel = Annotated[MailChannel | WebhookChannel | RobotChannel | FileChannel, Field(discriminator="kind")]


class Group(Rule):
    """A group of desks."""

    name: Name = Field(description="unique name of the group")
    addresses: Reference = Field(description="env:NAME or file:PATH of the addresses, separated by commas, semicolons or line ends")


class QuietHours(Rule):
    """Hours in which messages wait, unless a level I or II is new or worsened."""

    start: Clock = Field(alias="from", description="HH:MM, quoted")
    end: Clock = Field(alias="to", description="HH:MM, quoted; the next morning where it lies before 'from'")
    timezone: str | None = Field(None, description="zone of the centre's clock; the project's where left out")

    @model_validator(mode="after")
    def _sound(self) -> QuietHours:
        if self.start == self.end:
            raise ValueError(f"'from' and 'to' must differ, got {self.start} twice")
        if self.timezone is not None:
            try:
                ZoneInfo(self.timezone)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                raise ValueError(f"timezone must be the name of a zone such as Asia/Shanghai, got {self.timezone!r}") from None
        return self

    @property
    def hours(self) -> tuple[dt.time, dt.time]:
        """First and last moment."""
        return dt.time.fromisoformat(self.start), dt.time.fromisoformat(self.end)


class Route(Rule):
    """Which messages go to whom. What is left out restricts nothing; an empty list is a slip of the pen, and an error."""

    name: Name = Field(description="unique name of the route")
    channel: Name = Field(description="name of a channel")
    recipients: Name = Field(CENTRE, description="name of a group, or 'centre': the recipients in config/centres.yaml (only mail reads it)")
    kinds: tuple[Kind, ...] = Field(("digest",), min_length=1, description="digest, alert (alert_grades, new or worsened, at once)")
    centres: tuple[Name, ...] | None = Field(None, min_length=1, description="only these centres")
    grades: tuple[Level, ...] | None = Field(None, min_length=1, description="only where a warning of these levels is new or worsened")
    products: tuple[str, ...] | None = Field(
        None, min_length=1, description="only where a warning about these products, or goods below them, is new or worsened"
    )
    languages: tuple[Language, ...] | None = Field(None, min_length=1, description="only these of the centre's languages")
    quiet_hours: QuietHours | None = Field(None, description="hours in which messages wait")
    profiles: tuple[str, ...] = Field((), description="profiles in which this applies; empty: all")


class DeliveryRules(Rule):
    """How what was decided reaches its readers."""

    version: str = Field(description="date of this edition, quoted")
    alert_grades: tuple[Level, ...] = Field(
        ("I", "II"), description="levels that are told at once when new or worsened, where a route takes alerts"
    )
    lease_seconds: float = Field(
        300.0, ge=1, description="a sender that has not finished a message for so long is taken for dead, in seconds"
    )
    run_seconds: float = Field(
        300.0, ge=1, description="the step deliver of a run begins no message after so long, in seconds: the run holds others up meanwhile"
    )
    mention_days: int = Field(7, ge=0, description="the digest mentions dead letters of so many past days, natural days")
    channels: tuple[Channel, ...] = Field((), description="ways to send")
    groups: tuple[Group, ...] = Field((), description="groups of desks beside 'centre'")
    routes: tuple[Route, ...] = Field((), description="what goes where; the order says nothing")

    @model_validator(mode="after")
    def _sound(self) -> DeliveryRules:
        for what, names in (("channel", self.channels), ("group", self.groups), ("route", self.routes)):
            _once(what, (one.name for one in names))
        if any(group.name == CENTRE for group in self.groups):
            raise ValueError(f'group "{CENTRE}" is the centre\'s own: choose another name')
        for number, route in enumerate(self.routes):
            if route.channel not in self.channel_names:
                raise ValueError(
                    f'routes[{number}].channel: no channel "{route.channel}"; known: {", ".join(sorted(self.channel_names)) or "none"}'
                )
            known = {CENTRE, *(group.name for group in self.groups)}
            if route.recipients not in known:
                raise ValueError(f'routes[{number}].recipients: no group "{route.recipients}"; known: {", ".join(sorted(known))}')
        return self

    @property
    def channel_names(self) -> frozenset[str]:
        """Names of all channels."""
        return frozenset(channel.name for channel in self.channels)

    def channel(self, name: str) -> MailChannel | WebhookChannel | RobotChannel | FileChannel | None:
        """Return the channel of that name; None if there is none (any more)."""
        return next((channel for channel in self.channels if channel.name == name), None)

    def routes_in(self, profile: str) -> tuple[Route, ...]:
        """Return the routes in force in a profile."""
        return tuple(route for route in self.routes if not route.profiles or profile in route.profiles)


def _once(what: str, names: Iterable[str]) -> None:
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise ValueError(f"{what} names must be unique, got twice: {', '.join(twice)}")
