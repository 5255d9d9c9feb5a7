"""One pipeline run, from raw rows to digests. ``now`` is decided here and passed down.

Import from the modules: this package stays light, so that ``riskwatch --help`` does.
"""
