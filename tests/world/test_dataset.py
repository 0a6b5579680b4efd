import numpy as np
import pytest

from makeyourvideo.errors import InputError
from makeyourvideo.world.dataset import DatasetConfig, build_dataset, open_dataset
from makeyourvideo.world.render import render
from makeyourvideo.world.scene import WorldConfig

CONFIG = DatasetConfig(count=130, num_frames=1, first_seed=40, world=WorldConfig(size=16))


def test_a_data_set_is_built_once_and_reads_back(tmp_path):
    assert list(build_dataset(CONFIG, tmp_path))[-1] == (2, 2)
    dataset = open_dataset(tmp_path)
    assert len(dataset) == 130
    assert dataset.frames[129].shape == (1, 16, 16, 3)
    assert dataset.depth[0].min() == -1
    assert dataset.depth[0].max() == 1
    shown = {number for number in np.unique(dataset.surfaces[129]) if number > 0}
    assert shown <= set(range(1, len(dataset.scene(129).things) + 1))
    assert dataset.scene(129).seed == 169
    before = (tmp_path / "shard-00000").stat().st_mtime_ns
    assert list(build_dataset(CONFIG, tmp_path)) == [(2, 2)]
    assert (tmp_path / "shard-00000").stat().st_mtime_ns == before


def test_what_lacks_points_is_rendered_anew(tmp_path):
    config = CONFIG.model_copy(update={"count": 2})
    list(build_dataset(config, tmp_path))
    (tmp_path / "shard-00000" / "points.npy").unlink()
    assert list(build_dataset(config, tmp_path)) == [(0, 1), (1, 1)]
    assert open_dataset(tmp_path).points[1].shape == (1, 16, 16, 3)


def test_points_lie_on_their_objects(tmp_path):
    list(build_dataset(CONFIG.model_copy(update={"count": 6, "num_frames": 16}), tmp_path))
    dataset = open_dataset(tmp_path)
    for scene in range(6):
        clip = render(dataset.scene(scene), 16)
        there = clip.surfaces > 0
        points = dataset.points[scene]
        np.testing.assert_allclose(points[there], clip.points[there], atol=2e-3)
        assert not points[~there].any()
    assert any((points > 0).any() for points in dataset.points)


def test_scenes_do_not_depend_on_the_shard_they_stand_in(tmp_path):
    for folder, first in (("a", 40), ("b", 45)):
        config = CONFIG.model_copy(update={"count": 10, "first_seed": first})
        list(build_dataset(config, tmp_path / folder))
    first, second = open_dataset(tmp_path / "a"), open_dataset(tmp_path / "b")
    assert np.array_equal(first.frames[5], second.frames[0])
    assert first.captions[5] == second.captions[0]


def test_another_config_does_not_mix_in(tmp_path):
    list(build_dataset(CONFIG.model_copy(update={"count": 2}), tmp_path))
    with pytest.raises(InputError, match=r"dataset\.json"):
        next(build_dataset(CONFIG, tmp_path))
