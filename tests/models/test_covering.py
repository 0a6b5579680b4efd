"""What covers surfaces, on its own."""

import pytest
import torch

from makeyourvideo.models.covering import Covering


@torch.no_grad()
def test_nothing_is_computed_where_nothing_is_covered() -> None:
    covering = Covering(8, dimensions=3, patterns=4, width=32)
    asked, points, share = torch.randn(2, 4, 6, 8), torch.randn(2, 3, 6, 8), torch.rand(2, 1, 6, 8)
    share[:, :, :, :5] = 0
    whole = covering(asked, points) * share
    points[:, :, :, :5] = torch.nan
    torch.testing.assert_close(covering.in_part(asked, points, share), whole)
    assert not covering.in_part(asked, points, torch.zeros_like(share)).any()
    half = covering.bfloat16().in_part(asked.bfloat16(), points, share)
    torch.testing.assert_close(half, whole, atol=0.1, rtol=0.1, check_dtype=False)


class Stripes(Covering):
    """Black and white by turns, each 5.3 wide from left to right."""

    asked_at = 0

    def _covered(self, _: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        self.asked_at += len(points)
        return 2 * torch.floor(points[:, :1] / 5.3).remainder(2).expand(-1, 3) - 1


@torch.no_grad()
def test_an_edge_within_a_pixel_is_averaged_and_nothing_else_is_asked_again() -> None:
    row = torch.arange(8.0)
    points = torch.stack([row.expand(8, 8), row[:, None].expand(8, 8)])[None]
    covering = Stripes(8, dimensions=2, patterns=4, width=32)
    asked, share = torch.zeros(1, 4, 8, 8), torch.ones(1, 1, 8, 8)
    share[..., 6:, :] = 0
    alone = covering.in_part(asked, points, share)
    assert covering.asked_at == 48
    assert alone[0, 0, 0].tolist() == [-1, -1, -1, -1, -1, -1, 1, 1]
    averaged = covering.in_part(asked, points, share, antialias=True)
    assert covering.asked_at == 2 * 48 + 4 * 2 * 6  # the pixels on both sides of the edge, four times
    assert averaged[0, 0, 0].tolist() == [-1, -1, -1, -1, -1, -0.5, 1, 1]
    assert not averaged[..., 6:, :].any()


@torch.no_grad()
def test_other_surfaces_make_no_pattern_uneven() -> None:
    covering = Stripes(8, dimensions=2, patterns=4, width=32)
    points, share = torch.zeros(1, 2, 8, 8), torch.ones(1, 1, 8, 8)
    points[..., 4:] = 6
    share[..., 4:] = 0
    covering.in_part(torch.zeros(1, 4, 8, 8), points, share, antialias=True)
    assert covering.asked_at == 32


@torch.no_grad()
def test_patterns_may_have_edges_as_sharp_as_they_like() -> None:
    covering = Covering(8, dimensions=2, patterns=1, width=32)
    covering.patterns.weight.copy_(torch.tensor(1e3))
    covering.albedo.weight.copy_(torch.tensor(1.0))
    torch.nn.init.zeros_(covering.albedo.bias)
    covered = covering(torch.ones(1, 1, 1, 1), torch.rand(1, 2, 64, 64) * 12 - 6)
    assert covered.abs().max() <= 1
    assert (covered.abs() > 0.9).float().mean() > 0.9
    assert covered.min() < -0.9
    assert covered.max() > 0.9


@torch.no_grad()
def test_points_are_covered_alike_however_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    covering = Covering(8, patterns=5, width=32)
    asked, points = torch.randn(2, 5, 6, 7), torch.randn(2, 3, 6, 7)
    whole = covering(asked, points)
    assert whole.shape == (2, 3, 6, 7)
    monkeypatch.setattr("makeyourvideo.models.covering._POINTS", 11)
    torch.testing.assert_close(covering(asked, points), whole)
    one = covering(asked[1:, :, 2:3, 3:4], points[1:, :, 2:3, 3:4])
    torch.testing.assert_close(one, whole[1:, :, 2:3, 3:4])


@torch.no_grad()
def test_what_covers_may_be_the_same_everywhere() -> None:
    covering = Covering(8, patterns=5, width=32)
    asked, points = torch.randn(2, 5, 1, 1), torch.randn(2, 3, 6, 7)
    torch.testing.assert_close(covering(asked, points), covering(asked.expand(2, 5, 6, 7), points))


def test_far_points_are_waved_in_their_own_precision() -> None:
    covering = Covering(8, patterns=5, width=32)
    points = torch.randn(1, 3, 4, 4) + 100
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        nearly = covering(torch.ones(1, 5, 1, 1), points)
    with torch.no_grad():
        exactly = covering(torch.ones(1, 5, 1, 1), points)
    torch.testing.assert_close(nearly.float(), exactly, atol=0.1, rtol=0)


def test_half_of_the_waves_run_along_axes_and_diagonals() -> None:
    for waves in Covering(8, dimensions=3, width=96).waves:
        assert isinstance(waves, torch.nn.Conv2d)
        shares = waves.weight[:, :, 0, 0] / waves.weight[:, :, 0, 0].abs().amax(dim=1, keepdim=True)
        straight = torch.isclose(shares, shares.round(), atol=1e-4).all(dim=1)
        assert straight.sum() == 48
        assert len(shares[straight].round().unique(dim=0)) == 13
