"""``python -m riskwatch``."""

from __future__ import annotations

from riskwatch.cli import main

if __name__ == "__main__":
    main()
