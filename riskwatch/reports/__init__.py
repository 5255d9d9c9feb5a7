"""The periodic report on the state of quality (质量状况统计分析报告): data in, documents out, every number traceable."""

from __future__ import annotations
