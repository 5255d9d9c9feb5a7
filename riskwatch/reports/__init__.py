"""The statistical analysis report on the state of quality (质量状况统计分析报告): a traced document, set as HTML, PDF, DOCX and JSON.

Modules are imported by name: ``riskwatch check`` reads the rules of this room with every definition, and must not load the drawing and
typesetting libraries for it.
"""
