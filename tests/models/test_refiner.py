"""Decoded frames are sharpened by their depth, each by itself."""

from pathlib import Path

import numpy as np
import pytest
import torch

from makeyourvideo import DepthVideo, MakeYourVideoPipeline
from makeyourvideo.errors import InputError
from makeyourvideo.models.refiner import Refiner
from makeyourvideo.settings import Options


@pytest.fixture
def refiner() -> Refiner:
    torch.manual_seed(0)
    refiner = Refiner(channels=8, num_blocks=2)
    torch.nn.init.normal_(refiner.last.weight, std=0.1)
    return refiner


def test_untrained_it_changes_nothing() -> None:
    frames = torch.rand(2, 3, 16, 24) * 2 - 1
    assert torch.equal(Refiner(channels=8, num_blocks=1)(frames, torch.rand(2, 1, 16, 24)), frames)


@torch.no_grad()
def test_each_frame_counts_by_itself_and_depth_counts(refiner: Refiner) -> None:
    frames, depth = torch.rand(3, 3, 16, 16) * 2 - 1, torch.rand(3, 1, 8, 8) * 2 - 1
    together = refiner(frames, depth)
    assert together.shape == frames.shape
    torch.testing.assert_close(refiner(frames[1:2], depth[1:2]), together[1:2])
    assert not torch.allclose(refiner(frames, -depth), together)


def test_the_depth_of_the_frames_themselves_is_looked_at(
    pipe: MakeYourVideoPipeline, depth: DepthVideo
) -> None:
    plan = pipe.plan("a ball", depth, "", Options())
    latents = torch.randn(1, 4, 4, 4, 4)
    whole = pipe.decode_latents(latents, [plan], [depth])
    part = pipe.decode_latents(latents[:, :, 2:], [plan], [depth], range(2, 4))
    torch.testing.assert_close(part, whole[:, 2:])
    other = pipe.decode_latents(latents[:, :, 2:], [plan], [depth], range(2))
    assert not torch.allclose(other, part)


def test_it_is_left_out_where_it_is_not_asked_for(pipe: MakeYourVideoPipeline, depth: DepthVideo) -> None:
    bare = MakeYourVideoPipeline(**{**pipe.components, "refiner": None})
    latents = torch.randn(1, 4, 4, 4, 4)
    drafted = pipe.plan("a ball", depth, "", Options(quality="draft"))
    decoded = bare.decode_latents(latents, [drafted], [depth])
    assert torch.equal(pipe.decode_latents(latents, [drafted], [depth]), decoded)
    for options in (Options(), Options(quality="standard"), Options(quality="draft", refine=True)):
        plan = pipe.plan("a ball", depth, "", options)
        assert not torch.equal(pipe.decode_latents(latents, [plan], [depth]), decoded)
    notes = [bare.plan("a ball", depth, "", Options(refine=asked)).notes for asked in (None, False, True)]
    assert notes == [(), (), ("frames are not refined, because the model has no refiner",)]


def test_a_model_may_do_without(pipe: MakeYourVideoPipeline, depth: DepthVideo, tmp_path: Path) -> None:
    sharpened = pipe("a ball", depth, generator=torch.Generator().manual_seed(0)).frames[0]
    pipe.refiner = None
    plain = pipe("a ball", depth, generator=torch.Generator().manual_seed(0)).frames[0]
    assert not np.array_equal(sharpened, plain)
    bare = MakeYourVideoPipeline(**{**pipe.components, "refiner": None})
    bare.save_pretrained(tmp_path)
    assert MakeYourVideoPipeline.from_pretrained(tmp_path).refiner is None
    assert MakeYourVideoPipeline.without_weights(tmp_path).refiner is None


def test_one_that_the_index_names_must_be_there(model_folder: Path, tmp_path: Path) -> None:
    for part in model_folder.iterdir():
        if part.name != "refiner":
            (tmp_path / part.name).symlink_to(part)
    for load in (MakeYourVideoPipeline.from_pretrained, MakeYourVideoPipeline.without_weights):
        with pytest.raises(InputError, match="refiner: expected a folder, found nothing there"):
            load(tmp_path)
