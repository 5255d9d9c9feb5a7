"""Write the generated pages and JSON Schemas; a test keeps them equal to what the code says."""

from __future__ import annotations

import sys
from pathlib import Path

from riskwatch.cli.reference import reference_markdown as cli_markdown
from riskwatch.definitions.reference import write_reference
from riskwatch.definitions.schemas import write_schemas
from riskwatch.records.reference import reference_markdown as records_markdown

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Write docs/cli.md, docs/configuration.md, docs/records.md and config/schemas/*.json."""
    written = [ROOT / "docs" / "cli.md", ROOT / "docs" / "records.md"]
    for path, text in zip(written, (cli_markdown(), records_markdown()), strict=True):
        path.write_text(text, encoding="utf-8")
    written += [write_reference(ROOT), *write_schemas(ROOT)]
    sys.stdout.write("".join(f"{path.relative_to(ROOT)}\n" for path in written))


if __name__ == "__main__":
    main()
