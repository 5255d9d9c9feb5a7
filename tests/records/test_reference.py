from __future__ import annotations

from pathlib import Path

from riskwatch.records import RULES, STREAMS
from riskwatch.records.reference import reference_markdown

PAGE = Path(__file__).parents[2] / "docs" / "records.md"


def test_the_page_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == reference_markdown(), "run: python -m riskwatch.records.reference > docs/records.md"


def test_the_page_names_every_field_and_rule():
    page = reference_markdown()
    for stream in STREAMS.values():
        for field in (*stream.all_fields, *stream.items):
            assert f"| `{field.name}` | {field.zh} | {field.en} |" in page
    for rule in RULES:
        assert f"| `{rule}` |" in page
