"""``rw.Project``: one riskwatch project from Python. DataFrames in, DataFrames out.

>>> import riskwatch as rw
>>> project = rw.Project("demo")
>>> project.run("daily", as_of="2025-12-31").pipeline
'daily'
>>> list(project.warnings().columns[:4])
['warning_id', 'grade', 'state', 'scope']
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

import pandas as pd

from riskwatch.assessment import Grade
from riskwatch.assessment.rules import ActionCatalogue, GradingRules, HazardCatalogue
from riskwatch.calendar import HolidayCalendar
from riskwatch.coverage.advisor import Objective
from riskwatch.definitions import Definitions, load_definitions
from riskwatch.definitions.types import Centre, ModelDefinition, PipelineDefinition, SourceDefinition
from riskwatch.digest.clusters import cluster_title
from riskwatch.digest.text import Wording
from riskwatch.dimensions import Tree, load_trees
from riskwatch.errors import ProjectError
from riskwatch.lifecycle import EarlyWarning
from riskwatch.panel import Panel
from riskwatch.project import find_project, init_project
from riskwatch.reports.model import Report
from riskwatch.runner.anomalies import Kind, anomaly_frame
from riskwatch.runner.case_tables import case_frame, event_frame
from riskwatch.runner.clusters import county_outlines, scan_tables
from riskwatch.runner.context import RunContext, open_store
from riskwatch.runner.coverage import sampling_plan, watched_cells
from riskwatch.runner.detect import detect, model_panel
from riskwatch.runner.enterprises import Enterprises, enterprises, items, standard_effects
from riskwatch.runner.explanation import Explanation, explanation
from riskwatch.runner.indicators import IndicatorReport, explain_number, indicator_report, labelled_targets, with_targets
from riskwatch.runner.pairs import disproportionate_pairs
from riskwatch.runner.progress import Reporter
from riskwatch.runner.rates import failure_rates
from riskwatch.runner.run import RunReport, run_pipeline
from riskwatch.runner.terms import term_models
from riskwatch.runner.trends import trend_lists, trends_of
from riskwatch.runner.where import Where, narrowed, record_values
from riskwatch.runner.words import words
from riskwatch.sources import ADAPTERS
from riskwatch.store import Store
from riskwatch.store.lease import Clock, this_process

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from riskwatch.backtest.outcome import Outcome
    from riskwatch.backtest.tuned import TuneOutcome

__all__ = ["Project", "demo"]

Day = dt.date | str | None
WARNING_COLUMNS = [
    "warning_id", "grade", "state", "scope", "kind", "code", "name_zh", "name_en", "region", "hazard", "first_seen", "last_changed",
    "last_seen", "times_seen", "covered_by",
]  # fmt: skip
T = TypeVar("T")


class Project:
    """A folder with ``config/``, ``models/`` and ``pipelines/``, and the store behind it.

    Parameters
    ----------
    path : path-like
        The project's folder or one below it.
    profile : str, optional
        Profile in force; default: ``settings.profile``.
    settings : mapping of str to str, optional
        Overrides by dotted path, as ``riskwatch --set`` takes them, for example ``{"settings.data": "shared/data"}``.
    clock : callable, optional
        Gives the present instant, with a zone; default: the system's clock.

    Raises
    ------
    ProjectError
        If there is no project at ``path``.
    DefinitionError
        If any definition is wrong; the error lists all problems.
    """

    def __init__(
        self,
        path: str | Path = ".",
        *,
        profile: str | None = None,
        settings: Mapping[str, str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.clock: Clock = clock or _clock
        self._given = (profile, dict(settings or {}))
        self.root: Path = find_project(Path(path))
        self.definitions: Definitions = load_definitions(self.root, profile=profile, overrides=settings or {}, adapters=ADAPTERS)
        self.trees: dict[str, Tree] = load_trees(self.definitions.dimensions, root=self.root, data=self.data)

    @property
    def data(self) -> Path:
        """Folder that ``{data}`` in source paths stands for."""
        return self.definitions.data

    @property
    def var(self) -> Path:
        """Folder of the database and the digests of the profile in force."""
        return self.definitions.var

    def day(self, as_of: Day = None) -> dt.date:
        """Return the as-of day: the argument, else the pinned one, else today in the project's zone."""
        if isinstance(as_of, str):
            return dt.date.fromisoformat(as_of)
        if as_of is not None:
            return as_of
        return self.definitions.settings.as_of or self.clock().astimezone(ZoneInfo(self.definitions.settings.timezone)).date()

    @contextlib.contextmanager
    def store(self) -> Iterator[Store]:
        """Open the project's store for the length of a ``with`` block."""
        with open_store(self.definitions) as store:
            yield store

    @contextlib.contextmanager
    def context(self, *, as_of: Day = None, dry_run: bool = False, reporter: Reporter | None = None) -> Iterator[RunContext]:
        """Freeze the inputs of a run: clock, as-of day, definitions, trees and an open store."""
        with self.store() as store:
            yield RunContext(
                root=self.root,
                definitions=self.definitions,
                trees=self.trees,
                store=store,
                holidays=HolidayCalendar.from_config(self.definitions.catalogue("holidays")),
                as_of=self.day(as_of),
                now=self.clock(),
                out=self.var / ("dry-run" if dry_run else "digests"),
                grading=GradingRules.model_validate(self.definitions.catalogue("grading")),
                actions=ActionCatalogue.model_validate(self.definitions.catalogue("actions")),
                hazards=HazardCatalogue.model_validate(self.definitions.catalogue("hazards")),
                dry_run=dry_run,
                reporter=reporter or Reporter(),
            )

    def run(
        self,
        pipeline: str = "daily",
        *,
        as_of: Day = None,
        dry_run: bool = False,
        wait_seconds: float = 0.0,
        reporter: Reporter | None = None,
    ) -> RunReport:
        """Run a pipeline as of a day and return what it did.

        Raises
        ------
        LeaseHeldError
            If another run of this project is under way (after waiting ``wait_seconds``); it names the holder.
        AsOfError
            If the day lies before one that the store has already decided, and this is no dry run.
        """
        definition = self.pipeline(pipeline)
        with self.leased(label=pipeline, as_of=as_of, dry_run=dry_run, wait_seconds=wait_seconds, reporter=reporter) as ctx:
            return run_pipeline(ctx, definition)

    @contextlib.contextmanager
    def leased(
        self,
        *,
        label: str,
        as_of: Day = None,
        dry_run: bool = False,
        wait_seconds: float = 0.0,
        reporter: Reporter | None = None,
    ) -> Iterator[RunContext]:
        """Open a context that may write: one at a time per project; a dry run needs no lease."""
        with self.context(as_of=as_of, dry_run=dry_run, reporter=reporter) as ctx:
            if dry_run:
                yield ctx
                return
            seconds = self.definitions.settings.lease_seconds
            holder = this_process(label)
            with ctx.store.lease("run", holder=holder, seconds=seconds, wait_seconds=wait_seconds, clock=self.clock) as lease:
                yield dataclasses.replace(ctx, heartbeat=lease.renew)

    def pipeline(self, name: str) -> PipelineDefinition:
        """Return a pipeline by name; ProjectError names those there are."""
        return _named(self.definitions.pipelines, "pipeline", name)

    def source(self, name: str) -> SourceDefinition:
        """Return a source by name; ProjectError names those in force."""
        return _named(self.definitions.sources, "source", name)

    def centre(self, name: str) -> Centre:
        """Return a centre by name; ProjectError names those in force."""
        return _named(self.definitions.centres, "centre", name)

    def model(self, name: str) -> ModelDefinition:
        """Return a model by name; ProjectError names those in force."""
        return _named(self.definitions.models, "model", name)

    def records(
        self,
        stream: str,
        *,
        where: Where | None = None,
        since: Day = None,
        until: Day = None,
        as_of: Day = None,
        columns: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Return the records of a stream as they were known on a day (default: the project's day). For internal use: they are as stored.

        Parameters
        ----------
        stream : str
            "spot_check", "injury" and so on: docs/records.md.
        where : mapping, optional
            Column -> the value wanted, or several. A product, industry or region code takes all below it in its tree.
        since, until : date or str, optional
            First and last day of the event, both included.
        as_of : date or str, optional
        columns : sequence of str, optional
            Default: the source and all fields of the stream.

        Raises
        ------
        ProjectError
            If the stream or a column is not there (the message names those that are), or a code is not in its tree.

        Examples
        --------
        >>> import riskwatch as rw
        >>> project = rw.Project("demo")
        >>> burns = project.records("injury", where={"region": "220000", "severity": ["moderate", "severe"]}, since="2025-12-01")
        >>> sorted(burns["severity"].unique())
        ['moderate', 'severe']
        >>> project.records("injury", where={"regoin": "220000"})
        Traceback (most recent call last):
        riskwatch.errors.ProjectError: records of injury: no column 'regoin' to choose by; did you mean 'region'?
        ...
        """
        allowed = record_values(stream, where or {}, self.trees)
        days = [None if day is None else self.day(day) for day in (since, until)]
        with self.store() as store:
            return store.read_records(stream, columns=columns, as_of=self.day(as_of), where=allowed, since=days[0], until=days[1])

    def panel(self, model: str, *, as_of: Day = None) -> Panel:
        """Return the panel that a model watches, as it was known on a day.

        Examples
        --------
        >>> import riskwatch as rw
        >>> panel = rw.Project("demo").panel("spot-check-failures")
        >>> panel.index.names, panel.exposure is not None
        (FrozenList(['product', 'industry', 'region', 'stratum']), True)
        """
        with self.context(as_of=as_of) as ctx:
            return model_panel(ctx, self.model(model)).panel

    def enterprises(self, *, as_of: Day = None) -> Enterprises:
        """Return what is known of the enterprises behind the spot checks on a day; ``.table()`` has a row for each. It holds codes."""
        with self.context(as_of=as_of) as ctx:
            return enterprises(ctx)

    def items(
        self, *, by: Sequence[str] = (), days: int = 365, selections: Sequence[str] = (), new: bool = False, as_of: Day = None
    ) -> pd.DataFrame:
        """Return which test items fail in the newest ``days`` (or, with ``new``, newly fail), counted in samples."""
        with self.context(as_of=as_of) as ctx:
            return items(ctx, by=by, days=days, selections=selections, new=new)

    def standard_effects(self, *, days: int = 365, as_of: Day = None) -> pd.DataFrame:
        """Return, for each changed standard and product, how much of the rise of failures is the new limit's doing."""
        with self.context(as_of=as_of) as ctx:
            return standard_effects(ctx, days=days)

    def signals(self, model: str | None = None, *, where: Where | None = None, as_of: Day = None) -> pd.DataFrame:
        """Return the judgements of one model, or all, as of a day: one row per series and judged period.

        Parameters
        ----------
        model : str, optional
        where : mapping, optional
            Column of the answer -> the value wanted, or several; a product, industry or region code takes all below it.
        as_of : date or str, optional

        Examples
        --------
        >>> import riskwatch as rw
        >>> signals = rw.Project("demo").signals("spot-check-failures", where={"alarm": True, "region": "220100"})
        >>> bool((signals["observed"] > signals["expected"]).all())
        True
        """
        with self.context(as_of=as_of) as ctx:
            found = detect(ctx, [self.model(model).name] if model else ()).signals
        return narrowed(found, where, self.trees, asked="signals")

    def clusters(self, model: str = "injury-clusters", *, as_of: Day = None) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the clusters of neighbouring counties that a scan model finds as of a day, and the counties scanned for each.

        Returns
        -------
        clusters : DataFrame
            One row per cluster, most likely first within its group: product, industry, stratum, period, cluster (1: most likely),
            centre, n_places, first_day, last_day, observed, expected, relative_risk, llr, p_value, recurrence_years and more
            (:func:`riskwatch.runner.clusters.scan_tables`). Also those that are no alarm: see ``p_value``.
        places : DataFrame
            The drill-down: product, industry, stratum, period, cluster, place (code), name_zh, name_en, inside, observed, expected,
            longitude, latitude over the cluster's window.

        Raises
        ------
        ProjectError
            If there is no such model, or its detector is no scan.
        """
        with self.context(as_of=as_of) as ctx:
            clusters, places = scan_tables(ctx, self.model(model))
        tree = self.trees.get("region")
        for language in ("zh", "en"):
            names = {code: code if tree is None or code not in tree else tree.name(code, language) for code in set(places.get("place", ()))}
            places[f"name_{language}"] = [names[code] for code in places.get("place", ())]
        return clusters, places

    def cluster_map(
        self,
        model: str = "injury-clusters",
        *,
        product: str | None = None,
        cluster: int = 1,
        language: str = "zh",
        as_of: Day = None,
        found: tuple[pd.DataFrame, pd.DataFrame] | None = None,
    ) -> Figure:
        """Return the map of a cluster as a matplotlib figure: observed over expected by county, the cluster outlined, its counties listed.

        Parameters
        ----------
        model : str
        product : str, optional
            Code; default: the group whose cluster has the smallest p-value.
        cluster : int
            1 for the most likely of the group, 2 and on for those beside it.
        language : {"zh", "en"}
        as_of : date or str, optional
        found : tuple of DataFrame, optional
            What :meth:`clusters` returned for this model and day: several maps then need one scan.

        Raises
        ------
        ProjectError
            If there is no such cluster.
        """
        from riskwatch.plots import cluster_figure  # noqa: PLC0415 - drawing libraries load with it

        clusters, places = self.clusters(model, as_of=as_of) if found is None else found
        chosen = clusters if clusters.empty else clusters[clusters["cluster"] == cluster]
        if product is not None and not chosen.empty:
            chosen = chosen[chosen["product"] == product]
        if chosen.empty:
            wanted = "" if product is None else f" of product {product!r}"
            raise ProjectError(
                f"cluster_map: model {model} has no cluster {cluster}{wanted} on {self.day(as_of)}", hint="see Project.clusters"
            )
        one = chosen.sort_values(["p_value", "product"], kind="stable").iloc[0]
        same = places["cluster"] == cluster
        for part in ("product", "industry", "stratum", "period"):
            same &= places[part] == one[part]
        table = places[same].assign(name=lambda frame: frame[f"name_{language}"])
        with self.context(as_of=as_of) as ctx:
            outlines = county_outlines(ctx)
        return cluster_figure(table, outlines, title=self._cluster_title(one, language), language=language)

    def _cluster_title(self, one: pd.Series[Any], language: str) -> str:
        tree = self.trees.get("product")
        code = str(one["product"])
        name = tree.name(code, language) if tree is not None and code in tree else code
        return cluster_title(
            Wording(language),
            subject=name,
            counties=int(one["n_places"]),
            days=(one["first_day"], one["last_day"]),
            observed=float(one["observed"]),
            expected=float(one["expected"]),
            years=float(one["recurrence_years"]),
        )

    def trends(self, model: str, *, by: str | None = None, as_of: Day = None) -> pd.DataFrame:
        """Return how fast each series of a model gets worse, as of a day; see :func:`riskwatch.trends.ranking.worsening` for the columns.

        Parameters
        ----------
        model : str
        by : {"product", "industry", "region"}, optional
            Series of this dimension alone; default: all series of the model.
        as_of : date, optional
        """
        with self.context(as_of=as_of) as ctx:
            return trends_of(ctx, self.model(model), by=by)

    def trend_lists(self, by: str = "product", *, as_of: Day = None) -> dict[str, pd.DataFrame]:
        """Return the "getting worse" list of a dimension for each model that ``config/trends.yaml`` names for it and that is in force."""
        with self.context(as_of=as_of) as ctx:
            return trend_lists(ctx, by)

    def indicators(self, *, region: str | None = None, domain: str | None = None, as_of: Day = None) -> pd.DataFrame:
        """Return the newest value of each quality indicator with its comparisons, as known on a day.

        Parameters
        ----------
        region : str, optional
            Region code; default: all regions of the centres and of the records.
        domain : {"macro", "product", "engineering", "service", "environment"}, optional
        as_of : date or str, optional

        Returns
        -------
        DataFrame
            ``indicators.overview.OVERVIEW_COLUMNS``, ``label_zh``, ``label_en``, ``unit``, ``decimals``, and of the scored target that is
            due next, else of the newest: ``target``, ``target_state``, ``gap``, ``chance``, ``chance_year``, ``risk`` (yearly rows).

        Raises
        ------
        ProjectError
            If there is no ``config/indicators.yaml``, or the region or domain is unknown.
        """
        report = self._indicator_report(region, as_of)
        return _of_domain(with_targets(report), report, domain)

    def targets(self, *, region: str | None = None, domain: str | None = None, as_of: Day = None) -> pd.DataFrame:
        """Return every target in every region: attained or not, gap, trend, chance.

        Parameters are those of :meth:`indicators`.

        Returns
        -------
        DataFrame
            ``indicators.attainment.TARGET_COLUMNS``, ``asked`` (the figure of the text), ``label_zh``, ``label_en``, ``unit`` and
            ``decimals``.

        Raises
        ------
        ProjectError
            If there is no ``config/indicators.yaml``, or the region or domain is unknown.
        """
        report = self._indicator_report(region, as_of)
        return _of_domain(labelled_targets(report), report, domain)

    def explain_indicator(self, name: str, *, region: str | None = None, as_of: Day = None) -> dict[str, Any]:
        """Trace one indicator or target: formula, inputs, method, file:line (:func:`runner.indicators.explain_number`)."""
        with self.context(as_of=as_of) as ctx:
            return explain_number(ctx, name, region=region or "")

    def _indicator_report(self, region: str | None, as_of: Day) -> IndicatorReport:
        with self.context(as_of=as_of) as ctx:
            return indicator_report(ctx, regions=(region,) if region else ())

    def words(self, model: str | None = None, *, themes: bool = False, as_of: Day = None) -> pd.DataFrame:
        """Return the terms that emerge in texts as of a day (``texts.EMERGING_COLUMNS``, ``model``, product names), least likely first.

        Parameters
        ----------
        model : str, optional
            A model with ``terms:``; default: all in force.
        themes : bool
            Return themes and how they grew instead (``texts.THEME_COLUMNS`` and ``model``).
        as_of : date or str, optional

        Raises
        ------
        ProjectError
            If the model watches no terms, or there is no ``config/texts.yaml``.
        """
        with self.context(as_of=as_of) as ctx:
            return words(ctx, [self.model(model)] if model else [self.model(name) for name in term_models(ctx)], with_themes=themes)

    def warnings(self, *, where: Where | None = None, as_of: Day = None, open_only: bool = True) -> pd.DataFrame:
        """Return the early warnings as they stood at the end of a day (default: the newest), most urgent first.

        ``open_only``: those that speak for themselves; else also those that have recovered, or that another speaks for (``covered_by``).
        ``where``: column of the answer -> the value wanted, or several; a region takes all below it.

        Examples
        --------
        >>> import riskwatch as rw
        >>> warnings = rw.Project("demo").warnings(where={"region": "220000", "grade": ["I", "II", "III"]})
        >>> "warning_id" in warnings and set(warnings["grade"]) <= {"I", "II", "III"}
        True
        """
        day = None if as_of is None else self.day(as_of)
        with self.store() as store:
            stored = [EarlyWarning.from_payload(row.payload) for row in store.read_warnings(as_of=day)]
        kept = [warning for warning in stored if not open_only or (warning.live and warning.grade >= Grade.IV)]
        kept.sort(key=lambda warning: (-warning.grade, warning.subject, warning.warning_id))
        found = pd.DataFrame([self._warning_row(warning) for warning in kept], columns=WARNING_COLUMNS)
        return narrowed(found, where, self.trees, asked="warnings")

    def explain(self, warning_id: str, *, as_of: Day = None) -> Explanation:
        """Take one warning apart: from its grade back to the records. For internal use: the records are as stored.

        Parameters
        ----------
        warning_id : str
            The id, or an unambiguous start of it.
        as_of : date or str, optional
            As it stood at the end of a day; default: the project's day.

        Returns
        -------
        Explanation
            ``figures``, ``evidence``, ``steps``, ``actions``, ``events`` and ``would_change`` as frames; ``records`` and ``series`` with a
            frame for each row of ``evidence``.

        Raises
        ------
        ProjectError
            If no warning, or more than one, starts so.

        Examples
        --------
        >>> import riskwatch as rw
        >>> project = rw.Project("demo")
        >>> story = project.explain(project.warnings()["warning_id"].iloc[0])
        >>> len(story.records) == len(story.series) == len(story.evidence) > 0
        True
        >>> bool(story.records[0]["counted"].sum() == story.evidence["observed"].iloc[0])
        True
        """
        with self.context(as_of=as_of) as ctx:
            return explanation(ctx, warning_id)

    def coverage(self, *, as_of: Day = None, window_days: int | None = None) -> pd.DataFrame:
        """Return what of the key-product catalogue was sampled, thin or a gap, one row per cell (``riskwatch.coverage.gaps.FRAME``)."""
        with self.context(as_of=as_of) as ctx:
            return watched_cells(ctx, window_days=window_days).frame

    def sampling_plan(
        self, samples: int, *, objective: Objective = "mixture", mixture: float | None = None, as_of: Day = None
    ) -> pd.DataFrame:
        """Return where the next ``samples`` tell most (``riskwatch.coverage.advisor.PLAN``)."""
        with self.context(as_of=as_of) as ctx:
            return sampling_plan(ctx, samples=samples, objective=objective, mixture=mixture)

    def anomalies(self, kind: Kind = "product-region", *, as_of: Day = None) -> pd.DataFrame:
        """Return how unusual each product in each region, or each enterprise, is as a whole (``riskwatch.anomalies.table.FRAME``).

        They support a concern and never grade one. Rows of enterprises hold their codes: for internal use.
        """
        with self.context(as_of=as_of) as ctx:
            return anomaly_frame(ctx, kind)

    def report(
        self,
        period: str,
        *,
        region: str = "",
        languages: Sequence[str] | None = None,
        formats: Sequence[str] | None = None,
        out: str | Path | None = None,
        as_of: Day = None,
        reporter: Reporter | None = None,
    ) -> Report:
        """Return the report on the state of quality of a month ("2025-11"), quarter ("2025Q4") or year ("2025").

        Parameters
        ----------
        period : str
        region : str
            Jurisdiction; "" for everything.
        languages, formats : sequence of str, optional
            Default: as ``config/report.yaml`` says.
        out : path, optional
            Write the report's files there; nothing is written without it.
        as_of : date or str, optional
            The day as which records are read; default: the project's day.

        Raises
        ------
        CalendarError
            If the period is not written as above.
        AsOfError
            If the day lies before the period.
        """
        from riskwatch.runner.report_period import parse_period  # noqa: PLC0415 - drawing and typesetting libraries load with it
        from riskwatch.runner.reporting import make_report, read_rules, write_report  # noqa: PLC0415

        wanted = parse_period(period)
        with self.context(as_of=as_of, reporter=reporter) as ctx:
            rules = read_rules(ctx)
            chosen = tuple(languages or rules.languages)
            made = make_report(ctx, wanted, region, languages=chosen)
            if out is not None:
                write_report(ctx, made, languages=chosen, formats=tuple(formats or rules.formats), folder=Path(out))
        return made

    def backtest(
        self,
        first: Day,
        last: Day,
        *,
        pipeline: str = "daily",
        every: int = 7,
        config: str | Path | None = None,
        against: str | Path | None = None,
        hazards: str | Path | None = None,
        workers: int = 1,
        language: str = "zh",
        reporter: Reporter | None = None,
    ) -> Outcome:
        """Replay past run days, each as it was known then, and score the warnings; see :mod:`riskwatch.backtest`.

        Parameters
        ----------
        first, last : date or str
            The first begins with no warnings.
        pipeline : str
        every : int
            Days between run days.
        config, against : path, optional
            Definitions to replay, and others to compare with; default: the project's own, and none.
        hazards : path, optional
            Hazards that are known to have been; default: the ledger of a simulated province.
        workers : int
            Processes. More than 1 needs a main module that can be imported again: not a notebook's cell or standard input.
        language : {"zh", "en"}
            Of the page.
        reporter : Reporter, optional

        Returns
        -------
        riskwatch.backtest.outcome.Outcome
            ``after.table``, ``.lives``, ``.weeks``, ``.hazards`` and ``differences`` are DataFrames; ``files`` what was written.
        """
        from riskwatch.backtest.outcome import Wanted, run_backtest  # noqa: PLC0415 - drawing libraries load with it

        wanted = Wanted(
            project=self.root,
            pipeline=pipeline,
            first=self.day(first),
            last=self.day(last),
            step=every,
            today=self.day(),
            profile=self._given[0],
            overrides=self._given[1],
            config=None if config is None else Path(config),
            against=None if against is None else Path(against),
            hazards=None if hazards is None else Path(hazards),
            workers=workers,
            language=language,
        )
        return run_backtest(wanted, reporter or Reporter())

    def tune_budget(
        self, per_week: float, centre: str, *, grade: str = "III+", reporter: Reporter | None = None, **asked: Any
    ) -> TuneOutcome:
        """Find thresholds that meet an alert budget; ``asked``: other fields of :class:`riskwatch.backtest.tuned.Budget`.

        Nothing is applied. ``trials``, ``changes`` and ``reliability`` of the outcome are DataFrames, ``diff`` is the proposed change.
        """
        from riskwatch.backtest.tune import tune_budget  # noqa: PLC0415 - drawing libraries load with it
        from riskwatch.backtest.tuned import Budget  # noqa: PLC0415

        asked |= {name: self.day(asked[name]) for name in ("first", "last") if asked.get(name) is not None}
        asked |= {"project": self.root, "today": self.day(), "profile": self._given[0], "overrides": self._given[1]}
        return tune_budget(Budget(per_week=per_week, centre=centre, grade=grade, **asked), reporter)

    def rates(
        self,
        *,
        by: str = "region",
        level: str | None = None,
        since: Day = None,
        until: Day = None,
        as_of: Day = None,
        compare_with: str | tuple[dt.date, dt.date] | None = None,
        sources: Sequence[str] = (),
        within: Mapping[str, str] | None = None,
    ) -> pd.DataFrame:
        """Return spot-check failure rates that can be compared, or how they changed; see :func:`riskwatch.runner.rates.failure_rates`."""
        days = [None if text is None else self.day(text) for text in (since, until)]
        with self.context(as_of=as_of) as ctx:
            return failure_rates(
                ctx, by=by, level=level, since=days[0], until=days[1], compare_with=compare_with, sources=sources, within=within
            )

    def pairs(
        self,
        stream: str = "injury",
        *,
        by: str = "product,diagnosis",
        level: str | None = None,
        sources: Sequence[str] = (),
        since: Day = None,
        until: Day = None,
        as_of: Day = None,
        strata: Sequence[str] = ("year",),
        min_cases: int = 3,
        threshold: float = 2.0,
    ) -> pd.DataFrame:
        """Return pairs that are reported together more than expected; see :func:`riskwatch.runner.pairs.disproportionate_pairs`."""
        days = [None if text is None else self.day(text) for text in (since, until)]
        with self.context(as_of=as_of) as ctx:
            return disproportionate_pairs(
                ctx, stream=stream, by=by, level=level, sources=sources, since=days[0], until=days[1], strata=strata, min_cases=min_cases,
                threshold=threshold,
            )  # fmt: skip

    def cases(self, *, as_of: Day = None) -> pd.DataFrame:
        """Return where people stand with every warning on a day; columns :data:`riskwatch.runner.case_tables.CASE_COLUMNS`.

        Raises
        ------
        ProjectError
            If the project has no ``config/lifecycle.yaml``.
        """
        with self.context(as_of=as_of) as ctx:
            return case_frame(ctx)

    def case_events(self, warning_id: str, *, as_of: Day = None) -> pd.DataFrame:
        """Return what was done with a warning, oldest first; see :func:`riskwatch.runner.case_tables.event_frame` for the columns."""
        with self.context(as_of=as_of) as ctx:
            return event_frame(ctx, warning_id)

    def _warning_row(self, warning: EarlyWarning) -> dict[str, object]:
        subject = warning.subject
        tree = self.trees.get(subject.kind)
        known = tree is not None and subject.code in tree
        names = {
            f"name_{language}": tree.name(subject.code, language) if tree is not None and known else subject.code
            for language in ("zh", "en")
        }
        return {
            "warning_id": warning.warning_id,
            "grade": warning.grade.name,
            "state": warning.state,
            "scope": warning.scope.value,
            "kind": subject.kind,
            "code": subject.code,
            **names,
            "region": subject.region,
            "hazard": warning.hazard,
            "first_seen": warning.first_seen,
            "last_changed": warning.last_changed,
            "last_seen": warning.last_seen,
            "times_seen": warning.times_seen,
            "covered_by": warning.covered_by,
        }


def demo(folder: str | Path = "demo", *, seed: int = 1) -> Project:
    """Return the demonstration project in a folder, made there if it is not: the simulated province, its daily pipeline run once.

    Making it takes a minute or two; what is there already is taken as it is. All data are simulated (模拟数据).

    Parameters
    ----------
    folder : path-like
        It must be empty or not exist, or hold such a project.
    seed : int
        Of the province, where it is made.

    Raises
    ------
    ProjectError
        If the folder holds something else.

    Examples
    --------
    >>> import riskwatch as rw
    >>> rw.demo("demo").warnings().empty
    False
    """
    from riskwatch import datasets  # noqa: PLC0415 - only where the province is made

    root = Path(folder)
    if not (root / "config" / "riskwatch.yaml").is_file():
        init_project(root)
    project = Project(root)
    if not (project.data / "demo_truth").is_dir():
        datasets.simulate_province(seed=seed).write(project.data)
    with project.store() as store:
        ran = store.newest_run_day("daily") is not None
    if not ran:
        project.run("daily")
    return project


def _named(known: Mapping[str, T], kind: str, name: str) -> T:
    if name not in known:
        raise ProjectError(f'no {kind} "{name}" in force', hint=f"{kind}s in force: {', '.join(known) or 'none'}")
    return known[name]


def _of_domain(frame: pd.DataFrame, report: IndicatorReport, domain: str | None) -> pd.DataFrame:
    if domain is None:
        return frame
    known = report.catalogue.domains
    if domain not in known:
        raise ProjectError(f'indicators: no domain "{domain}"', hint=f"domains: {', '.join(known)}")
    return frame.loc[(frame["domain"] == domain).to_numpy()].reset_index(drop=True)


def _clock() -> dt.datetime:
    return dt.datetime.now(tz=dt.UTC)
