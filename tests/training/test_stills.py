import numpy as np
import pytest
import torch

from makeyourvideo.training.config import read_config
from makeyourvideo.training.data import open_data
from makeyourvideo.training.stills import LOOKS, SEEN, Placed, Stills, standing_in
from makeyourvideo.world.scene import sample_scene


@pytest.fixture
def stills(trained, write_config):
    return Stills(open_data(read_config(write_config("shading"), "shading"), trained / "data"))


def test_the_sketcher_is_told_what_stands_where(stills):
    for scene in range(len(stills.data["stills"])):
        things, surfaces = stills.data["stills"].scene(scene).things, stills.data["stills"].surfaces[scene][0]
        labels = stills.labels("stills", scene)
        world = stills.data["stills"].scene(scene)
        assert labels.shape == (6, 4, 4)
        for row, column in np.ndindex(4, 4):
            patch = surfaces[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
            shares = [(patch == number).mean() for number in range(1, len(things) + 1)]
            what, *looks = labels[:, row, column]
            said = {
                question: known[answer]
                for (question, known), answer in zip(LOOKS.items(), looks, strict=True)
                if answer != -100
            }
            if max(shares) > 0.35:
                thing = things[int(np.argmax(shares))]
                assert SEEN[what] == thing.family
                assert said == {"color": thing.color, "finish": thing.finish, "style": world.style}
            else:
                is_sky = (patch == -1).mean() > (patch == 0).mean()
                name = "sky" if is_sky else "floor"
                assert SEEN[what] == name
                assert said == {name: getattr(world, name), "style": world.style}


def test_points_in_the_world_are_told_as_the_camera_sees_them():
    scene = sample_scene(3)
    standing = standing_in(scene)
    offset = scene.things[0].poses[0, :3, :3] @ [1.0, 0.5, 0.2]
    right = scene.cameras[0, :3, 0]
    ahead = np.cross(right, [0, 1, 0])
    np.testing.assert_allclose(
        standing.poses[0] @ [1.0, 0.5, 0.2], [offset @ right, offset[1], offset @ ahead], atol=1e-6
    )
    sun = np.array([np.cos(scene.sun_azimuth), 0, np.sin(scene.sun_azimuth)])
    np.testing.assert_allclose(standing.sun, [sun @ right, sun @ ahead], atol=1e-6)


def test_a_mirrored_still_has_its_patterns_in_the_mirror_and_all_else_the_right_way_round():
    points, wanted = torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4)
    floor, surfaces = torch.rand(2, 2, 4, 4), torch.arange(32).view(2, 1, 4, 4)
    placed = Placed(points, wanted, floor, surfaces, sun=torch.rand(2, 2))
    found = placed.mirrored(torch.tensor([True, False])[:, None, None, None])
    for ours, theirs in zip(found, placed, strict=True):
        assert torch.equal(ours[1], theirs[1])
    for ours, theirs in zip(found[:4], placed[:4], strict=True):
        side = torch.tensor([-1, 1, 1])[:, None, None] if theirs is wanted else 1
        assert torch.equal(ours[0], theirs[0].flip(2) * side)
    assert torch.equal(found.sun[0], placed.sun[0] * torch.tensor([-1, 1]))
