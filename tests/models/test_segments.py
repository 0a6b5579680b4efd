"""Which pixels belong together, against the renderer's masks."""

import pytest
import torch
from torch import Tensor

from makeyourvideo.models.segments import Segments, segmented
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


def test_pixels_of_a_segment_get_the_same_mostly_by_those_that_are_sure() -> None:
    objects = torch.zeros(1, 2, 2, 3)
    objects[0, 0, 0, :2] = 1  # the second object is empty
    floor, sky = torch.zeros(2, 1, 1, 2, 3)
    floor[0, 0, 1, :2] = 1
    values = torch.tensor([[[[1.0, 3.0, 5.0], [7.0, 9.0, 11.0]]]])
    floorlike = torch.tensor([[[[0.0, 0.9, 0.5], [1.0, 0.1, 0.5]]]])
    found = Segments(objects, floor, sky).evened(values, floorlike)[0, 0]
    assert found[0, 0] == found[0, 1] == pytest.approx(1, abs=0.05)
    assert found[1, 0] == found[1, 1] == pytest.approx(7, abs=0.05)
    assert found[:, 2].tolist() == [5, 11]  # of nothing


@pytest.mark.parametrize("kind", ["flat", "sky"])
def test_without_a_floor_nothing_is_of_anything(kind: str) -> None:
    depth = {"flat": torch.zeros(1, 1, 24, 40), "sky": -torch.ones(1, 1, 24, 40)}[kind]
    segments = segmented(depth)
    assert not any(part.any() for part in segments)
    values = torch.rand(1, 3, 24, 40)
    assert torch.equal(segments.evened(values, torch.rand(1, 1, 24, 40)), values)


def test_a_large_floor_is_evened_in_half_precision_too() -> None:
    floor = torch.ones(1, 1, 300, 300)
    segments = Segments(torch.zeros(1, 8, 300, 300), floor, 0 * floor)
    found = segments.evened(torch.full_like(floor, 0.7).half(), torch.full_like(floor, 0.98).half())
    assert found.dtype == torch.float16
    assert found.min() == found.max() == pytest.approx(0.7, abs=1e-3)


def test_what_is_nearly_too_small_keeps_nearly_what_it_has() -> None:
    """So that nothing jumps in the frame where it becomes too small."""
    values = torch.rand(1, 1, 100, 100)
    kept = []
    for pixels in (60, 66, 90, 130):
        objects = torch.zeros(1, 1, 100, 100)
        objects.view(-1)[:pixels] = 1
        segments = Segments(objects, *torch.zeros(2, 1, 1, 100, 100))
        found = segments.evened(values, torch.zeros(1, 1, 100, 100))
        kept.append((found.view(-1)[:pixels].std() / values.view(-1)[:pixels].std()).item())
    assert kept[0] == pytest.approx(1, abs=1e-3)
    assert kept[3] < 1e-3
    assert kept == sorted(kept, reverse=True)
