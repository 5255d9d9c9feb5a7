"""One POST, judged: what webhooks and robots have in common. No redirect is followed, and no more than a little of an answer is read."""

from __future__ import annotations

import datetime as dt
import email.utils
import ipaddress
import json
import ssl
from collections.abc import Mapping
from typing import Any

import httpx

from riskwatch.delivery.message import Outcome
from riskwatch.errors import DeliveryError

__all__ = ["Answer", "Poster", "retry_after"]

_MOST = 65_536  # bytes of an answer
_LATER = frozenset({408, 425, 429})  # client errors that say "not now"


class Answer:
    """Status and JSON of an answer; ``body`` is empty where it was none."""

    def __init__(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.status, self.headers = status, headers
        try:
            found = json.loads(content)
        except (ValueError, UnicodeDecodeError):
            found = {}
        self.body: dict[str, Any] = found if isinstance(found, dict) else {}


class Poster:
    """Posts JSON to one address.

    Parameters
    ----------
    url : str
        https, or http on this very machine: nothing that is told may be read on the way.
    timeout : float
        Seconds, at each step of a request.
    ca_file : str, optional
        Certificates to trust instead of the system's.

    Raises
    ------
    DeliveryError
        If the address may not be used; the message does not quote it.
    """

    def __init__(self, url: str, *, timeout: float, ca_file: str | None = None) -> None:
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL:
            raise DeliveryError("delivery: the address of the channel is no URL", hint="https://host/path") from None
        if parsed.scheme != "https" and not (parsed.scheme == "http" and _here(parsed.host)):
            raise DeliveryError(
                f'delivery: the address of the channel must be https (http on this machine only), got "{parsed.scheme}"',
                hint="ask the receiver for an https address",
            )
        context: ssl.SSLContext | bool = ssl.create_default_context(cafile=ca_file) if ca_file else True
        self._client = httpx.Client(timeout=timeout, follow_redirects=False, verify=context)
        self._url = parsed

    def post(self, content: bytes, *, headers: Mapping[str, str], query: Mapping[str, str] | None = None) -> Answer | Outcome:
        """Post, and return the answer where it is 2xx, else what the failure means.

        Redirects and client errors are final, but for 408, 425 and 429; server errors and all that goes wrong on the way are tried again.
        """
        url = self._url.copy_merge_params(query) if query else self._url
        sent = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "riskwatch", **headers}
        try:
            with self._client.stream("POST", url, content=content, headers=sent) as response:
                held = b""
                for piece in response.iter_bytes():
                    held += piece
                    if len(held) > _MOST:
                        return Outcome("dead", "answer-too-long", f"more than {_MOST} bytes came back")
                status, answered = response.status_code, dict(response.headers)
        except httpx.TimeoutException:
            return Outcome("retry", "timeout", "no answer in time")
        except httpx.ConnectError as error:
            return Outcome("retry", "tls" if "CERTIFICATE" in str(error).upper() else "refused", "no connection")
        except httpx.TransportError as error:
            return Outcome("retry", "dropped", type(error).__name__)
        except httpx.DecodingError:
            return Outcome("retry", "bad-answer", "the answer cannot be decoded")
        if 200 <= status < 300:
            return Answer(status, answered, held)
        if 300 <= status < 400:
            return Outcome("dead", f"http {status}", "a redirect: not followed")
        later = status >= 500 or status in _LATER
        return Outcome("retry" if later else "dead", f"http {status}", after=retry_after(answered.get("retry-after")) if later else None)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def retry_after(value: str | None, now: dt.datetime | None = None) -> float | None:
    """Return the seconds that a Retry-After asks for: a number, or a date (RFC 9110 §10.2.3); None where it says neither."""
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value.strip())
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return max(0.0, (moment - (now or dt.datetime.now(dt.UTC))).total_seconds())


def _here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
