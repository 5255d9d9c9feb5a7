"""One deadline for a whole answer: a server that drips bytes, of headers or body, never lets a single read time out."""

from __future__ import annotations

import ssl
import typing
from collections.abc import Callable, Iterable

import httpcore
import httpx

__all__ = ["Deadline", "hold_to"]

LATE = "the answer did not end in time"


class Deadline:
    """The moment after which nothing is read any more; ``moment`` is set before each request, on the clock given."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self.moment = float("inf")

    def within(self, seconds: float) -> None:
        """Set the moment ``seconds`` from now."""
        self.moment = self._monotonic() + seconds

    def check(self) -> None:
        """Raise httpcore.ReadTimeout once the moment has passed."""
        if self._monotonic() > self.moment:
            raise httpcore.ReadTimeout(LATE)


class _Stream(httpcore.NetworkStream):
    """A connection that is not read past the deadline."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._deadline.check()
        return self._inner.read(max_bytes, timeout)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, timeout)

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, timeout), self._deadline)

    def get_extra_info(self, info: str) -> typing.Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    """Opens connections that know the deadline."""

    def __init__(self, deadline: Deadline) -> None:
        self._inner = httpcore.SyncBackend()
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[typing.Any] | None = None,
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.connect_tcp(host, port, timeout, local_address, socket_options), self._deadline)


def hold_to(client: httpx.Client, deadline: Deadline) -> None:
    """Make every connection of a client, those through a proxy of the environment too, keep to the deadline."""
    # httpx offers no way to say which sockets it opens; a test with a server that drips headers fails if this stops working.
    for transport in (client._transport, *client._mounts.values()):  # noqa: SLF001
        if isinstance(transport, httpx.HTTPTransport):
            transport._pool._network_backend = _Backend(deadline)  # noqa: SLF001
