"""Which pixels belong together, against the renderer's masks."""

import pytest
import torch
from torch import Tensor

from makeyourvideo.models.segments import Segments, segmented, shared
from makeyourvideo.structure.depth import DepthVideo
from makeyourvideo.world.render import FLOOR, SKY, render
from makeyourvideo.world.scene import WorldConfig, sample_scene


@pytest.mark.parametrize("seed", range(6))
def test_objects_floor_and_sky_are_those_of_the_scene(seed: int) -> None:
    clip = render(sample_scene(seed, WorldConfig(hills=0.0)).at(slice(1)), 64)
    depth = torch.from_numpy(DepthVideo.from_metric_depth(clip.depth).values)[:, None]
    found = segmented(depth)
    surfaces = clip.surfaces[0]
    assert ((found.floor[0, 0].numpy() == 1) == (surfaces == FLOOR)).mean() > 0.96
    assert ((found.sky[0, 0].numpy() == 1) == (surfaces == SKY)).mean() > 0.96
    large = [number for number in range(1, surfaces.max() + 1) if (surfaces == number).mean() > 0.02]
    for number in large:
        mask = surfaces == number
        overlaps = [(one.numpy() == 1)[mask].mean() for one in found.objects[0]]
        assert max(overlaps) > 0.7
    assert torch.cat(found, dim=1).sum(dim=1).max() == 1  # no pixel is of two


@pytest.mark.parametrize("noise", [0.0, 0.001, 0.002, 0.004])
def test_floors_are_no_objects_however_rough_the_depth(noise: float) -> None:
    """Of 0 to 1; half a level of 8 bits is 0.002."""
    clip = render(sample_scene(1, WorldConfig(hills=0.0)).at(slice(1)), 64)
    depth = torch.from_numpy(DepthVideo.from_metric_depth(clip.depth).values)[:, None]
    rough = depth + 2 * noise * torch.randn(depth.shape, generator=torch.Generator().manual_seed(0))
    found = segmented(rough).objects[0].amax(dim=0).numpy() == 1
    assert found[clip.surfaces[0] == FLOOR].mean() < 0.06
    assert found[clip.surfaces[0] > FLOOR].mean() > 0.8


def test_things_stand_on_the_floor() -> None:
    up = (63 - 2 * torch.arange(64)) / 64
    ground = (0.3 * (0.5 - up)).clamp(min=0)
    near = ground[:, None].repeat(1, 64)
    foot = 50  # of a wall that rises from there
    near[20 : foot + 1, 20:44] = ground[foot] + 0.02
    largest = segmented(2 * near[None, None] - 1).objects[0, 0]
    assert largest[20 : foot + 1, 20:44].all()
    assert largest.sum() == (foot + 1 - 20) * 24


def slab(where: Tensor) -> Tensor:
    """Depth of a floor with something upright at these pixels, `(1, 1, 64, 64)`."""
    up = (63 - 2 * torch.arange(64)) / 64
    near = (0.3 * (0.5 - up)).clamp(min=0)[:, None].repeat(1, 64)
    near[where] = 0.6
    return 2 * near[None, None] - 1


def test_what_is_connected_round_a_bend_is_one_object() -> None:
    arch = torch.zeros(64, 64, dtype=torch.bool)
    arch[4:10, 5:45] = True
    for leg in (slice(5, 9), slice(41, 45)):
        arch[4:60, leg] = True
    largest, *others = segmented(slab(arch)).objects[0]
    assert torch.equal(largest == 1, arch)
    assert not any(other.any() for other in others)


def halves(size: int) -> Segments:
    """The left half is an object, the lower right quarter is floor, the rest nothing."""
    objects, (floor, sky) = torch.zeros(1, 2, size, size), torch.zeros(2, 1, 1, size, size)
    objects[0, 0, :, : size // 2] = 1
    floor[0, 0, size // 2 :, size // 2 :] = 1
    return Segments(objects, floor, sky)


def test_a_segment_is_told_the_mean_of_the_places_within_it() -> None:
    values = torch.arange(32.0).view(1, 2, 4, 4)
    told = halves(16).means(values)
    assert told.shape == (1, 2, 4)  # two objects, of which one is none, floor and sky
    assert told[0, :, 0].tolist() == [values[0, 0, :, :2].mean(), values[0, 1, :, :2].mean()]
    assert told[0, :, 2].tolist() == [values[0, 0, 2:, 2:].mean(), values[0, 1, 2:, 2:].mean()]
    assert not told[0, :, [1, 3]].any()


def test_places_at_an_outline_do_not_count_but_where_there_are_no_others() -> None:
    segments = halves(16)
    segments.objects[0, 0, :, 4:] = 0  # the first column of places, of which there are four
    segments.objects[0, 0, :, 4:6] = 1  # half of the second
    segments.objects[0, 1, 4:5, 8:11] = 1  # three pixels of one place
    values = torch.rand(1, 1, 4, 4)
    told = segments.means(values)
    torch.testing.assert_close(told[0, 0, 0], values[0, 0, :, 0].mean())
    assert told[0, 0, 1] == values[0, 0, 1, 2]


def test_pixels_are_given_what_their_segment_is_told_and_others_keep_their_own() -> None:
    values, told = torch.rand(1, 3, 16, 16), torch.rand(1, 3, 4, 1)
    found = halves(16).over(values, told)
    assert torch.equal(found[:, :, :, :8], told[:, :, :1].expand(1, 3, 16, 8))
    assert torch.equal(found[:, :, 8:, 8:], told[:, :, 2:3].expand(1, 3, 8, 8))
    assert torch.equal(found[:, :, :8, 8:], values[:, :, :8, 8:])


def test_places_are_given_the_mean_of_what_their_pixels_are() -> None:
    segments = halves(16)
    segments.objects[0, 0, :, 6:] = 0  # half of the second column of places is left
    values, told = torch.rand(1, 3, 4, 4), torch.rand(1, 3, 4, 1)
    found = segments.over(values, told)
    torch.testing.assert_close(found[0, :, 0, 0], told[0, :, 0, 0])
    torch.testing.assert_close(found[0, :, 0, 1], (told[0, :, 0, 0] + values[0, :, 0, 1]) / 2)


@pytest.mark.parametrize("kind", ["flat", "sky"])
def test_without_a_floor_nothing_is_of_anything(kind: str) -> None:
    depth = {"flat": torch.zeros(1, 1, 24, 40), "sky": -torch.ones(1, 1, 24, 40)}[kind]
    segments = segmented(depth)
    assert not any(part.any() for part in segments)
    values = torch.rand(1, 3, 24, 40)
    assert torch.equal(segments.over(values, torch.rand(1, 3, 10, 1)), values)


def test_a_large_floor_is_told_and_given_in_half_precision_too() -> None:
    floor = torch.ones(1, 1, 2400, 2400)
    segments = Segments(torch.zeros(1, 8, 2400, 2400), floor, 0 * floor)
    values = torch.full((1, 1, 300, 300), 0.7).half()
    told = segments.means(values)[..., None]
    found = segments.over(0 * values, told)
    assert told.dtype == found.dtype == torch.float16
    assert found.min() == found.max() == pytest.approx(0.7, abs=1e-3)


def test_what_is_nearly_too_small_keeps_nearly_what_it_has() -> None:
    """So that nothing jumps in the frame where it becomes too small."""
    values, told = torch.rand(1, 1, 100, 100), torch.zeros(1, 1, 3, 1)
    kept = []
    for pixels in (60, 66, 90, 130):
        objects = torch.zeros(1, 1, 100, 100)
        objects.view(-1)[:pixels] = 1
        segments = Segments(objects, *torch.zeros(2, 1, 1, 100, 100))
        found = segments.over(values, told)
        kept.append((found.view(-1)[:pixels].std() / values.view(-1)[:pixels].std()).item())
    assert kept[0] == pytest.approx(1, abs=1e-3)
    assert kept[3] < 1e-3
    assert kept == sorted(kept, reverse=True)


def test_pixels_of_no_segment_are_given_what_their_place_has() -> None:
    segments = halves(32)
    segments.objects[0, 1, 20:24, 17:19] = 1  # nearly too small
    segments.floor[0, 0, 20:24, 17:19] = 0
    values, told = torch.rand(1, 3, 4, 4, requires_grad=True), torch.rand(1, 3, 4, 1)
    found = segments.over_places(values, told)
    wanted = segments.over(values.repeat_interleave(8, dim=2).repeat_interleave(8, dim=3), told)
    torch.testing.assert_close(found, wanted)
    found.sum().backward()
    assert values.grad is not None
    assert torch.equal(values.grad[0, :, :2, 2:], torch.full((3, 2, 2), 64.0))
    assert not values.grad[0, :, :, :2].any()


def sliding(frames: int, step: int = 1) -> Segments:
    """Two objects before a floor; one slides to the right, the other is there every second frame."""
    objects = torch.zeros(frames, 2, 16, 64)
    for frame in range(frames):
        first, second = (0, 1) if frame % 2 else (1, 0)  # sizes, and so numbers, change
        objects[frame, first, 2:8, 4 + step * frame : 12 + step * frame] = 1
        if frame % 2 == 0:
            objects[frame, second, 2:8, 54:60] = 1
    return Segments(objects, 1 - objects.sum(dim=1, keepdim=True), torch.zeros(frames, 1, 16, 64))


def test_what_segments_are_told_is_shared_with_the_same_ones_of_frames_around() -> None:
    segments, told = sliding(6), torch.rand(6, 3, 4)
    found = shared(told, segments)
    numbers = [1, 0, 1, 0, 1, 0]
    slid = torch.stack([part[:, number] for part, number in zip(told, numbers, strict=True)])
    torch.testing.assert_close(found[2, :, 1], slid[:5].mean(dim=0))
    torch.testing.assert_close(found[0, :, 1], slid[:3].mean(dim=0))
    torch.testing.assert_close(found[5, :, 0], slid[3:].mean(dim=0))
    torch.testing.assert_close(found[2, :, 0], told[[0, 2, 4], :, 0].mean(dim=0))
    floors = [told[max(0, frame - 2) : frame + 3, :, 2].mean(dim=0) for frame in range(6)]
    torch.testing.assert_close(found[:, :, 2], torch.stack(floors))
    assert torch.equal(found[:, :, 3], told[:, :, 3])  # no sky


def test_what_is_fast_shares_nothing_with_the_floor_that_it_was_before() -> None:
    segments, told = sliding(4, step=9), torch.rand(4, 3, 4)
    found = shared(told, segments)
    for frame, number in enumerate((1, 0, 1, 0)):
        assert torch.equal(found[frame, :, number], told[frame, :, number])


def test_an_object_shares_nothing_with_what_it_merges_into() -> None:
    objects = torch.zeros(3, 2, 16, 64)
    objects[:, 0, 2:8, 4:12], objects[[0, 2], 1, 2:8, 20:28] = 1, 1
    objects[1, 0, 2:8, 4:28] = 1
    told = torch.rand(3, 3, 4)
    found = shared(told, Segments(objects, *torch.zeros(2, 3, 1, 16, 64)))
    assert torch.equal(found[1], told[1])
    torch.testing.assert_close(found[0, :, :2], told[[0, 2], :, :2].mean(dim=0))


def test_one_frame_has_nothing_to_share() -> None:
    told = torch.rand(1, 3, 4)
    assert torch.equal(shared(told, sliding(1)), told)
