"""Run lengths: published values, R's chain, simulation, and the limit for a wanted run length."""

from __future__ import annotations

import numpy as np
import pytest

from riskwatch.detectors import run_length
from riskwatch.errors import DetectorError


@pytest.mark.parametrize(
    ("limit", "shift", "published"),
    [(4.0, 0.0, 336.0), (4.0, 1.0, 8.38), (5.0, 0.0, 930.0), (5.0, 1.0, 10.4), (4.0, 0.5, 26.6), (5.0, 2.0, 4.01)],
)
def test_normal_published(limit, shift, published):
    """Montgomery, Introduction to Statistical Quality Control, table 9.3 (two-sided: half of 336 and 930 in control), k = 0.5."""
    assert run_length.normal_arl(0.5, limit, shift=shift) == pytest.approx(published, rel=0.003)


@pytest.mark.parametrize(
    ("mean", "k", "h", "arl", "fast"),
    [
        (4.0, 5.0, 8.0, 171.779187151, 158.163212712),
        (4.0, 5.0, 10.0, 421.650098486, 397.470626633),
        (0.2, 0.5, 3.0, 641.450159165, 614.543636465),
        (1.0, 2.0, 6.0, 6713.23466189, 6639.71049977),
        (1.5, 2.5, 7.5, 5643.41356059, None),
    ],
)
def test_poisson_as_r(mean, k, h, arl, fast):
    """arlCusum of R surveillance 1.20.3; fast initial response starts at half the limit."""
    assert run_length.count_arl(mean, k, h) == pytest.approx(arl, rel=1e-10)
    if fast is not None:
        assert run_length.count_arl(mean, k, h, head_start=h / 2) == pytest.approx(fast, rel=1e-10)


@pytest.mark.parametrize(("mean", "phi", "k", "h"), [(4.0, 1.0, 5.0, 6.0), (2.0, 2.0, 3.5, 9.0)])
def test_chain_against_simulation(mean, phi, k, h):
    def draw(rng, n):
        return (rng.poisson(mean, n) if phi == 1 else rng.negative_binomial(mean / (phi - 1), 1 / phi, n)) - k

    seen, error = run_length.simulated_arl(draw, h, np.random.default_rng(5), runs=6000)
    assert run_length.count_arl(mean, k, h, phi=phi) == pytest.approx(seen, abs=4.5 * error)
    lengths = run_length.run_length_probabilities(mean, k, h, 400, phi=phi)
    assert (np.diff(lengths) >= 0).all()
    # The average run length is the sum of the survival probabilities; beyond the last one they fall geometrically.
    ratio = (1 - lengths[-1]) / (1 - lengths[-2])
    total = 1 + (1 - lengths[:-1]).sum() + (1 - lengths[-1]) / (1 - ratio)
    assert total == pytest.approx(run_length.count_arl(mean, k, h, phi=phi), rel=1e-6)


def test_normal_against_simulation():
    seen, error = run_length.simulated_arl(lambda rng, n: rng.standard_normal(n) - 0.1, 3.0, np.random.default_rng(6), runs=8000)
    assert run_length.normal_arl(0.5, 3.0, shift=0.4) == pytest.approx(seen, abs=4.5 * error)
    assert run_length.normal_arl(0.5, 5.0, head_start=2.5) < run_length.normal_arl(0.5, 5.0)


def test_one_state_by_hand():
    """With h = 1 and k = 1 the only state is 0, and two cases alarm."""
    p = 1 - np.exp(-0.5) * 1.5
    assert run_length.count_arl(0.5, 1.0, 1.0) == pytest.approx(1 / p, rel=1e-12)


def test_limit_for():
    for mean, k, phi in ((4.0, 5.0, 1.0), (2.0, 2.75, 1.5)):
        h = run_length.limit_for(500.0, mean, k, phi=phi)
        step = {5.0: 1.0, 2.75: 0.25}[k]
        assert run_length.count_arl(mean, k, h, phi=phi) >= 500 > run_length.count_arl(mean, k, h - step, phi=phi)


def test_errors():
    with pytest.raises(DetectorError, match=r"multiples of 1/d with d <= 1000, got 0\.12345"):
        run_length.count_arl(1.0, 0.12345, 2.0)
    with pytest.raises(DetectorError, match="arl0 must be > 1"):
        run_length.limit_for(1.0, 4.0, 5.0)
    with pytest.raises(DetectorError, match="head_start must be >= 0 and < limit"):
        run_length.count_arl(4.0, 5.0, 8.0, head_start=8.0)
    with pytest.raises(DetectorError, match="had not alarmed after 5 periods"):
        run_length.simulated_arl(lambda rng, n: -np.ones(n), 1.0, np.random.default_rng(1), runs=10, longest=5)
