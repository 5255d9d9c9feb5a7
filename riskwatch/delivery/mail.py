"""Mail by SMTP: text, HTML with its pictures, attachments; a Message-ID that follows from the key.

SMTP cannot tell whether a server that falls silent after DATA took the mail: it is sent again, with the same Message-ID, by which the
receiver can drop the second. So mail is delivered at least once.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import smtplib
import ssl
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

from riskwatch.delivery.message import URGENT, Outcome, Parcel, message_id
from riskwatch.delivery.references import References
from riskwatch.delivery.rules import MailChannel
from riskwatch.errors import DeliveryError

__all__ = ["MEDIA", "MailSender", "compose"]

MEDIA: Final = {
    "html": ("text", "html"),
    "md": ("text", "markdown"),
    "json": ("application", "json"),
    "pdf": ("application", "pdf"),
    "docx": ("application", "vnd.openxmlformats-officedocument.wordprocessingml.document"),
    "xlsx": ("application", "vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
}


def compose(parcel: Parcel, channel: MailChannel) -> EmailMessage:
    """Return the mail: multipart/alternative of text and HTML, pictures related to the HTML, then the attachments.

    Headers with other than ASCII characters are encoded words (RFC 2047), names of files after RFC 2231. No value can end a header: line
    ends in it become spaces.
    """
    mail = EmailMessage(policy=SMTP)
    mail["Message-ID"] = message_id(parcel.key, channel.domain)
    mail["Date"] = format_datetime(parcel.created.astimezone(dt.UTC))
    name = "" if channel.sender_name is None else channel.sender_name.zh if parcel.language == "zh" else channel.sender_name.en
    mail["From"] = Address(_line(name), addr_spec=channel.sender)
    mail["To"] = [Address(addr_spec=address) for address in parcel.recipients]
    mail["Subject"] = _line(parcel.subject)
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Riskwatch-Key"] = parcel.key
    if parcel.kind == "alert" or parcel.grade in URGENT:
        mail["Importance"] = "high"
    mail.set_content(parcel.text, charset="utf-8", cte="base64")
    if parcel.html:
        mail.add_alternative(parcel.html, subtype="html", charset="utf-8", cte="base64")
        page = mail.get_payload()[-1]  # type: ignore[index] # a list once there is an alternative
        for picture in parcel.pictures:
            page.add_related(  # type: ignore[union-attr]
                picture.content, "image", picture.subtype, cid=f"<{picture.cid}>", filename=picture.filename, disposition="inline"
            )
    for attachment in parcel.attachments:
        kind, subtype = MEDIA[attachment.form]
        mail.add_attachment(attachment.content, maintype=kind, subtype=subtype, filename=attachment.filename)
    # Last: setting the content takes away all headers whose names begin with Content.
    mail["Content-Language"] = "zh-CN" if parcel.language == "zh" else "en"
    return mail


def _line(text: str) -> str:
    return " ".join(text.split())


class MailSender:
    """Sends mail over one connection, which it keeps for the next; for one thread at a time."""

    def __init__(self, channel: MailChannel, references: References, ca_file: str | None = None) -> None:
        self._channel, self._references, self._ca_file = channel, references, ca_file
        self._smtp: smtplib.SMTP | None = None

    def send(self, parcel: Parcel) -> Outcome:
        """Try once to send; never raises for what the server does.

        A code of 5xx about the mail or all its recipients is final. What concerns the connection (refused, stalled, dropped, TLS, login)
        is tried again: it may be mended without the message. Where only some recipients are refused for good, the mail counts as sent, and
        the detail says how many were refused; where some are refused for now, all get it again.
        """
        if not parcel.recipients:
            return Outcome("dead", "no-recipients", "the group has no addresses")
        try:
            mail = compose(parcel, self._channel)
        except (ValueError, IndexError) as error:
            return Outcome("dead", "bad-address", f"the mail cannot be written: {type(error).__name__}")
        try:
            refused = self._connected().send_message(mail, from_addr=self._channel.sender, to_addrs=list(parcel.recipients))
        except smtplib.SMTPRecipientsRefused as error:
            return self._refused(error.recipients, len(parcel.recipients))
        except smtplib.SMTPResponseException as error:
            final = isinstance(error, smtplib.SMTPDataError | smtplib.SMTPSenderRefused) and 500 <= error.smtp_code < 600
            self.close()
            return Outcome("dead" if final else "retry", str(error.smtp_code), self._said(error.smtp_error))
        except smtplib.SMTPNotSupportedError:
            self.close()
            return Outcome("retry", "unsupported", "the server does not offer what the channel asks for (STARTTLS, login or UTF-8)")
        except TimeoutError:
            self.close()
            return Outcome("retry", "timeout", f"no answer within {self._channel.timeout_seconds:g} s")
        except (smtplib.SMTPException, OSError) as error:
            self.close()
            return Outcome("retry", _short(error), self._references.scrub(type(error).__name__))
        if refused:
            return self._refused(refused, len(parcel.recipients))
        return Outcome("sent", "250")

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._smtp is not None:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                self._smtp.close()
            self._smtp = None

    def _connected(self) -> smtplib.SMTP:
        if self._smtp is not None:
            try:
                if self._smtp.noop()[0] == 250:
                    return self._smtp
            except (smtplib.SMTPException, OSError):
                pass
            self.close()
        channel = self._channel
        context = ssl.create_default_context(cafile=self._ca_file) if channel.security != "none" else None
        if channel.security == "tls":
            self._smtp = smtplib.SMTP_SSL(channel.host, channel.port, timeout=channel.timeout_seconds, context=context)
        else:
            self._smtp = smtplib.SMTP(channel.host, channel.port, timeout=channel.timeout_seconds)
        if channel.security == "starttls":
            self._smtp.starttls(context=context)
        if channel.username is not None and channel.password is not None:
            try:
                self._smtp.login(self._references.read(channel.username), self._references.read(channel.password))
            except DeliveryError:
                self.close()
                raise
        return self._smtp

    def _refused(self, refused: dict[str, tuple[int, bytes]], total: int) -> Outcome:
        """Judge refusals by recipient, naming none of them."""
        codes = sorted({code for code, _ in refused.values()})
        code = "/".join(map(str, codes))
        said = self._said(min(refused.values())[1])
        if any(code < 500 for code in codes):
            return Outcome("retry", code, f"{len(refused)} of {total} recipients refused: {said}")
        told = f"{len(refused)} of {total} recipients refused: {said}"
        return Outcome("dead", code, told) if len(refused) == total else Outcome("sent", f"{code} partly", told)

    def _said(self, answer: bytes | str) -> str:
        text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
        return self._references.scrub(text)[:200]


def _short(error: Exception) -> str:
    if isinstance(error.__context__, TimeoutError):
        # What the library makes of a silent server is a disconnected one.
        return "timeout"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, smtplib.SMTPServerDisconnected | ConnectionError):
        return "dropped"
    return "tls" if isinstance(error, ssl.SSLError) else "unreachable"
