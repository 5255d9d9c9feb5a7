"""The report as one self-contained HTML file: styles within, pictures as ``data:`` URIs, no outside resources, fit for print on A4."""

from __future__ import annotations

import base64
from functools import lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from riskwatch.digest.render import css_string
from riskwatch.reports.model import Report
from riskwatch.reports.wording import check_language, meta, refs, section_title, trace_rows, word

__all__ = ["render_html"]


def render_html(report: Report, language: str) -> str:
    """Return the report as HTML in one language. Everything that a name or text holds is escaped.

    Raises
    ------
    RiskwatchError
        If the language is neither "zh" nor "en", or its pictures were not drawn.
    """
    check_language(language)
    environment = _environment()
    running = f"{report.header.title.of(language)} {report.header.period}"
    css = Markup(environment.get_template("report.css.j2").render(running=css_string(running)))  # noqa: S704 - escaped right there
    return environment.get_template("report.html.j2").render(
        report=report,
        language=language,
        css=css,
        word=lambda key: word(key, language),
        meta=meta(report, language),
        refs=refs,
        titles={section.key: section_title(section.number, section.title, language) for section in report.sections},
        details={trace.id: f"{trace.id}: {trace.what.of(language)}. {trace.method.of(language)} [{trace.room}]" for trace in report.traces},
        traces=trace_rows(report.traces, language),
        image=lambda content: f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}",
    )


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("riskwatch.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
