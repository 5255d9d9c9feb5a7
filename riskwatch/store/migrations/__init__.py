"""Schema history; see :mod:`riskwatch.store.migrate`."""
