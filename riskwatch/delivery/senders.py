"""A sender for each kind of channel."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from riskwatch.delivery.filedrop import FileSender
from riskwatch.delivery.http import Poster
from riskwatch.delivery.mail import MailSender
from riskwatch.delivery.message import Outcome, Parcel
from riskwatch.delivery.references import References
from riskwatch.delivery.robots import RobotSender
from riskwatch.delivery.rules import FileChannel, MailChannel, RobotChannel, WebhookChannel
from riskwatch.delivery.webhook import WebhookSender

__all__ = ["Sender", "forms_of", "sender_for"]


class Sender(Protocol):
    """Sends one parcel after the other; one thread at a time."""

    def send(self, parcel: Parcel) -> Outcome:
        """Try once to send."""

    def close(self) -> None:
        """Close what is open."""


def forms_of(channel: MailChannel | WebhookChannel | RobotChannel | FileChannel) -> tuple[str, ...]:
    """Return the forms of the digest that a channel carries as files."""
    if isinstance(channel, MailChannel):
        return tuple(dict.fromkeys(channel.attachments))
    return tuple(dict.fromkeys(channel.forms)) if isinstance(channel, FileChannel) else ()


def sender_for(
    channel: MailChannel | WebhookChannel | RobotChannel | FileChannel, references: References, *, root: Path, var: Path
) -> Sender:
    """Return a sender for one thread.

    Raises
    ------
    DeliveryError
        If a reference cannot be read, or an address may not be used.
    """
    if isinstance(channel, FileChannel):
        return FileSender(channel.place(root, var))
    ca_file = None if channel.ca_file is None else str(root / channel.ca_file)
    if isinstance(channel, MailChannel):
        return MailSender(channel, references, ca_file)
    poster = Poster(references.read(channel.url), timeout=channel.timeout_seconds, ca_file=ca_file)
    if isinstance(channel, WebhookChannel):
        return WebhookSender(poster, references.read(channel.secret))
    return RobotSender(
        channel.kind,
        poster,
        secret=None if channel.secret is None else references.read(channel.secret),
        busy=channel.busy_codes,
        scrub=references.scrub,
    )
