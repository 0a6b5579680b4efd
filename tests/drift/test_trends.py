"""A slope's interval holds for frames that resemble the frames before them."""

import numpy as np
import pytest

from makeyourvideo.drift.trends import fit_trend, student


def noise(correlation: float, frames: int, count: int) -> np.ndarray:
    """Autoregressive noise `(count, frames)`; a random walk where the correlation is 1."""
    fresh = np.random.default_rng(7).standard_normal((count, frames + 200))
    values = np.zeros_like(fresh)
    for frame in range(1, fresh.shape[1]):
        values[:, frame] = correlation * values[:, frame - 1] + fresh[:, frame]
    return values[:, 200:]


@pytest.mark.parametrize(("freedom", "expected"), [(6, 2.447), (14, 2.145), (30, 2.042)])
def test_students_quantiles_are_those_of_tables(freedom: int, expected: float) -> None:
    assert student(0.975, freedom) == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize(
    ("correlation", "frames", "least"),
    [(0, 64, 0.94), (0.5, 64, 0.94), (0.9, 64, 0.93), (0.9, 128, 0.93), (0.95, 256, 0.93), (1, 128, 0.88)],
)
def test_the_interval_holds_the_slope_that_is_there(correlation: float, frames: int, least: float) -> None:
    values = noise(correlation, frames, 250) + 0.03 * np.arange(frames)
    trends = [fit_trend(series) for series in values]
    assert np.mean([trend.low <= 3 <= trend.high for trend in trends]) >= least
    assert np.mean([trend.p_value < 0.05 for trend in trends]) == pytest.approx(
        np.mean([not trend.is_flat for trend in trends]), abs=0.01
    )


def test_it_is_not_wider_than_it_must_be() -> None:
    """White noise: least squares alone would have a half width of about 0.47 in 100 frames."""
    widths = [(trend.high - trend.low) / 2 for trend in map(fit_trend, noise(0, 128, 100))]
    assert 0.45 < np.median(widths) < 0.75


def test_still_values_have_no_slope() -> None:
    trend = fit_trend(np.full(40, 127.25))
    assert trend.is_flat
    assert trend.slope == pytest.approx(0, abs=1e-9)
