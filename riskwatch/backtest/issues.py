"""The digests of a replayed day: what each centre would have read."""

from __future__ import annotations

from riskwatch.backtest.lives import Day
from riskwatch.backtest.setting import Setting
from riskwatch.backtest.view import History
from riskwatch.backtest.work import DayKeys, signals_of
from riskwatch.digest import Digest
from riskwatch.lifecycle import WarningEvent
from riskwatch.runner.casework import case_rows, day_reactions, handlings
from riskwatch.runner.digests import build_digests
from riskwatch.runner.quality import quality_report, reporter_state
from riskwatch.runner.run import Decided, all_events, digest_inputs, with_q
from riskwatch.store import CaseRow

__all__ = ["digests_of"]


def digests_of(setting: Setting, keys: DayKeys, day: Day, history: History) -> tuple[list[Digest], list[CaseRow]]:
    """Return the digests of a day, and what followed by itself in its cases.

    Parameters
    ----------
    setting : Setting
    keys : DayKeys
        The day's detections.
    day : Day
        What was decided.
    history : History
        What the days before left.
    """
    ctx = setting.context(day.day, history)
    detection, signals = signals_of(setting, keys)
    absence = reporter_state(ctx)
    decided = Decided(
        detection=detection,
        signals=with_q(ctx, signals)[0],
        quality=quality_report(ctx, detection, [], absence),
        absence=absence,
        assessments=day.assessments,
        warnings=day.warnings,
        events=day.events,
        past_events=[WarningEvent.from_payload(row.payload) for row in history.events],
    )
    worked = day_reactions(ctx, decided.warnings, all_events(decided))
    if worked is not None:
        register, reactions = worked
        decided.case_events, decided.handled = reactions.events, handlings(register, ctx.as_of)
    return build_digests(ctx, digest_inputs(ctx, decided)), case_rows(decided.case_events)
