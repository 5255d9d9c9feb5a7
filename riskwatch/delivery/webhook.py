"""Webhooks: JSON, signed over the instant and the body, with the message's key as idempotency key.

A receiver that takes a key once only is told at most once even if riskwatch is killed between sending and marking; any other at least once.
To check: HMAC-SHA256 with the shared secret over ``<timestamp>.<body>`` must equal what stands after ``sha256=`` in
``X-Riskwatch-Signature``, and the timestamp (seconds since 1970, ``X-Riskwatch-Timestamp``) must be recent.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

from riskwatch.delivery.http import Poster
from riskwatch.delivery.message import Outcome, Parcel

__all__ = ["WebhookSender", "body_of", "signature"]


def body_of(parcel: Parcel) -> bytes:
    """Return what is posted: the same bytes for the same parcel."""
    body: dict[str, Any] = {
        "key": parcel.key,
        "kind": parcel.kind,
        "centre": parcel.centre,
        "day": parcel.day.isoformat(),
        "language": parcel.language,
        "grade": parcel.grade,
        "created_at": parcel.created.isoformat(),
        "subject": parcel.subject,
        "text": parcel.text,
        **parcel.data,
    }
    return json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return the hexadecimal HMAC-SHA256 over ``timestamp``, a full stop and ``body``."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


class WebhookSender:
    """Posts parcels to one address."""

    def __init__(self, poster: Poster, secret: str, *, clock: Callable[[], float] = time.time) -> None:
        self._poster, self._secret, self._clock = poster, secret, clock

    def send(self, parcel: Parcel) -> Outcome:
        """Try once to send."""
        body, timestamp = body_of(parcel), str(int(self._clock()))
        answer = self._poster.post(
            body,
            headers={
                "X-Riskwatch-Key": parcel.key,
                "Idempotency-Key": parcel.key,
                "X-Riskwatch-Timestamp": timestamp,
                "X-Riskwatch-Signature": f"sha256={signature(self._secret, timestamp, body)}",
            },
        )
        return answer if isinstance(answer, Outcome) else Outcome("sent", f"http {answer.status}")

    def close(self) -> None:
        """Close the connections."""
        self._poster.close()
