import pytest
import torch
from small_unet import fill_zeros, fresh_unet
from torch.nn.functional import pixel_unshuffle

from makeyourvideo.models.grounding import Grounding

PATCH = 4
CHANNELS = {"in_channels": 4 + PATCH**2, "depth_patch_size": PATCH}


def scene(num_frames: int = 3, batch: int = 2) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    sample = torch.randn(batch, 4 + PATCH**2, num_frames, 8, 6, generator=generator)
    return sample, torch.tensor([7, 107]), torch.randn(batch, 5, 24, generator=generator)


def test_an_untrained_grounding_changes_nothing():
    plain = fresh_unet(**CHANNELS)
    grounded = fresh_unet(**CHANNELS, grounding_channels=32)
    grounded.load_state_dict(plain.state_dict(), strict=False)
    fill_zeros([plain.conv_out.weight])
    grounded.conv_out.load_state_dict(plain.conv_out.state_dict())
    with torch.no_grad():
        assert torch.equal(plain(*scene()).sample, grounded(*scene()).sample)
        assert plain(*scene()).sample.any()


@pytest.mark.parametrize("way", ["ground_in", "ground_out"])
def test_what_it_finds_reaches_the_prediction_by_both_ways(way):
    unet = fresh_unet(**CHANNELS, grounding_channels=32)
    fill_zeros([unet.conv_out.weight])
    with torch.no_grad():
        before = unet(*scene()).sample
        fill_zeros([getattr(unet, way).weight])
        assert not torch.equal(before, unet(*scene()).sample)


def test_it_sees_no_noise_and_every_frame_alone():
    unet = fresh_unet(**CHANNELS, grounding_channels=32)
    seen = []
    unet.grounding.register_forward_hook(lambda _module, _given, found: seen.append(found))
    sample, timesteps, text = scene()
    noisier = sample.clone()
    noisier[:, :4] += 1
    later = sample.clone()
    later[:, :, -1] += 1
    with torch.no_grad():
        for each in (sample, noisier, later):
            unet(each, timesteps, text)
    assert torch.equal(seen[0], seen[1])
    frames = [found.unflatten(0, (2, 3)) for found in seen]
    assert torch.equal(frames[0][:, :2], frames[2][:, :2])
    assert not torch.equal(frames[0][:, 2], frames[2][:, 2])


def test_a_few_frames_at_a_time_find_the_same():
    grounding = Grounding(32, 24, PATCH).eval()
    sample, _, text = scene(num_frames=5)
    depth = sample[:, 4:].movedim(2, 1).flatten(0, 1)
    with torch.no_grad():
        whole, sliced = (grounding(depth, text, slice_bytes) for slice_bytes in (2**30, 1))
        alone = grounding(depth[5:], text[1:], 2**30)
    torch.testing.assert_close(whole, sliced)
    torch.testing.assert_close(whole[5:], alone)


def test_a_gentle_slope_counts_as_much_as_a_step():
    """A ball differs from a disc by a hundredth of the depth between it and the floor."""
    grounding = Grounding(32, 24, 8).eval()
    across = torch.linspace(-1, 1, 64)
    round_part = (1 - across[:, None] ** 2 - across**2).clamp(min=0).sqrt()
    disc = (round_part > 0).float()
    ball = disc + 0.02 * round_part
    with torch.no_grad():
        flat, rounded, empty = (
            grounding.shapes(pixel_unshuffle(depth[None, None], 8)) for depth in (disc, ball, 0 * disc)
        )
    assert (rounded - flat).abs().max() > 0.05 * (flat - empty).abs().max()


@pytest.mark.parametrize("patch_size", [1, 2, 8])
def test_depth_may_be_folded_or_not(patch_size):
    grounding = Grounding(32, 24, patch_size).eval()
    with torch.no_grad():
        found = grounding(torch.rand(2, patch_size**2, 8, 6), torch.randn(1, 5, 24), 2**30)
    assert found.shape == (2, 32, 8, 6)
