"""Write the generated pages and JSON Schemas; a test keeps them equal to what the code says."""

from __future__ import annotations

import sys
from pathlib import Path

from riskwatch.cli.reference import reference_markdown
from riskwatch.definitions.reference import reference_markdown as configuration_markdown
from riskwatch.definitions.schemas import write_schemas
from riskwatch.records.reference import reference_markdown as records_markdown

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Write docs/cli.md, docs/configuration.md, docs/records.md and config/schemas/*.json."""
    for name, text in {"cli": reference_markdown(), "configuration": configuration_markdown(), "records": records_markdown()}.items():
        (ROOT / "docs" / f"{name}.md").write_text(text, encoding="utf-8")
    write_schemas(ROOT / "config" / "schemas")
    sys.stdout.write("generated docs/cli.md, docs/configuration.md, docs/records.md, config/schemas\n")


if __name__ == "__main__":
    main()
