"""Charts and maps for digests and reports: Agg only, no pyplot state, Chinese labels without system fonts, the same bytes every time.

The font is Noto Sans SC Regular (SIL Open Font Licence) from the package ``pylopdf-fonts-zh-cn``, read by path; nothing is installed.
Every figure is a pure function of a frame; :func:`to_png` turns it into bytes.
"""

from matplotlib.figure import Figure

from riskwatch.plots.base import ALARM, BAR, DPI, INK, LIMIT, LINE, cjk_font, to_png
from riskwatch.plots.budget import budget_figure
from riskwatch.plots.bullet import bullet_figure
from riskwatch.plots.calibration import calibration_figure
from riskwatch.plots.clusters import cluster_figure
from riskwatch.plots.forecast import forecast_figure
from riskwatch.plots.funnel import binomial_limits, funnel_figure
from riskwatch.plots.heat import coverage_figure
from riskwatch.plots.history import history_of
from riskwatch.plots.intervals import interval_figure
from riskwatch.plots.maps import map_figure
from riskwatch.plots.mix import mix_figure
from riskwatch.plots.power import power_figure
from riskwatch.plots.reliability import reliability_figure
from riskwatch.plots.replay import calendar_figure, lead_figure
from riskwatch.plots.series import series_figure
from riskwatch.plots.slopes import slope_figure

__all__ = [
    "ALARM",
    "BAR",
    "DPI",
    "INK",
    "LIMIT",
    "LINE",
    "Figure",
    "binomial_limits",
    "budget_figure",
    "bullet_figure",
    "calendar_figure",
    "calibration_figure",
    "cjk_font",
    "cluster_figure",
    "coverage_figure",
    "forecast_figure",
    "funnel_figure",
    "history_of",
    "interval_figure",
    "lead_figure",
    "map_figure",
    "mix_figure",
    "power_figure",
    "reliability_figure",
    "series_figure",
    "slope_figure",
    "to_png",
]
