from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from makeyourvideo.evaluation.metrics import warping_error
from makeyourvideo.world.geometry import FAMILIES, build_shape
from makeyourvideo.world.render import FLOOR, SKY, flow, project, render
from makeyourvideo.world.scene import WorldConfig, sample_scene
from makeyourvideo.world.styles import STYLES


@pytest.fixture(scope="module")
def ball_clip():
    config = WorldConfig(
        families={"ball": 1},
        objects={1: 1},
        finishes={"checkered": 1},
        floors=("wooden",),
        styles={"realistic": 1},
    )
    return render(sample_scene(3, config), size=96)


def test_the_same_seed_gives_the_same_bytes():
    first, second = (render(sample_scene(7).at(slice(0, 2)), size=48) for _ in range(2))
    assert first.frames.tobytes() == second.frames.tobytes()
    assert first.depth.tobytes() == second.depth.tobytes()
    assert render(sample_scene(8).at(slice(0, 2)), size=48).frames.tobytes() != first.frames.tobytes()


def test_a_part_of_a_clip_equals_the_whole_clip_there():
    scene = sample_scene(11)
    whole, part = render(scene, size=48), render(scene.at(slice(4, 6)), size=48)
    assert np.array_equal(whole.frames[4:6], part.frames)


def test_depth_of_a_ball_and_the_floor_is_that_of_the_closed_form(ball_clip):
    scene, size = ball_clip.scene, ball_clip.frames.shape[1]
    rows, columns = np.indices((size, size))
    scale = scene.focal * size / 2
    lens = np.stack(
        [(columns - (size - 1) / 2) / scale, -(rows - (size - 1) / 2) / scale, np.ones_like(rows)], -1
    )
    for index in (0, 9, 15):
        camera = scene.cameras[index]
        rays, eye = lens @ camera[:3, :3].T, camera[:3, 3]
        floor = ball_clip.surfaces[index] == FLOOR
        np.testing.assert_allclose(ball_clip.depth[index][floor], (-eye[1] / rays[..., 1])[floor], rtol=1e-4)
        centre, radius = scene.things[0].poses[index, :3, 3] - eye, 0.85 * scene.things[0].size
        a, b, c = (rays**2).sum(-1), rays @ centre, centre @ centre - radius**2
        root = b**2 - a * c
        ball = (ball_clip.surfaces[index] == 1) & (
            root > 0.05 * b**2
        )  # away from the silhouette: a ball of triangles
        near = (b - np.sqrt(np.maximum(root, 0))) / a
        np.testing.assert_allclose(ball_clip.depth[index][ball], near[ball], rtol=0.01)


def test_sky_is_infinitely_far_and_nothing_else_is(ball_clip):
    assert np.array_equal(np.isinf(ball_clip.depth), ball_clip.surfaces == SKY)


def test_points_project_back_to_their_pixels(ball_clip):
    floor = np.argwhere(ball_clip.surfaces[5] == FLOOR)
    pixels, z = project(ball_clip.scene, 5, ball_clip.points[5][tuple(floor.T)], ball_clip.frames.shape[1])
    np.testing.assert_allclose(pixels[:, ::-1], floor, atol=0.02)
    np.testing.assert_allclose(z, ball_clip.depth[5][tuple(floor.T)], rtol=1e-4)


def test_flow_carries_each_frame_onto_the_next(ball_clip):
    moved, visible = flow(ball_clip)
    assert moved.shape == (15, 96, 96, 2)
    assert visible.mean() > 0.85
    frozen = np.repeat(ball_clip.frames[:1], 16, axis=0)
    shuffled = ball_clip.frames[::-1]
    exact = warping_error(ball_clip.frames, ball_clip)
    assert exact < 0.6 * warping_error(frozen, ball_clip)
    assert exact < 0.6 * warping_error(shuffled, ball_clip)


def test_objects_cast_shadows(ball_clip):
    lit = ball_clip.light[0][ball_clip.surfaces[0] == FLOOR].sum(-1)
    assert lit.max() > 1.3 * lit.min()
    assert 0.005 < (lit < 0.9 * lit.max()).mean() < 0.6


def test_objects_never_touch_or_share_a_family():
    for seed in range(40):
        things = sample_scene(seed).things
        assert len({thing.family for thing in things}) == len(things)
        for place, thing in enumerate(things):
            for other in things[:place]:
                gap = np.linalg.norm(thing.poses[:, [0, 2], 3] - other.poses[:, [0, 2], 3], axis=1)
                assert gap.min() > thing.size + other.size


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_a_solid_of_unit_size(family):
    for seed in range(3):
        shape = build_shape(family, seed)
        assert len(shape.corners) >= 8
        assert np.isfinite(shape.normals).all()
        assert 0.6 < np.linalg.norm(shape.corners, axis=-1).max() < 1.35
        assert shape.bottom == pytest.approx(shape.corners[..., 1].min(), abs=1e-5)


def test_hills_rise_behind_the_plain_and_never_on_it():
    config = WorldConfig(floors=("grass",), hills=1.0, objects={1: 1}, styles={"realistic": 1})
    clip = render(sample_scene(2, config).at(slice(0, 1)), size=64)
    height = clip.points[0][clip.surfaces[0] == FLOOR][:, 1]
    assert height.min() > -1e-3
    assert height.max() > 0.5
    flat = render(sample_scene(2, config.model_copy(update={"hills": 0.0})).at(slice(0, 1)), size=64)
    assert (flat.surfaces == SKY).sum() > (clip.surfaces == SKY).sum()


def test_flow_holds_on_hills_in_every_style():
    for style in STYLES:
        config = WorldConfig(floors=("sand",), hills=1.0, objects={2: 1}, styles={style: 1})
        clip = render(sample_scene(6, config), size=64)
        assert warping_error(clip.frames, clip) < 0.7 * warping_error(clip.frames[::-1], clip)


def test_styles_look_different_and_share_their_depth():
    clips = [
        render(sample_scene(9, WorldConfig(styles={name: 1})).at(slice(0, 1)), size=64) for name in STYLES
    ]
    for place, clip in enumerate(clips):
        assert np.array_equal(clip.depth, clips[0].depth)
        for other in clips[:place]:
            assert np.abs(clip.frames.astype(int) - other.frames).mean() > 4


def test_repainting_in_an_objects_own_looks_gives_its_pixels_back():
    for style in STYLES:
        config = WorldConfig(styles={style: 1}, objects={1: 1}, finishes={"plain": 1})
        clip = render(sample_scene(4, config).at(slice(0, 1)), size=64)
        inside = np.stack([ndimage.binary_erosion(mask, iterations=4) for mask in clip.surfaces == 1])
        thing = clip.scene.things[0]
        repainted = clip.repaint(inside, thing.color, thing.finish)
        assert np.median(np.abs(repainted.astype(int) - clip.frames[inside])) <= 1


@pytest.mark.parametrize("style", ["cartoon", "neon"])
def test_lines_over_an_object_stay_when_it_is_repainted(style):
    config = WorldConfig(styles={style: 1}, objects={1: 1}, finishes={"plain": 1}, families={"chair": 1})
    clip = render(sample_scene(4, config).at(slice(0, 1)), size=64)
    thing, inside = clip.scene.things[0], clip.surfaces == 1
    assert 0.1 < (clip.ink[inside] > 0.2).mean() < 0.9
    error = np.abs(clip.repaint(inside, thing.color, thing.finish).astype(int) - clip.frames[inside])
    bare = np.abs(
        replace(clip, ink=0 * clip.ink).repaint(inside, thing.color, thing.finish).astype(int)
        - clip.frames[inside]
    )
    assert error.mean() < 0.25 * bare.mean()
    plain = render(
        sample_scene(4, config.model_copy(update={"styles": {"clay": 1}})).at(slice(0, 1)), size=64
    )
    assert not plain.ink.any()


def test_metal_mirrors_the_sky():
    def top(sky):
        config = WorldConfig(
            families={"ball": 1}, objects={1: 1}, finishes={"metal": 1}, skies=(sky,), styles={"realistic": 1}
        )
        clip = render(sample_scene(5, config).at(slice(0, 1)), size=64)
        return clip.frames[clip.surfaces == 1].astype(float).mean(axis=0)

    red, _, blue = top("clear blue")
    assert blue > red + 5
    red, _, blue = top("sunset")
    assert red > blue + 5


def test_a_third_of_the_objects_fill_a_tenth_of_the_picture():
    shares = []
    for seed in range(500, 560):
        clip = render(sample_scene(seed).at(slice(8, 9)), size=48)
        shares += [(clip.surfaces == number + 1).mean() for number in range(len(clip.scene.things))]
    assert np.mean(np.array(shares) > 0.1) > 0.3
