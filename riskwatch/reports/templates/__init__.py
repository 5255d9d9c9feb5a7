"""Templates of the report: HTML and its style for Jinja, and the page for typst."""
