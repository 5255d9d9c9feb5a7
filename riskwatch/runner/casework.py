"""Casework on the store: read cases, let people act on one or many at once, write what follows by itself into a run."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from riskwatch.assessment.protocols import TreePaths, tree_of
from riskwatch.casework.case import Case, CaseEvent, fold_all
from riskwatch.casework.notes import clean_note
from riskwatch.casework.office import Office, opened_on
from riskwatch.casework.reactions import Reactions, react
from riskwatch.casework.rules import LifecycleRules
from riskwatch.casework.silences import Matcher, Silence, add_silence, end_silence
from riskwatch.casework.verbs import Request, perform
from riskwatch.casework.view import Handling, handling
from riskwatch.errors import CaseworkError, ProjectError
from riskwatch.lifecycle import EarlyWarning, WarningEvent
from riskwatch.runner.actions import cases_of_warnings
from riskwatch.runner.context import RunContext
from riskwatch.store import CaseRow, SilenceRow
from riskwatch.store.database import instant
from riskwatch.texts.rules import TextRules

__all__ = [
    "Done",
    "Register",
    "Selection",
    "act_on",
    "add",
    "case_event",
    "case_rows",
    "check_login",
    "chosen",
    "day_reactions",
    "end",
    "handlings",
    "office_of",
    "read_register",
]


@dataclass(frozen=True)
class Register:
    """All warnings with their cases on a day, and what decisions rest on."""

    warnings: Mapping[str, EarlyWarning]
    cases: Mapping[str, Case]
    events: Sequence[CaseEvent]
    silences: Sequence[Silence]
    office: Office

    def handling(self, warning_id: str, as_of: dt.date) -> Handling:
        """Return where the case of a warning stands."""
        return handling(self.cases[warning_id], self.warnings[warning_id], self.silences, self.office, as_of=as_of)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which cases a verb is for: ids (or unambiguous starts of them), or all open ones that a filter names; "" is not asked for."""

    ids: tuple[str, ...] = ()
    grade: str = ""
    product: str = ""
    region: str = ""
    hazard: str = ""
    model: str = ""
    state: str = ""
    stage: str = ""

    @property
    def matcher(self) -> Matcher:
        """The part that silences have, too."""
        return Matcher(product=self.product, region=self.region, hazard=self.hazard, model=self.model, grade=self.grade)

    @property
    def filtered(self) -> bool:
        """Whether a filter is given."""
        return not self.matcher.empty or bool(self.state or self.stage)


@dataclass(frozen=True, slots=True)
class Done:
    """What a verb did, or would do, with one case."""

    case_id: str
    stage_before: str
    stage: str
    effective: bool
    signatures: str
    event: CaseEvent


def office_of(ctx: RunContext) -> Office | None:
    """Return the rules of casework over the project's trees and calendar; None if the project has no ``config/lifecycle.yaml``."""
    content = ctx.definitions.catalogue("lifecycle")
    if not content:
        return None
    return Office(
        rules=LifecycleRules.model_validate(content),
        reviewers={str(name): count for name, count in ctx.grading.review.reviewers.items()},
        regions=TreePaths(tree_of(ctx.trees, "region")),
        products=TreePaths(tree_of(ctx.trees, "product")),
        calendar=ctx.holidays,
    )


def _required(ctx: RunContext) -> Office:
    office = office_of(ctx)
    if office is None:
        raise ProjectError("the project has no config/lifecycle.yaml", hint="`riskwatch init DIR` writes one to copy from")
    return office


def _given_names(ctx: RunContext) -> frozenset[str]:
    content = ctx.definitions.catalogue("texts")
    tokens = TextRules.model_validate(content).tokens if content else None
    return frozenset() if tokens is None else frozenset(tokens.given_names_en) | frozenset(tokens.surnames_en)


def case_event(row: CaseRow) -> CaseEvent:
    """Return an event as the store kept it."""
    return CaseEvent(row.event_id, row.case_id, row.seq, row.as_of, row.kind, row.actor, row.happened_at or "", row.payload)


def case_rows(events: Iterable[CaseEvent]) -> list[CaseRow]:
    """Return events as the store takes them."""
    return [
        CaseRow(one.event_id, one.case_id, one.seq, one.as_of, one.kind, one.actor, one.happened_at or None, one.details) for one in events
    ]


def _silence(row: SilenceRow) -> Silence:
    return Silence(row.silence_id, Matcher(**row.matcher), row.reason, row.author, row.starts_on, row.ends_on, row.ended_on)


def _silence_row(one: Silence) -> SilenceRow:
    return SilenceRow(one.silence_id, dataclasses.asdict(one.matcher), one.reason, one.author, one.starts_on, one.ends_on, one.ended_on)


def read_register(ctx: RunContext, *, warnings: Iterable[EarlyWarning] | None = None) -> Register:
    """Return the cases as they stand at the end of ``ctx.as_of``.

    Parameters
    ----------
    ctx : RunContext
    warnings : iterable of EarlyWarning, optional
        Default: those stored.

    Raises
    ------
    ProjectError
        If the project has no ``config/lifecycle.yaml``.
    """
    office = _required(ctx)
    known = (
        [EarlyWarning.from_payload(row.payload) for row in ctx.store.read_warnings(as_of=ctx.as_of)] if warnings is None else list(warnings)
    )
    by_id = {warning.warning_id: warning for warning in known}
    events = [case_event(row) for row in ctx.store.read_case_events(until=ctx.as_of)]
    cases = fold_all({name: opened_on(warning) for name, warning in by_id.items()}, events, office.rules.first)
    silences = [_silence(row) for row in ctx.store.read_silences(ctx.as_of)]
    return Register(by_id, cases, events, silences, office)


# --- in a run --------------------------------------------------------------------------------------------------------


def day_reactions(ctx: RunContext, warnings: Sequence[EarlyWarning], events: Sequence[WarningEvent]) -> tuple[Register, Reactions] | None:
    """Return the register of a run's day with what follows by itself; None without ``config/lifecycle.yaml``.

    Parameters
    ----------
    ctx : RunContext
    warnings : sequence of EarlyWarning
        As the run leaves them.
    events : sequence of WarningEvent
        Stored and new.
    """
    if office_of(ctx) is None:
        return None
    register = read_register(ctx, warnings=warnings)
    reactions = react(
        warnings, events, register.cases, register.silences, register.office, as_of=ctx.as_of, verdicts=_verdicts(ctx, register)
    )
    return dataclasses.replace(register, cases=reactions.cases), reactions


def _verdicts(ctx: RunContext, register: Register) -> dict[str, str]:
    """Return what orders on record mean for cases that await a recheck; they are read only where one does."""
    stage = register.office.rules.automatic.recheck_stage
    waiting = {name for name, case in register.cases.items() if case.stage == stage and not case.closed}
    if not waiting or not ctx.definitions.catalogue("ladders"):
        return {}
    found: dict[str, list[str]] = {}
    for row in cases_of_warnings(ctx):
        if row["warning_id"] in waiting:
            found.setdefault(str(row["warning_id"]), []).append(str(row["verdict"]))
    # Goods under two bodies of law have a ladder in each: the gravest counts, and only all together close.
    return {
        name: "escalates" if "escalates" in verdicts else "closes" if set(verdicts) == {"closes"} else "open"
        for name, verdicts in found.items()
    }


def handlings(register: Register, as_of: dt.date) -> dict[str, Handling]:
    """Return where the case of every warning stands, for the digests."""
    return {name: register.handling(name, as_of) for name in register.warnings}


# --- people ----------------------------------------------------------------------------------------------------------


def chosen(register: Register, selection: Selection, verb: str) -> list[str]:
    """Return the ids of the warnings that a selection names.

    A filter names open cases (for ``reopen`` closed ones), those of absorbed warnings only where it asks for that state.

    Raises
    ------
    CaseworkError
        If both ids and a filter are given, or neither; or an id is unknown or the start of several.
    """
    if bool(selection.ids) == selection.filtered:
        raise CaseworkError(f"{verb}: name warnings by id, or by a filter, not both or neither", hint="riskwatch warnings list")
    if not selection.ids:
        return [name for name in register.warnings if _named(register, name, selection, verb)]
    found: list[str] = []
    for start in selection.ids:
        names = [name for name in register.warnings if name.startswith(start)]
        if len(names) != 1 or not start:
            some = f": {', '.join(names[:5])}" if names else ""
            raise CaseworkError(f'{verb}: {len(names)} warnings start with "{start}"{some}', hint="riskwatch warnings list --all")
        found += [name for name in names if name not in found]
    return found


def _named(register: Register, name: str, selection: Selection, verb: str) -> bool:
    warning, case = register.warnings[name], register.cases[name]
    if case.closed != (verb == "reopen") or (warning.state == "absorbed" and selection.state != "absorbed"):
        return False
    if (selection.state and warning.state != selection.state) or (selection.stage and case.stage != selection.stage):
        return False
    return selection.matcher.empty or selection.matcher.matches(warning, case.standing(warning.grade), register.office)


def act_on(ctx: RunContext, selection: Selection, request: Request, *, dry_run: bool = False) -> list[Done]:
    """Let a person act on one or many cases: all of them or none.

    Parameters
    ----------
    ctx : RunContext
        ``as_of`` is the day of the act, ``now`` its instant: they take the place of those in ``request``.
    selection : Selection
    request : Request
        ``to`` of a merge may be the start of an id.
    dry_run : bool
        Check everything and store nothing.

    Returns
    -------
    list of Done
        In the order of the ids.

    Raises
    ------
    CaseworkError
        Naming every case that refuses, with its rule; or if none is chosen. Nothing is stored then.
    """
    register = read_register(ctx)
    names = chosen(register, selection, request.verb)
    if not names:
        raise CaseworkError(f"{request.verb}: no case is named by this filter", hint="riskwatch warnings list; closed cases need reopen")
    given = dataclasses.replace(request, as_of=ctx.as_of, happened_at=instant(ctx.now))
    if request.verb == "merge":
        given = dataclasses.replace(given, to=chosen(register, Selection(ids=(request.to,)), "merge --into")[0])
    given_names = _given_names(ctx)
    done, refused = [], []
    for name in names:
        try:
            case, warning = register.cases[name], register.warnings[name]
            event = perform(given, case, warning, register.office, others=register.cases, given_names=given_names)
        except CaseworkError as error:
            refused.append(error)
        else:
            done.append(_done(event))
    if refused:
        head = f"nothing was done: {len(refused)} of {len(names)} refuse\n" if len(names) > 1 else ""
        raise CaseworkError(head + "\n".join(error.message for error in refused), hint=refused[0].hint)
    if not dry_run:
        ctx.store.write_acts(case_rows(one.event for one in done))
    return done


def _done(event: CaseEvent) -> Done:
    details = event.details
    signatures = f"{len(details['signed'])} of {details['needed']}" if "signed" in details else ""
    return Done(event.case_id, details["stage_before"], details["stage"], bool(details.get("effective", True)), signatures, event)


def check_login(ctx: RunContext, actor: str, login: str) -> None:
    """Refuse an account that may not act as a desk.

    Raises
    ------
    CaseworkError
        If the desk names accounts (``actors.*.logins``) and ``login`` is none of them.
    """
    allowed = _required(ctx).actor(actor).logins
    if allowed and login not in allowed:
        raise CaseworkError(
            f'--by {actor}: the account "{login}" is none of its {len(allowed)} logins in config/lifecycle.yaml',
            hint="act as a desk of your own, or have the account added to actors: logins",
        )


def add(ctx: RunContext, matcher: Matcher, *, until: dt.date, reason: str, actor: str, dry_run: bool = False) -> tuple[Silence, list[str]]:
    """Add a silence; return it with the ids of the warnings that it matches now.

    Raises
    ------
    CaseworkError
        See :func:`riskwatch.casework.silences.add_silence`.
    """
    register = read_register(ctx)
    silence, event = add_silence(
        matcher,
        until=until,
        reason=clean_note(reason, given_names=_given_names(ctx)),
        actor=actor,
        as_of=ctx.as_of,
        happened_at=instant(ctx.now),
        office=register.office,
    )
    matched = [
        name
        for name, warning in register.warnings.items()
        if warning.live
        and not (case := register.cases[name]).closed
        and case.standing(warning.grade).name in register.office.rules.silences.levels
        and matcher.matches(warning, case.standing(warning.grade), register.office)
    ]
    if not dry_run:
        ctx.store.write_acts(case_rows([event]), silences=[_silence_row(silence)])
    return silence, matched


def end(ctx: RunContext, silence_id: str, *, actor: str, note: str = "") -> Silence:
    """End a silence from today on.

    Raises
    ------
    CaseworkError
        If none, or more than one, starts so; see :func:`riskwatch.casework.silences.end_silence`.
    """
    register = read_register(ctx)
    found = [one for one in register.silences if one.silence_id.startswith(silence_id)]
    if len(found) != 1 or not silence_id:
        raise CaseworkError(f'silences end: {len(found)} silences start with "{silence_id}"', hint="riskwatch silences list")
    cleaned = clean_note(note, given_names=_given_names(ctx))
    ended, event = end_silence(found[0], actor=actor, as_of=ctx.as_of, happened_at=instant(ctx.now), note=cleaned, office=register.office)
    ctx.store.write_acts(case_rows([event]), silences=[_silence_row(ended)])
    return ended
