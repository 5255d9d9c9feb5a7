"""One tree of exceptions.

Every message names what was asked, the rule and the value found; ``hint`` says what to do next.
``exit_code`` is what the command line ends with (documented in docs/cli.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "AsOfError",
    "CalendarError",
    "CaseworkError",
    "DefinitionError",
    "DeliveryError",
    "DetectorError",
    "DimensionError",
    "LeaseHeldError",
    "PanelError",
    "Problem",
    "ProjectError",
    "RateError",
    "RecordError",
    "RiskwatchError",
    "SourceError",
    "StoreError",
    "TrendError",
]


class RiskwatchError(Exception):
    """Base of every error that riskwatch raises on purpose.

    Parameters
    ----------
    message : str
        What was asked, the rule, and the value found.
    hint : str, optional
        What the reader can do about it.
    """

    exit_code = 5

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nHint: {self.hint}" if self.hint else self.message


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One finding in a definition file, printed as ``file:line:column: message``."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class DefinitionError(RiskwatchError):
    """One or more definition files are wrong; ``problems`` holds all of them."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem], *, hint: str = "") -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)), hint=hint)


class ProjectError(RiskwatchError):
    """No project here, or the folder is not usable as one."""

    exit_code = 2


class DimensionError(RiskwatchError):
    """A code list is broken, or a code or level is unknown."""

    exit_code = 2


class CalendarError(RiskwatchError):
    """A period, frequency, working day or festival was asked for that the calendar does not know."""

    exit_code = 2


class AsOfError(RiskwatchError):
    """A run was asked for a day that lies before what the store has already decided."""

    exit_code = 2


class CaseworkError(RiskwatchError):
    """A person asked for something that the case, the level or their post does not allow."""

    exit_code = 2


class SourceError(RiskwatchError):
    """A source could not be read; the run goes on with the others and says so."""

    exit_code = 1


class RecordError(RiskwatchError):
    """Raw rows cannot be turned into records at all (a required column is missing, say)."""

    exit_code = 1


class LeaseHeldError(RiskwatchError):
    """Another run holds the lease; the message names the holder."""

    exit_code = 3


class StoreError(RiskwatchError):
    """The database cannot be reached, is locked, full, or at another schema version."""

    exit_code = 4


class DeliveryError(RiskwatchError):
    """A message cannot be sent as the configuration has it: an absent secret, an address that may not be used; the rest goes on."""

    exit_code = 1


class PanelError(RiskwatchError):
    """Arrays, index and periods of a panel do not fit together."""


class DetectorError(RiskwatchError):
    """A detector's parameters or inputs are out of range."""

    exit_code = 2


class TrendError(RiskwatchError):
    """Arrays, times or parameters of a trend do not fit together or are out of range."""


class RateError(RiskwatchError):
    """Failure rates were asked for that the records, codes or windows given cannot answer."""

    exit_code = 2
