"""What is kept with a run beside its results: read back where a day needs no second run, compared where one is made again."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riskwatch import __version__
from riskwatch.runner.code import code_hash
from riskwatch.runner.context import RunContext

if TYPE_CHECKING:
    from riskwatch.runner.run import Decided, RunReport

__all__ = ["Forms", "config_files", "fill_in", "form_hashes", "libraries", "run_counts"]

Forms = Mapping[str, Mapping[str, str]]
"""Centre -> form ("zh.html", ..., "json") -> its text."""

# What figures, tables and drawings come from besides the package itself.
_LIBRARIES = ("numpy", "pandas", "scipy", "matplotlib", "pydantic", "jinja2")
_FILES = frozenset({".csv", ".geojson"})


def form_hashes(forms: Forms) -> dict[str, dict[str, str]]:
    """Return the sha256 of each form's bytes, by centre and form."""
    return {centre: {form: hashlib.sha256(text.encode()).hexdigest() for form, text in texts.items()} for centre, texts in forms.items()}


def config_files(root: Path) -> dict[str, str]:
    """Return the sha256 of the tables and maps under ``config/``: trees, borders, outlines. The hashes of definitions do not hold them."""
    found = sorted(path for path in (root / "config").rglob("*") if path.suffix in _FILES and path.is_file())
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def libraries() -> dict[str, str]:
    """Return the versions of Python and of the libraries that a digest is computed, drawn and set with."""
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in _LIBRARIES}}


def run_counts(ctx: RunContext, report: RunReport, decided: Decided, basis: str, forms: Forms) -> dict[str, Any]:
    """Return what is kept with a run beside its results."""
    return {
        "basis": basis,
        "records": report.records,
        "series": report.series,
        "tests": report.tests,
        "discovery": report.discovery,
        "signals": report.signals,
        "anomalies": report.anomalies,
        "warnings": report.warnings,
        "events": report.events,
        "failed_models": report.failed_models,
        "models": [run.model for run in decided.detection.runs],
        "version": __version__,
        "code": code_hash(()),
        "libraries": libraries(),
        "files": config_files(ctx.root),
        "forms": form_hashes(forms),
        # The digest says which sources could not be read, or not whole.
        "pulls": {entry.source: "failed" if entry.failed else "partly" for entry in report.pulls if entry.failed or entry.faults},
        **({"reports": [str(path.relative_to(ctx.definitions.var)) for path in report.reports]} if report.reports else {}),
    }


def fill_in(report: RunReport, counts: Mapping[str, Any]) -> None:
    """Fill in the report of a run that need not be made from what was kept with the one that stands."""
    for name in ("records", "series", "tests", "signals", "warnings", "events", "failed_models"):
        setattr(report, name, counts[name])
    report.anomalies = dict(counts.get("anomalies", {}))
    report.discovery = dict(counts.get("discovery", {}))
    report.reused_models = list(counts["models"])
