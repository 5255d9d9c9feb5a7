"""The daily digest: what one supervision centre reads on one day, as data, HTML, mail, Markdown and JSON."""

from __future__ import annotations

from riskwatch.digest.build import build_digest
from riskwatch.digest.dossier import DossierFrames
from riskwatch.digest.inputs import Labels, QualityReport, Recent, RecordClock, SourceHealth, Trees
from riskwatch.digest.labels import labels_from_rules
from riskwatch.digest.model import Digest, FirmCounts, GradeLabel, Text
from riskwatch.digest.recent import summarise_recent
from riskwatch.digest.render import Email, Image, render_email, render_html, render_json, render_markdown, render_text

__all__ = [
    "Digest",
    "DossierFrames",
    "Email",
    "FirmCounts",
    "GradeLabel",
    "Image",
    "Labels",
    "QualityReport",
    "Recent",
    "RecordClock",
    "SourceHealth",
    "Text",
    "Trees",
    "build_digest",
    "labels_from_rules",
    "render_email",
    "render_html",
    "render_json",
    "render_markdown",
    "render_text",
    "summarise_recent",
]
