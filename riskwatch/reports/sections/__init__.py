"""One writer per section of the report, in the order in which they stand."""
