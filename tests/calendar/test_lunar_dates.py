"""The moving holidays of config/holidays.yaml against the sky: new moons and solar longitudes after Meeus (Astronomical Algorithms, 2nd
edition, chapters 25 and 49), in Beijing time, and the rules of GB/T 33661-2017 for the months of the Chinese calendar."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path

import pytest
import yaml

CONFIG = yaml.safe_load((Path(__file__).parents[2] / "config" / "holidays.yaml").read_text(encoding="utf-8"))
YEARS = sorted(CONFIG["spring_festival"])
DAYS_OFF = {entry["date"] for entry in CONFIG["holidays"]}
J2000 = dt.date(2000, 1, 1)
BEIJING = 8 / 24
ONE = dt.timedelta(days=1)


def sine(degrees: float) -> float:
    return math.sin(math.radians(degrees))


def new_moon(k: int) -> dt.date:
    """Return the Beijing day of the k-th new moon since January 2000; the terms left out come to a minute or so."""
    t = k / 1236.85
    sun = 2.5534 + 29.10535670 * k
    moon = 201.5643 + 385.81693528 * k + 0.0107582 * t * t
    node = 160.7108 + 390.67050284 * k - 0.0016118 * t * t
    e = 1 - 0.002516 * t
    periodic = (
        -0.40720 * sine(moon) + 0.17241 * e * sine(sun) + 0.01608 * sine(2 * moon) + 0.01039 * sine(2 * node)
        + 0.00739 * e * sine(moon - sun) - 0.00514 * e * sine(moon + sun) + 0.00208 * e * e * sine(2 * sun)
        - 0.00111 * sine(moon - 2 * node) - 0.00057 * sine(moon + 2 * node) + 0.00056 * e * sine(2 * moon + sun)
        - 0.00042 * sine(3 * moon) + 0.00042 * e * sine(sun + 2 * node) + 0.00038 * e * sine(sun - 2 * node)
        - 0.00024 * e * sine(2 * moon - sun)
    )  # fmt: skip
    julian = 2451550.09766 + 29.530588861 * k + 0.00015437 * t * t + periodic - 70 / 86400
    return J2000 + dt.timedelta(days=math.floor(julian + BEIJING - 2451544.5))


def longitude(midnight: dt.date) -> float:
    """Return the sun's apparent longitude at the beginning of a Beijing day, in degrees."""
    t = (2451544.5 + (midnight - J2000).days - BEIJING - 2451545) / 36525
    anomaly = 357.52911 + 35999.05029 * t
    centre = (1.914602 - 0.004817 * t) * sine(anomaly) + (0.019993 - 0.000101 * t) * sine(2 * anomaly) + 0.000289 * sine(3 * anomaly)
    return (280.46646 + 36000.76983 * t + 0.0003032 * t * t + centre - 0.00569 - 0.00478 * sine(125.04 - 1934.136 * t)) % 360


def crossing(first: dt.date, degrees: float) -> dt.date:
    """Return the day from ``first`` on during which the sun reaches a longitude."""
    day = first
    while (longitude(day + ONE) - degrees) % 360 > 180 or (longitude(day) - degrees) % 360 < 180:
        day += ONE
    return day


def months(year: int) -> dict[int, dt.date]:
    """Return the first day of the ordinary months of a lunar year, 1 to 10, and of 11 and 12 before it."""
    starts = sorted({new_moon(k) for k in range(round((year - 2000) * 12.3685) - 6, round((year - 2000) * 12.3685) + 20)})
    solstices = [crossing(dt.date(y, 12, 18), 270) for y in (year - 1, year)]
    first, last = (max(i for i, day in enumerate(starts) if day <= solstice) for solstice in solstices)
    leap = None
    if last - first == 13:  # thirteen months between solstices: the first without a principal term is the leap month
        leap = next(i for i in range(first + 1, last) if longitude(starts[i]) // 30 == longitude(starts[i + 1]) // 30)
    ordinary = [starts[i] for i in range(first, last) if i != leap]
    return dict(zip([11, 12, *range(1, 11)], ordinary, strict=True))


@pytest.mark.parametrize("year", YEARS)
def test_moving_holidays_are_where_sun_and_moon_put_them(year):
    lunar = months(year)
    assert CONFIG["spring_festival"][year] == lunar[1]
    assert lunar[1] in DAYS_OFF
    assert lunar[5] + 4 * ONE in DAYS_OFF  # Dragon Boat Festival: fifth day of the fifth month
    assert lunar[8] + 14 * ONE in DAYS_OFF  # Mid-Autumn: fifteenth day of the eighth
    assert crossing(dt.date(year, 4, 2), 15) in DAYS_OFF  # Tomb-Sweeping Day


def test_the_calendar_reaches_2030():
    assert list(range(2010, 2031)) == YEARS
    assert {day.year for day in DAYS_OFF} == set(YEARS)
