"""Block-outs against closed forms, and what is said about broken ones."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import trimesh
from exact_rays import assert_same_view, exact_depth
from gltf_maker import GltfMaker, box

from makeyourvideo.errors import InputError
from makeyourvideo.structure.scenes import film_blockout

SIZE = {"height": 40, "width": 60}
CAMERA = "camera: {fov: 40, keyframes: [{time: 0, position: [0, 1, 5], target: [0, 1, 0]}]}\n"
LENS = np.tan(np.radians(20))


def written(folder: Path, text: str) -> Path:
    path = folder / "blockout.yaml"
    path.write_text(text)
    return path


def frames(path: Path, **rest: object) -> np.ndarray:
    return np.stack(list(film_blockout(path, **SIZE, **rest).stream()))


def rays() -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:40, :60]
    return (x + 0.5 - 30) / 20 * LENS, (19.5 - y) / 20 * LENS


def test_a_ball_and_a_plane_have_the_depth_of_their_formulas(tmp_path: Path) -> None:
    """The ball goes from x = -1 to 1 within a second; the camera looks level, a metre above the floor."""
    path = written(
        tmp_path,
        CAMERA + "fps: 4\nduration: 1.25\nthings:\n"
        "  - {shape: plane, size: [400, 400]}\n"
        "  - shape: ball\n    radius: 0.5\n    position: [0, 1, 0]\n    easing: linear\n"
        "    keyframes: [{time: 0, position: [-1, 1, 0]}, {time: 1, position: [1, 1, 0]}]\n",
    )
    x, y = rays()
    with np.errstate(divide="ignore"):
        floor = np.where(y < 0, -1 / y, np.inf)
    floor[floor > 205] = np.inf
    clip = frames(path)
    assert len(clip) == 5
    for index, frame in enumerate(clip):
        centre = np.array([-1 + 2 * index / 4, 0, -5.0])  # from the camera
        squared = x * x + y * y + 1
        along = x * centre[0] + y * centre[1] - centre[2]
        under = along**2 - squared * (centre @ centre - 0.25)
        ball = np.where(under > 0, (along - np.sqrt(np.maximum(under, 0))) / squared, np.inf)
        expected = np.minimum(floor, ball)
        sure = np.abs(under) > 0.05  # away from the outline, where facets replace the curve
        np.testing.assert_allclose(frame[sure], expected[sure], rtol=2e-4)


def test_boxes_cylinders_and_meshes_stand_where_they_are_put(tmp_path: Path) -> None:
    trimesh.creation.box([1, 1, 1]).export(tmp_path / "crate.obj")
    path = written(
        tmp_path,
        CAMERA + "things:\n"
        "  - {shape: box, size: [1, 2, 1], position: [-1.5, 1, 0], scale: [1, 0.5, 2]}\n"
        "  - {shape: cylinder, radius: 0.25, height: 3, position: [0, 1, 0]}\n"
        "  - {shape: mesh, file: crate.obj, position: [1.5, 1, 0], scale: 0.5, rotation: [0, 90, 0]}\n",
    )
    frame = frames(path)[0]
    left, middle, right = frame[20, 4:12].min(), frame[20, 26:34].min(), frame[20, 45:55].min()
    assert (left, right) == pytest.approx((4, 4.75), rel=1e-5)
    assert middle == pytest.approx(4.75, rel=1e-3)
    assert np.isfinite(frame[4:36, 30]).all(), "the cylinder stands upright"


def test_rotations_turn_about_x_then_y_then_z_and_may_go_around(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        CAMERA
        + "fps: 4\nduration: 1\nthings:\n  - shape: box\n    position: [0, 1, 0]\n    size: [1, 0.5, 0.25]\n"
        "    easing: linear\n"
        "    keyframes: [{time: 0, rotation: [0, 0, 0]}, {time: 1, rotation: [90, 360, 40]}]\n",
    )
    corners, faces = box([-0.5, -0.25, -0.125], [0.5, 0.25, 0.125])
    pose = np.eye(4)
    pose[:3, 3] = [0, 1, 5]
    for index, frame in enumerate(frames(path)):
        turned = corners
        for axis, degrees in zip(np.eye(3), np.array([90, 360, 40]) * index / 4, strict=True):
            turn = trimesh.transformations.rotation_matrix(np.radians(degrees), axis)[:3, :3]
            turned = turned @ turn.T
        exact = exact_depth(turned + np.array([0, 1, 0]), faces, pose, np.radians(40), **SIZE)
        assert_same_view(frame, exact)


def test_what_moves_in_a_scene_file_moves_in_the_block_out(tmp_path: Path) -> None:
    maker = GltfMaker()
    maker.mesh(*box([-0.5, -0.5, -0.5], [0.5, 0.5, 0.5]))
    maker.animate(maker.node(mesh=0), "translation", [0, 1], [[0, 0, 0], [0, 0, 1]])
    maker.save(tmp_path / "drawer.glb")
    path = written(
        tmp_path, CAMERA + "things: [{shape: mesh, file: drawer.glb, position: [0, 1, 0], scale: 2}]"
    )
    assert frames(path, fps=1, num_frames=2).min(axis=(1, 2)) == pytest.approx([4, 2])


def test_a_ready_made_camera_frames_the_things_and_not_the_floor(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "camera: crane\nthings: [{shape: plane, size: [900, 900]}, {shape: ball, position: [0, 0.5, 0]}]",
    )
    depth = film_blockout(path, **SIZE).depth()
    assert (depth.num_frames, depth.fps, depth.units) == (16, 8, "metric")
    assert 0.5 < depth.metric_depth().min() < 3


def test_the_preview_gives_each_thing_its_colour(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        CAMERA + "fps: 2\nduration: 1\nthings:\n"
        "  - {shape: plane}\n"
        "  - {shape: ball, position: [-1, 1, 0], color: '#ff0000'}\n"
        "  - shape: box\n    position: [1, 1, 0]\n    color: '#0000ff'\n"
        "    keyframes: [{time: 0, rotation: [0, 30, 0]}]\n",
    )
    pictures = film_blockout(path, **SIZE).preview()
    assert (pictures.shape, pictures.dtype) == ((2, 40, 60, 3), np.uint8)
    ball, cube = pictures[0, 20, 19], pictures[0, 20, 41]
    assert ball[0] > 80 > ball[1] == ball[2] == 0
    assert cube[2] > 80 > cube[0] == cube[1] == 0
    floor = pictures[0, 30:]
    assert len(np.unique(floor.reshape(-1, 3), axis=0)) > 1, "a checkered floor"


BROKEN = {
    "aliases without end": (
        "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
        + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in pairwise("abcdefghijklmnop"))
        + "things: *p\n", "things",
    ),
    "no things": ("fps: 8", "things"),
    "empty": ("", "found an empty file$"),
    "only a comment": ("# nothing\n", "a value for the whole file, found nothing$"),
    "a list": ("- shape: ball\n", "keys and their values for the whole file, found "),
    "an empty thing": ("things: [null]", r"a value for things\.0, found nothing$"),
    "not yaml": ("fps: 8\nthings: [a, {b: ]", r"expected YAML, found an error in line 2 \([^\n\"]+\)$"),
    "not text": ("fps: \x01", "expected YAML, found what is no text at position 5$"),
    "code": ("things: !!python/object/apply:os.system ['true']", "YAML"),
    "no shape": ("things: [{radius: 1}]", r"things\.0"),
    "unknown shape": ("things: [{shape: teapot}]", r"things\.0.*teapot"),
    "unknown key": ("things: [{shape: ball, colour: '#ffffff'}]", r"things\.0\.ball\.colour"),
    "unknown key on top": ("things: [{shape: ball}]\nframes: 8", "frames"),
    "negative radius": ("things: [{shape: ball, radius: -1}]", r"things\.0\.ball\.radius.*greater than 0"),
    "not a number": ("things: [{shape: ball, position: [.nan, 0, 0]}]", r"things\.0\.ball\.position\.0"),
    "two numbers": ("things: [{shape: ball, position: [1, 0]}]", r"things\.0\.ball\.position"),
    "no colour": ("things: [{shape: ball, color: red}]", r"things\.0\.ball\.color"),
    "no scale": ("things: [{shape: ball, scale: 0}]", r"things\.0\.ball\.scale"),
    "no easing": ("things: [{shape: ball, easing: bouncy}]", r"things\.0\.ball\.easing"),
    "times that fall": (
        "things: [{shape: ball, keyframes: [{time: 1}, {time: 0}]}]", r"things\.0\.ball.*times must rise",
    ),
    "no path": ("things: [{shape: ball}]\ncamera: sideways", r"camera\.ready-made\.path.*sideways"),
    "no keyframes": ("things: [{shape: ball}]\ncamera: {keyframes: []}", r"camera\.keyframes\.keyframes"),
    "camera of numbers": ("things: [{shape: ball}]\ncamera: 5", "camera"),
    "no time": ("things: [{shape: ball}]\nduration: 0", "duration"),
    "file upwards": ("things: [{shape: mesh, file: ../a.obj}]", "own folder"),
    "file elsewhere": ("things: [{shape: mesh, file: /a.obj}]", "own folder"),
    "file of the web": ("things: [{shape: mesh, file: 'http://example.org/a.obj'}]", "own folder"),
    "missing file": ("things: [{shape: mesh, file: missing.obj}]", r"missing\.obj.*No such file"),
    "camera that looks away": (
        "things: [{shape: ball}]\ncamera: {keyframes: [{time: 0, position: [0, 0, 3], target: [0, 0, 9]}]}",
        "sees something",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_broken_block_outs_give_one_line_with_file_and_key(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    text, words = BROKEN[name]
    path = written(tmp_path, text)
    with pytest.raises(InputError, match=words) as caught:
        film_blockout(path, **SIZE).depth()
    line = str(caught.value)
    assert str(tmp_path) in line
    assert "\n" not in line
    assert capfd.readouterr() == ("", "")
