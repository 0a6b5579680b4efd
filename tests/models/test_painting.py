import torch
from torch.nn.functional import interpolate

from makeyourvideo.models.painting import Sharpening


@torch.no_grad()
def test_twice_the_size_is_nearly_bilinear_until_edges_are_learnt() -> None:
    sharpen = Sharpening(5, 4)
    for parameter in sharpen.sides[2].parameters():
        torch.nn.init.zeros_(parameter)
    rough = torch.rand(2, 3, 6, 8)
    (fine,) = sharpen(torch.rand(2, 5, 12, 16), rough)
    smooth = interpolate(rough, scale_factor=2, mode="bilinear")
    assert (fine - smooth).abs().max() < 0.05


@torch.no_grad()
def test_pixels_are_of_the_side_that_is_seen() -> None:
    """A network that asks the place above where what is seen is negative."""
    sharpen = Sharpening(1, 1)
    for parameter in sharpen.sides.parameters():
        torch.nn.init.zeros_(parameter)
    sharpen.sides[0].weight[0, 0, 1, 1] = -50
    sharpen.sides[2].weight[1, 0, 1, 1] = 1
    seen = torch.ones(1, 1, 8, 8)
    seen[..., :4] = -1
    rough = torch.arange(4.0).view(1, 1, 4, 1).expand(1, 1, 4, 4)
    (fine,) = sharpen(seen, rough)
    above = torch.tensor([0.0, 0, 0, 0, 1, 1, 2, 2])
    torch.testing.assert_close(fine[0, 0, :, 0], above, atol=1e-3, rtol=0)
    assert (fine[0, 0, 2:, 7] > above[2:] + 0.7).all()
