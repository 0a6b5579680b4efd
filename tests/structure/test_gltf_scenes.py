"""glTF: what moves is where the formulas of the specification put it, in every frame."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pygltflib as gltf
import pytest
from exact_rays import assert_same_view, exact_depth
from gltf_maker import GltfMaker, box

from makeyourvideo.errors import InputError
from makeyourvideo.structure.scenes import film_scene, scene_cameras
from makeyourvideo.structure.scenes.gltf import GltfModel

SIZE = {"height": 40, "width": 52}
FOV = np.pi / 3


def vertices_at(path: Path, seconds: float, animation: str | None = None) -> np.ndarray:
    model = GltfModel(path, animation)
    return np.concatenate([mesh.vertices for mesh in (*model.still, *model.moving(seconds))])


def about_x(angle: float) -> np.ndarray:
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return turn


def about_z(angle: float) -> np.ndarray:
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return turn


def moved(x: float, y: float, z: float) -> np.ndarray:
    return np.block([[np.eye(3), np.array([[x], [y], [z]])], [np.zeros(3), 1]])


def applied(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ matrix[:3, :3].T + matrix[:3, 3]


class Walker:
    """A body on two legs: three boxes, three joints, legs that swing to and fro while the body advances."""

    times = np.array([0.0, 0.5, 1.0])
    swings = np.array([-0.6, 0.6, -0.6])
    eye = moved(0.2, 1.0, 4.0)

    def __init__(self) -> None:
        parts = [
            box([-0.4, 1, -0.2], [0.4, 2, 0.2]),
            box([-0.35, 0, -0.1], [-0.1, 1.1, 0.1]),
            box([0.1, 0, -0.1], [0.35, 1.1, 0.1]),
        ]
        self.vertices = np.concatenate([vertices for vertices, _ in parts])
        self.faces = np.concatenate([faces + 8 * number for number, (_, faces) in enumerate(parts)])
        self.joints = np.zeros((24, 4), int)
        self.weights = np.zeros((24, 4), int)
        self.weights[:, 0] = 255
        for leg in (1, 2):
            own = slice(8 * leg, 8 * leg + 8)
            self.joints[own, 0] = leg
            upper = np.arange(24)[own][self.vertices[own, 1] > 1]
            self.weights[upper, :2] = [155, 100]  # the body holds on to the upper ends

    def save(self, path: Path, **how: bool) -> Path:
        maker = GltfMaker()
        maker.mesh(
            self.vertices,
            self.faces,
            JOINTS_0=maker.accessor(self.joints, "u1", stride=8),
            WEIGHTS_0=maker.accessor(self.weights, "u1", normalized=True),
        )
        left = maker.node(root=False, translation=[-0.2, 0.0, 0.0])
        right = maker.node(root=False, translation=[0.2, 0.0, 0.0])
        hips = maker.node(translation=[0.0, 1.0, 0.0], children=[left, right])
        bind = np.stack([moved(0, -1, 0), moved(0.2, -1, 0), moved(-0.2, -1, 0)])
        skin = maker.skin([hips, left, right], bind)
        maker.node(mesh=0, skin=skin, translation=[50.0, 0.0, 0.0])  # a skinned mesh ignores its node's place
        for leg, sign in ((left, 1), (right, -1)):
            half = sign * self.swings / 2
            turns = np.stack([np.sin(half), 0 * half, 0 * half, np.cos(half)], axis=1)
            maker.animate(leg, "rotation", self.times, turns)
        maker.animate(hips, "translation", [0.0, 1.0], [[0, 1, 0], [0.5, 1, 0.8]])
        maker.camera(FOV, translation=self.eye[:3, 3].tolist())
        return maker.save(path, **how)

    def posed(self, seconds: float) -> np.ndarray:
        """The skinning formula, a joint after the other."""
        angle = np.interp(seconds, self.times, self.swings)
        share = np.clip(seconds, 0, 1)
        hips = moved(0.5 * share, 1, 0.8 * share)
        matrices = [
            hips @ moved(0, -1, 0),
            hips @ moved(-0.2, 0, 0) @ about_x(angle) @ moved(0.2, -1, 0),
            hips @ moved(0.2, 0, 0) @ about_x(-angle) @ moved(-0.2, -1, 0),
        ]
        posed = np.zeros_like(self.vertices)
        for column in range(4):
            for joint, matrix in enumerate(matrices):
                share = np.where(self.joints[:, column] == joint, self.weights[:, column] / 255, 0)
                posed += share[:, None] * applied(matrix, self.vertices)
        return posed


@pytest.mark.parametrize(
    ("name", "embed"), [("walker.glb", False), ("walker.gltf", False), ("a walker.gltf", True)]
)
def test_a_walking_figure_is_where_the_skinning_formula_puts_it(
    tmp_path: Path, name: str, embed: bool
) -> None:
    walker = Walker()
    path = walker.save(tmp_path / name, embed=embed)
    depth = film_scene(path, "eye", num_frames=9, fps=8, start=0.1, **SIZE).depth()
    assert (depth.units, depth.fps, depth.source) == ("metric", 8, str(path))
    shapes = set()
    for frame, metres in enumerate(depth.metric_depth()):
        exact = exact_depth(walker.posed(0.1 + frame / 8), walker.faces, walker.eye, FOV, **SIZE)
        exact[exact > 1e4] = np.inf
        assert_same_view(np.where(metres > 1e4, np.inf, metres), exact)
        shapes.add(np.isfinite(exact).tobytes())
    assert len(shapes) > 6, "the figure moves"


def test_the_stream_gives_the_same_frames_as_the_clip(tmp_path: Path) -> None:
    path = Walker().save(tmp_path / "walker.glb")
    asked = {"num_frames": 3, "fps": 4.0, **SIZE}
    streamed = np.stack(list(film_scene(path, "orbit", **asked).stream()))
    assert streamed.dtype == np.float32
    clip = film_scene(path, "orbit", **asked).depth()
    np.testing.assert_allclose(clip.inverse_depth(), 1 / streamed, atol=1e-6)


def one_box(path: Path, animate: Callable[[GltfMaker, int], None], **fields: object) -> Path:
    maker = GltfMaker()
    maker.mesh(*box([0, 0, 0], [1, 1, 1]))
    animate(maker, maker.node(mesh=0, **fields))
    return maker.save(path)


def test_steps_lines_and_arcs_between_keyframes(tmp_path: Path) -> None:
    corners, _ = box([0, 0, 0], [1, 1, 1])
    turns = [[0, 0, np.sin(a / 2), np.cos(a / 2)] for a in (0.2, 2.2)]
    turns[1] = [-part for part in turns[1]]  # the same rotation; the shorter way is to be taken

    def animate(maker: GltfMaker, node: int) -> None:
        maker.animate(node, "translation", [1, 3], [[0, 0, 0], [4, -2, 1]])
        maker.animate(node, "rotation", [1, 3], turns)
        maker.animate(node, "scale", [1, 2, 3], [[1, 1, 1], [2, 3, 4], [5, 5, 5]], "STEP")

    path = one_box(tmp_path / "box.glb", animate)
    for seconds in (0.0, 1.0, 1.5, 1.999, 2.0, 2.7, 3.0, 9.0):
        share = np.clip((seconds - 1) / 2, 0, 1)
        scale = np.diag([*([1, 1, 1], [2, 3, 4], [5, 5, 5])[int(np.clip(seconds - 1, 0, 2))], 1.0])
        expected = moved(4 * share, -2 * share, share) @ about_z(0.2 + 2 * share) @ scale
        np.testing.assert_allclose(vertices_at(path, seconds), applied(expected, corners), atol=1e-6)


def test_cubic_splines_follow_the_formula(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    times, keys = np.array([0.5, 1.25, 3.0]), rng.normal(size=(3, 3, 3))
    path = one_box(
        tmp_path / "box.glb",
        lambda maker, node: maker.animate(node, "translation", times, keys.reshape(9, 3), "CUBICSPLINE"),
    )
    corners, _ = box([0, 0, 0], [1, 1, 1])
    for seconds in (0.5, 0.9, 1.25, 2.0, 2.9):
        k = int(seconds >= 1.25)
        span = times[k + 1] - times[k]
        t = (seconds - times[k]) / span
        place = (
            (2 * t**3 - 3 * t**2 + 1) * keys[k, 1]
            + span * (t**3 - 2 * t**2 + t) * keys[k, 2]
            + (-2 * t**3 + 3 * t**2) * keys[k + 1, 1]
            + span * (t**3 - t**2) * keys[k + 1, 0]
        )
        np.testing.assert_allclose(vertices_at(path, seconds), corners + place, atol=1e-6)
    np.testing.assert_allclose(vertices_at(path, 0.0), corners + keys[0, 1], atol=1e-6)
    np.testing.assert_allclose(vertices_at(path, 7.0), corners + keys[2, 1], atol=1e-6)


def test_children_follow_their_parents_and_matrices_count(tmp_path: Path) -> None:
    corners, faces = box([0, 0, 0], [1, 1, 1])
    maker = GltfMaker()
    maker.mesh(corners, faces)
    fixed = moved(1, 2, 3) @ about_x(0.5)
    child = maker.node(root=False, mesh=0, matrix=fixed.T.ravel().tolist())
    parent = maker.node(children=[child])
    maker.animate(parent, "translation", [0, 1], [[0, 0, 0], [10, 0, 0]])
    path = maker.save(tmp_path / "tree.gltf")
    np.testing.assert_allclose(vertices_at(path, 0.3), applied(moved(3, 0, 0) @ fixed, corners), atol=1e-6)


def test_morph_targets_add_up_by_weight(tmp_path: Path) -> None:
    corners, faces = box([0, 0, 0], [1, 1, 1])
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(2, 8, 3)).astype(np.float32)
    maker = GltfMaker()
    primitive = maker.mesh(corners, faces)
    primitive.targets = [{"POSITION": maker.accessor(first)}, {"POSITION": maker.accessor(second)}]
    maker.parts.meshes[0].weights = [0.5, 0.25]
    still, moving = maker.node(mesh=0), maker.node(mesh=0)
    maker.animate(moving, "weights", [0, 2], [0, 255, 255, 0], dtype="u1", normalized=True)
    found = vertices_at(maker.save(tmp_path / "face.glb"), 0.5)
    np.testing.assert_allclose(found[:8], corners + 0.5 * first + 0.25 * second, atol=1e-6)
    np.testing.assert_allclose(found[8:], corners + 0.25 * first + 0.75 * second, atol=1e-6)
    assert still != moving


def test_a_nodes_own_morph_weights_go_before_the_meshs(tmp_path: Path) -> None:
    corners, faces = box([0, 0, 0], [1, 1, 1])
    maker = GltfMaker()
    maker.mesh(corners, faces).targets = [{"POSITION": maker.accessor(np.ones((8, 3)))}]
    maker.parts.meshes[0].weights = [0.5]
    maker.node(mesh=0)
    path = maker.save(tmp_path / "face.gltf")
    path.write_text(path.read_text().replace('"mesh": 0', '"mesh": 0, "weights": [3.0]'))
    np.testing.assert_allclose(vertices_at(path, 0), corners + 3, atol=1e-6)


def test_strips_fans_and_lists_without_indices_give_the_same_surface(tmp_path: Path) -> None:
    square = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]], float)
    forms = {
        "list": (square, [0, 1, 2, 2, 1, 3], 4),
        "soup": (square[[0, 1, 2, 2, 1, 3]], None, 4),
        "strip": (square, [0, 1, 2, 3], 5),
        "bare strip": (square, None, 5),
        "fan": (square, [0, 1, 3, 2], 6),
    }
    for name, (vertices, indices, mode) in forms.items():
        maker = GltfMaker()
        maker.mesh(vertices, indices, mode)
        maker.node(mesh=0)
        (mesh,) = GltfModel(maker.save(tmp_path / f"{name}.glb")).still
        one, two, three = np.moveaxis(mesh.vertices[mesh.faces], 1, 0)
        normals = np.cross(two - one, three - one)
        np.testing.assert_allclose(normals, [[0, 0, 1], [0, 0, 1]], err_msg=name)


def test_points_and_lines_are_no_surfaces(tmp_path: Path) -> None:
    maker = GltfMaker()
    maker.mesh(*box([0, 0, 0], [1, 1, 1]))
    maker.mesh(np.zeros((4, 3)), None, mode=1)
    maker.node(mesh=0)
    maker.node(mesh=1)
    assert len(GltfModel(maker.save(tmp_path / "lines.glb")).still) == 1


def test_strides_sparse_values_and_normalised_integers(tmp_path: Path) -> None:
    corners, faces = box([0, 0, 0], [1, 1, 1])
    maker = GltfMaker()
    for position in (
        maker.accessor(corners, stride=20),
        maker.accessor(corners * 32767, "i2", normalized=True, stride=8),
        maker.accessor(corners * 255, "u1", normalized=True, stride=4),
        maker.accessor(corners, "u2", stride=8),
        sparse(maker, corners),
    ):
        primitive = maker.mesh(corners, faces)
        primitive.attributes.POSITION = position
        maker.node(mesh=len(maker.parts.meshes) - 1)
    maker.parts.extensionsUsed = maker.parts.extensionsRequired = ["KHR_mesh_quantization"]
    for mesh in GltfModel(maker.save(tmp_path / "boxes.glb")).still:
        np.testing.assert_allclose(mesh.vertices, corners, atol=1e-6)


def sparse(maker: GltfMaker, corners: np.ndarray) -> int:
    """An accessor of zeros but for the corners that are not at the origin."""
    changed = np.flatnonzero(corners.any(axis=1))
    maker.parts.accessors.append(
        gltf.Accessor(
            componentType=5126,
            count=8,
            type="VEC3",
            sparse=gltf.Sparse(
                count=len(changed),
                indices=gltf.AccessorSparseIndices(
                    bufferView=maker.view(changed.astype("<u2").tobytes()), componentType=5123
                ),
                values=gltf.AccessorSparseValues(
                    bufferView=maker.view(corners[changed].astype("<f4").tobytes())
                ),
            ),
        )
    )
    return len(maker.parts.accessors) - 1


def test_one_animation_by_name_or_all_of_them(tmp_path: Path) -> None:
    def animate(maker: GltfMaker, node: int) -> None:
        maker.animate(node, "translation", [0, 1], [[0, 0, 0], [1, 0, 0]], name="walk")
        maker.animate(node, "translation", [0, 1], [[0, 0, 0], [9, 0, 0]], name="run")
        maker.animate(node, "scale", [0, 1], [[1, 1, 1], [2, 2, 2]], name="grow")

    path = one_box(tmp_path / "box.glb", animate)
    farthest = {name: vertices_at(path, 1.0, name).max(axis=0)[0] for name in ("walk", "run", "grow", None)}
    assert farthest == pytest.approx({"walk": 2, "run": 10, "grow": 2, None: 3})
    with pytest.raises(InputError, match=r"walk, run, grow.*'swim'"):
        GltfModel(path, "swim")


def test_a_camera_moves_with_its_node_and_scale_changes_nothing(tmp_path: Path) -> None:
    corners, faces = box([-0.5, -0.5, -0.5], [0.5, 0.5, 0.5])
    maker = GltfMaker()
    maker.mesh(corners, faces)
    maker.node(mesh=0)
    eye = maker.camera(FOV, root=False, translation=[0.0, 0.0, 2.0])
    rig = maker.node(children=[eye], scale=[2.0, 2.0, 2.0])
    maker.animate(rig, "rotation", [0, 1], [[0, 0, 0, 1], [np.sin(0.5), 0, 0, np.cos(0.5)]])
    path = maker.save(tmp_path / "rig.glb")
    assert scene_cameras(path) == ["eye"]
    frames = list(film_scene(path, num_frames=3, fps=2, **SIZE).stream())
    for frame, angle in zip(frames, (0, 0.5, 1.0), strict=True):
        assert_same_view(frame, exact_depth(corners, faces, about_x(angle) @ moved(0, 0, 4), FOV, **SIZE))


def test_far_from_the_origin_depth_is_as_exact(tmp_path: Path) -> None:
    place = np.array([500_000.0, 20.0, -4_000_000.0])
    corners, faces = box([-0.5, -0.5, -0.5], [0.5, 0.5, 0.5])
    maker = GltfMaker()
    maker.mesh(corners, faces)
    maker.node(mesh=0, translation=place.tolist())
    maker.camera(FOV, translation=(place + np.array([0, 0, 3])).tolist())
    (frame,) = film_scene(maker.save(tmp_path / "far.gltf"), num_frames=1, fps=1, **SIZE).stream()
    assert_same_view(frame, exact_depth(corners, faces, moved(0, 0, 3), FOV, **SIZE))


def test_what_reaches_behind_the_camera_is_seen_before_it(tmp_path: Path) -> None:
    floor = np.array([[-9.0, 0, -9], [9, 0, -9], [9, 0, 9], [-9, 0, 9]])
    maker = GltfMaker()
    maker.mesh(floor, [0, 1, 2, 0, 2, 3])
    lift = maker.node(mesh=0)
    maker.animate(lift, "translation", [0, 1], [[0, 0, 0], [0, 0.5, 0]])
    maker.camera(FOV, translation=[0.0, 1.0, 0.0])
    frames = film_scene(maker.save(tmp_path / "floor.glb"), num_frames=2, fps=1, **SIZE).stream()
    for frame, height in zip(frames, (0, 0.5), strict=True):
        exact = exact_depth(
            floor + moved(0, height, 0)[:3, 3], np.array([[0, 1, 2], [0, 2, 3]]), moved(0, 1, 0), FOV, **SIZE
        )
        assert np.isfinite(exact).any()
        assert_same_view(frame, exact)


@pytest.mark.parametrize("spread", [0.02, 0.3, 5.0])
def test_what_is_left_out_of_a_moving_mesh_is_never_seen(tmp_path: Path, spread: float) -> None:
    """Triangles smaller than a pixel and larger than the picture, around, at and behind the camera."""
    rng = np.random.default_rng(0)
    vertices = (rng.normal(size=(3000, 1, 3)) + spread * rng.normal(size=(3000, 3, 3))).reshape(-1, 3)
    frames = []
    for moving in (False, True):
        maker = GltfMaker()
        maker.mesh(vertices)
        node = maker.node(mesh=0)
        maker.camera(FOV, translation=[0.1, 0.0, 1.0])
        if moving:
            maker.animate(node, "translation", [0, 1], np.zeros((2, 3)))
        path = maker.save(tmp_path / f"{moving}.glb")
        assert len(GltfModel(path).moving(0)) == moving
        frames += film_scene(path, num_frames=1, fps=1, **SIZE).stream()
    np.testing.assert_array_equal(*frames)


def test_the_preview_is_a_picture_of_the_same(tmp_path: Path) -> None:
    path = Walker().save(tmp_path / "walker.glb")
    asked = {"num_frames": 2, "fps": 4.0, **SIZE}
    pictures = film_scene(path, "orbit", **asked).preview()
    assert (pictures.shape, pictures.dtype) == ((2, 40, 52, 3), np.uint8)
    for picture, depth in zip(pictures, film_scene(path, "orbit", **asked).stream(), strict=True):
        sky = (picture == picture[0, 0]).all(axis=-1)
        np.testing.assert_array_equal(sky, np.isinf(depth))
