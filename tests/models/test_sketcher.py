"""The sketcher on its own, and at the beginning of a run."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import CLIPTextModel, CLIPTokenizer

from makeyourvideo import DepthVideo, MakeYourVideoPipeline
from makeyourvideo.errors import InputError
from makeyourvideo.memory import LADDER, Thrift
from makeyourvideo.models.following import Followed
from makeyourvideo.models.painting import _mixed
from makeyourvideo.models.relief import RELIEF, relief
from makeyourvideo.models.rigid import agreed
from makeyourvideo.models.segments import Segments
from makeyourvideo.models.sketcher import KINDS, Sketcher, luminance, upright
from makeyourvideo.pipeline import BUNDLED_MODEL
from makeyourvideo.pipeline_output import to_uint8
from makeyourvideo.sampling import WindowDone, draw_key
from makeyourvideo.settings import Options
from makeyourvideo.sketches import Sketches, sketched_together, with_detail
from makeyourvideo.sketching import _SAID
from makeyourvideo.structure.depth import Normalization, Units
from makeyourvideo.structure.depth_file import DepthFile
from makeyourvideo.training.tokenizer import context_of
from makeyourvideo.world.captions import SIDES
from tiny_model import moving_disc


@pytest.fixture
def sketcher() -> Sketcher:
    """To which every place may be of the floor or not."""
    torch.manual_seed(0)
    sketcher = Sketcher(channels=16, context_channels=24).eval()
    torch.nn.init.constant_(sketcher.kinds.bias[:1].detach(), math.log(KINDS))
    return sketcher


def nothing(side: int) -> Segments:
    """Of which no pixel is of anything."""
    return Segments(torch.zeros(1, 8, side, side), *torch.zeros(2, 1, 1, side, side))


@torch.no_grad()
@pytest.mark.parametrize("size", [(32, 32), (24, 40)])
def test_each_frame_counts_by_itself_with_its_text(sketcher: Sketcher, size: tuple[int, int]) -> None:
    depth, text = torch.rand(3, 1, *size) * 2 - 1, torch.randn(3, 5, 24)
    heading, floor, sun = torch.randn(3), torch.randn(3, 2, size[0] // 2, size[1] // 2), torch.randn(3, 2)
    together = sketcher(depth, text, heading, floor, sun)
    assert together.shape == (3, 3, *size)
    alone = sketcher(depth[1:2], text[1:2], heading[1:2], floor[1:2], sun[1:2])
    # waves of floors many metres away multiply how sums of other lengths are rounded
    torch.testing.assert_close(alone, together[1:2], atol=1e-3, rtol=0)
    for other in (
        (depth.flip(3), text, heading, floor, sun),
        (depth, text.flip(0), heading, floor, sun),
        (depth, text, heading.flip(0), floor, sun),
        (depth, text, heading, floor.flip(0), sun),
        (depth, text, heading, floor, sun.flip(0)),
    ):
        assert not torch.allclose(sketcher(*other), together)


@torch.no_grad()
def test_of_the_shapes_only_their_kinds_meet_the_text(sketcher: Sketcher) -> None:
    text = torch.randn(2, 5, 24)
    kinds = torch.zeros(2, sketcher.kinds.out_channels, 1, 1)
    kinds[:, 3] = 1
    found = sketcher.about(kinds, text)
    assert found.shape == (2, 16, 1, 1)
    assert not torch.allclose(found, sketcher.about(kinds.roll(1, dims=1), text))
    assert not torch.allclose(found, sketcher.about(kinds, text.flip(0)))


@torch.no_grad()
def test_each_surface_is_read_about_as_if_there_were_no_other(sketcher: Sketcher) -> None:
    text, kinds = torch.randn(2, 5, 24), torch.randn(2, sketcher.kinds.out_channels, 3, 2).softmax(dim=1)
    found = sketcher.about(kinds, text)
    alone = sketcher.about(kinds[:, :, 1:2, 1:], text)
    torch.testing.assert_close(found[:, :, 1:2, 1:], alone)


@torch.no_grad()
def test_what_is_of_a_segment_is_covered_as_was_read_about_all_of_it(sketcher: Sketcher) -> None:
    depth, text = torch.rand(1, 1, 32, 32) * 2 - 1, torch.randn(1, 5, 24)
    seen, kinds = sketcher.shapes(depth)
    floor = torch.zeros(1, 1, 32, 32)
    floor[:, :, 16:] = 1
    segments = Segments(torch.zeros(1, 8, 32, 32), floor, torch.zeros(1, 1, 32, 32))
    told = segments.means(kinds)
    reading = sketcher.read(kinds, told, text)
    places, whole = reading.split(reading.found)
    assert places.shape == (1, 16, 4, 4)
    assert whole.shape == (1, 16, 10, 1)
    mean = kinds[:, :, 2:].mean(dim=(2, 3), keepdim=True).softmax(dim=1)
    torch.testing.assert_close(whole[:, :, 8:9], sketcher.about(mean, text))
    torch.testing.assert_close(places, sketcher.about(kinds.softmax(dim=1), text))

    def painted(told: torch.Tensor) -> torch.Tensor:
        given = (torch.ones(1, 3, 16, 16), torch.ones(1, 2, 16, 16), torch.ones(1, RELIEF, 16, 16))
        return sketcher.picture(seen, sketcher.read(kinds, told, text), *given, segments)

    other = told.clone()
    other[:, :, 8] = other[:, :, 8].flip(1)
    changed = (painted(other) - painted(told)).abs().mean(dim=(1, 3))[0]
    assert changed[20:].min() > 5 * changed[:6].max()  # above it norms alone


def test_luminance_is_how_bright_colours_are() -> None:
    grays = torch.linspace(-0.9, 1, 9).expand(1, 3, 1, 9)
    torch.testing.assert_close(luminance(grays), grays[:, :1])
    red, green, blue = (luminance(2 * one.view(1, 3, 1, 1) - 1).item() for one in torch.eye(3))
    assert green > red > blue
    assert torch.isfinite(luminance(torch.tensor([-1.3, -1.0, 1.2]).view(1, 3, 1, 1))).all()


@torch.no_grad()
def test_a_style_may_take_the_colours(sketcher: Sketcher) -> None:
    """What covers surfaces becomes gray, and no patterns are lost."""
    seen, kinds = sketcher.shapes(torch.rand(1, 1, 32, 32) * 2 - 1)
    points, floor, lit = (torch.rand(1, width, 16, 16) for width in (3, 2, RELIEF))
    reading = sketcher.read(kinds, nothing(32).means(kinds), torch.randn(1, 5, 24))
    parts = (reading, points, floor, lit, nothing(32))
    for layer in (sketcher.light, sketcher.colors, sketcher.gray):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    sketcher.light.bias.fill_(1)  # full light, and nothing that shines
    colorful = sketcher.picture(seen, *parts)
    sketcher.gray.bias.fill_(1)  # and more: it goes no further than gray
    gray = sketcher.picture(seen, *parts)
    assert colorful.std(dim=1).mean() > 0.01
    torch.testing.assert_close(gray, luminance(colorful).expand_as(gray))


@torch.no_grad()
def test_patterns_lie_where_the_points_say(sketcher: Sketcher, monkeypatch: pytest.MonkeyPatch) -> None:
    depth, text = torch.rand(2, 1, 32, 32) * 2 - 1, torch.randn(2, 5, 24)
    heading, floor, sun = torch.randn(2), torch.randn(2, 2, 16, 16), torch.randn(2, 2)
    seen, kinds = sketcher.shapes(depth)
    located, none = sketcher.located(seen), torch.zeros(2, 1, 32, 32)
    segments = Segments(torch.zeros(2, 8, 32, 32), none + 1, none)
    monkeypatch.setattr("makeyourvideo.models.sketcher.segmented", lambda _: segments)
    small, objects = (part[:, :, ::2, ::2] for part in (depth, segments.objects))
    reading, lit = sketcher.read(kinds, segments.means(kinds), text), relief(depth, sun, objects)
    assert located.shape == (2, 3, 16, 16)
    headings = heading[:, None, None]
    points = agreed(upright(located, headings), small, objects, headings)
    picture = sketcher.picture(seen, reading, points, floor, lit, segments)
    torch.testing.assert_close(picture, sketcher(depth, text, heading, floor, sun))
    for which in range(2):
        moved = [points.clone(), floor.clone()]
        moved[which][:, :, :4, :4] += 0.5
        changed = (sketcher.picture(seen, reading, *moved, lit, segments) != picture).any(dim=1)
        assert changed[:, :8, :8].all()
        assert not changed[:, 10:, 10:].any()


@torch.no_grad()
def test_frames_in_a_row_agree_about_their_objects_and_are_painted_some_at_a_time(
    sketcher: Sketcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    depth, text = torch.rand(4, 1, 32, 32) * 2 - 1, torch.randn(1, 5, 24).expand(4, -1, -1)
    heading, floor, sun = torch.zeros(4), torch.randn(4, 2, 16, 16), torch.randn(4, 2)
    rows: list[bool] = []
    told: list[torch.Tensor] = []

    def noted(points: torch.Tensor, *_: object, in_a_row: bool) -> torch.Tensor:
        rows.append(in_a_row)
        return points

    def taken(means: torch.Tensor, _: Segments) -> torch.Tensor:
        told.append(means)
        return means

    none = torch.zeros(4, 1, 32, 32)
    whole = Segments(torch.zeros(4, 8, 32, 32), none + 1, none)
    monkeypatch.setattr("makeyourvideo.models.sketcher.segmented", lambda _: whole)
    monkeypatch.setattr("makeyourvideo.models.sketcher.agreed", noted)
    monkeypatch.setattr("makeyourvideo.models.sketcher.shared", taken)
    given = (depth, text, heading, floor, sun)
    alone = sketcher(*given)
    some = sketcher(*given, shown=slice(1, 3), at_once=1)
    assert rows == [False, True]
    assert [len(means) for means in told] == [4]  # of frames in a row alone, and of all of them
    torch.testing.assert_close(some, alone[1:3])


@torch.no_grad()
def test_pictures_of_segments_are_not_told_pixel_by_pixel(
    sketcher: Sketcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of which each is as it is alone, whatever others it is painted with."""
    given = (torch.rand(2, 1, 32, 32) * 2 - 1, torch.randn(2, 5, 24), torch.zeros(2))
    given += (torch.randn(2, 2, 16, 16), torch.randn(2, 2))
    floor = torch.ones(2, 1, 32, 32)
    floor[0, :, :, 16:], floor[1, :, :1, :3] = 0, 0
    whole = Segments(torch.zeros(2, 8, 32, 32), floor, torch.zeros(2, 1, 32, 32))
    widths: list[int] = []
    mixed = _mixed
    monkeypatch.setattr(
        "makeyourvideo.models.painting._mixed", lambda *some: widths.append(some[0].shape[1]) or mixed(*some)
    )

    def painted(which: slice) -> torch.Tensor:
        some = Segments(*(part[which] for part in whole))
        monkeypatch.setattr("makeyourvideo.models.sketcher.segmented", lambda _: some)
        return sketcher(*(part[which] for part in given))

    together = painted(slice(2))
    asked = 2 + 64 + 48  # how gray, how likely the floor, and how much of each pattern
    assert widths.count(asked) == 3
    widths.clear()
    torch.testing.assert_close(painted(slice(1, 2)), together[1:])
    assert asked not in widths
    torch.testing.assert_close(painted(slice(1)), together[:1])
    assert widths.count(asked) == 3


@torch.no_grad()
def test_where_depth_has_no_floor_places_are_told_as_those_around(
    sketcher: Sketcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else things that are seen unsurely, as in depth of a filmed scene, are painted in patches."""
    told: list[torch.Tensor] = []
    read = sketcher.read
    monkeypatch.setattr(sketcher, "read", lambda kinds, *given: told.append(kinds) or read(kinds, *given))
    depth, text = torch.rand(5, 1, 32, 32) * 2 - 1, torch.randn(1, 5, 24).expand(5, -1, -1)
    given = (depth, text, torch.zeros(5), torch.randn(5, 2, 16, 16), torch.randn(5, 2))
    kinds, none = sketcher.shapes(depth)[1], torch.zeros(5, 1, 32, 32)
    nowhere = Segments(torch.zeros(5, 8, 32, 32), none, none)
    monkeypatch.setattr("makeyourvideo.models.sketcher.segmented", lambda _: nowhere)
    sketcher(*given)
    sketcher(*given, shown=slice(2, 3))
    torch.testing.assert_close(told[0][3, :, 1, 1], kinds[3, :, :3, :3].mean(dim=(1, 2)))
    torch.testing.assert_close(told[1][0, :, 0, 3], kinds[:, :, :2, 2:].mean(dim=(0, 2, 3)))
    whole = nowhere._replace(floor=none + 1)
    monkeypatch.setattr("makeyourvideo.models.sketcher.segmented", lambda _: whole)
    sketcher(*given)
    torch.testing.assert_close(told[2], kinds)


@torch.no_grad()
def test_floors_are_paved_and_all_else_is_covered(sketcher: Sketcher) -> None:
    seen, _ = sketcher.shapes(torch.rand(1, 1, 32, 32))
    text, lit = torch.randn(1, 5, 24), torch.rand(1, RELIEF, 16, 16)
    points, floor = torch.randn(1, 3, 16, 16), torch.randn(1, 2, 16, 16)
    for kind, matters in ((0, (False, True)), (5, (True, False))):
        kinds = torch.full((1, sketcher.kinds.out_channels, 4, 4), -30.0)
        kinds[:, kind] = 0
        reading = sketcher.read(kinds, nothing(32).means(kinds), text)
        picture, *others = (
            sketcher.picture(seen, reading, *placed, lit, nothing(32))
            for placed in ((points, floor), (points + 1, floor), (points, floor + 1))
        )
        assert [bool((other - picture).abs().max() > 1e-4) for other in others] == list(matters)


def test_it_learns_in_bfloat16(sketcher: Sketcher) -> None:
    given = (torch.rand(1, 1, 32, 32), torch.randn(1, 5, 24), torch.zeros(1), torch.rand(1, 2, 16, 16))
    with torch.autocast("cpu", torch.bfloat16):
        sketcher(*given, torch.tensor([[0.6, -0.8]])).float().mean().backward()
    assert sketcher.light.weight.grad is not None


def test_points_turn_with_the_camera_and_stay_as_high() -> None:
    points, heading = torch.randn(3, 3, 2, 2), torch.tensor([0.0, math.pi / 2, math.pi])
    found = upright(points, heading[:, None, None])
    torch.testing.assert_close(found[0], points[0])
    torch.testing.assert_close(found[1], torch.stack([points[1, 2], points[1, 1], -points[1, 0]]))
    torch.testing.assert_close(found[2], torch.stack([-points[2, 0], points[2, 1], -points[2, 2]]))


@torch.no_grad()
def test_points_are_turned_as_their_object_is_followed(
    sketcher: Sketcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    depth = -torch.ones(2, 1, 32, 32)
    depth[..., 16:, :] = torch.linspace(-0.95, 0.5, 16)[:, None]
    depth[..., 4:26, 10:20] = 0.6
    turned_by: list[torch.Tensor] = []

    def noted(points: torch.Tensor, headings: torch.Tensor) -> torch.Tensor:
        turned_by.append(headings)
        return upright(points, headings)

    monkeypatch.setattr("makeyourvideo.models.sketcher.upright", noted)
    place = torch.tensor([[0.1, -0.1], [0.0, 0.0]]).expand(2, 2, 2)
    followed = Followed(place, torch.tensor([[50, 0], [50, 0]]), torch.tensor([[0.5, 9.0], [0.6, 9.0]]))
    given = (torch.randn(2, 5, 24), torch.tensor([0.2, 0.3]), torch.randn(2, 2, 16, 16), torch.randn(2, 2))
    sketcher(depth, *given, followed)
    sketcher(depth, *given)
    (headings, alone) = turned_by
    assert alone.flatten().tolist() == pytest.approx([0.2, 0.3])
    torch.testing.assert_close(headings[:, 6, 7], torch.tensor([0.7, 0.9]))
    torch.testing.assert_close(headings[:, 2, 2], torch.tensor([0.2, 0.3]))


@torch.no_grad()
def test_a_gentle_slope_counts_as_much_as_a_step(sketcher: Sketcher) -> None:
    """A ball differs from a disc by a hundredth of the depth between it and the floor."""
    across = torch.linspace(-1, 1, 64)
    round_part = (1 - across[:, None] ** 2 - across**2).clamp(min=0).sqrt()
    disc = (round_part > 0).float()
    ball = disc + 0.02 * round_part
    flat, rounded, empty = (sketcher.shapes(depth[None, None])[1] for depth in (disc, ball, 0 * disc))
    assert (rounded - flat).abs().max() > 0.05 * (flat - empty).abs().max()


def test_the_network_is_asked_where_the_sketch_ends(pipe: MakeYourVideoPipeline, depth: DepthVideo) -> None:
    asked: list[int] = []
    pipe.unet.register_forward_pre_hook(lambda _unet, given: asked.append(int(given[1][0])))

    def latents(share: float, seed: int) -> torch.Tensor:
        own = torch.Generator().manual_seed(seed)
        return pipe("a ball", depth, sketch_share=share, eta=0.0, generator=own, output_type="latent").frames

    made = {}
    for share, sketched in ((0.0, 0), (0.5, 1), (1.0, 3)):
        asked.clear()
        made[share] = latents(share, 0)
        plan = pipe.plan("a ball", depth, "", Options(sketch_share=share))
        assert len(asked) == sum(branches > 0 for branches in plan.branches)
        assert plan.evaluations == len(plan.branches)
        assert plan.branches.count(0) == sketched
    assert not torch.equal(made[0.0], made[0.5])
    unlike, alike = ((latents(share, 1) - made[share]).std() for share in (0.0, 1.0))
    assert alike < 0.1 * unlike  # no noise is left in it, but for what the schedule ends with


def test_what_noises_a_sketch_is_alike_in_all_frames(pipe: MakeYourVideoPipeline, depth: DepthVideo) -> None:
    noise = {}
    for share in (0.0, 0.5, 0.8, 1.0):
        plan = pipe.plan("a ball", depth, "", Options(sketch_share=share))
        noise[share] = pipe._noise(plan, [5], range(2))
    for led in (0.8, 1.0):
        assert torch.equal(noise[led][:, :, 0], noise[led][:, :, 1])
    changes = [(some[:, :, 1] - some[:, :, 0]).std() for some in noise.values()]
    assert 0.3 * changes[0] < changes[1] < 0.7 * changes[0]  # half of it: a quarter of the variance


def test_sketches_are_the_same_bytes_whichever_frames_are_asked_for(
    pipe: MakeYourVideoPipeline, depth: DepthVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, generator = (
        pipe.plan("a ball", depth, "", Options(sketch_share=1.0)),
        torch.Generator().manual_seed(0),
    )
    before = generator.get_state()
    whole, parts = (pipe.sketches([plan], [depth], [generator]) for _ in range(2))
    assert torch.equal(generator.get_state(), before)
    assert whole is not None
    assert parts is not None
    together: list[int] = []
    hook = pipe.sketcher.register_forward_hook(lambda _, given, __: together.append(len(given[0])))
    painted = whole.of(range(4))
    hook.remove()
    assert together == [4]  # small frames are painted a few at a time
    assert painted.dtype == torch.uint8
    assert torch.equal(torch.cat([parts.of(range(3, 4)), parts.of(range(1, 3))]), painted[[3, 1, 2]])
    assert parts.spanned(range(1, 3)) == range(4)
    monkeypatch.setattr(pipe.sketcher, "forward", None)  # what was painted last is not painted again
    assert torch.equal(whole.of(range(1, 4)), painted[1:])
    bare = pipe.plan("a ball", depth, "", Options(sketch_share=0.0))
    assert pipe.sketches([bare], [depth], [generator]) is None


def test_samples_of_a_batch_have_sketches_of_their_own(
    pipe: MakeYourVideoPipeline, depth: DepthVideo
) -> None:
    other = DepthVideo.from_inverse_depth(moving_disc(4, 32, 32)[::-1].copy())
    options = Options(sketch_share=1.0, height=37, width=20)
    plans = [pipe.plan(*one, "", options) for one in (("a ball", depth), ("a cube", other))]
    one = torch.Generator().manual_seed(0)
    together = pipe.sketches(plans, [depth, other], [one, one])  # it serves both, one after the other
    assert together is not None
    keys = torch.Generator().manual_seed(0)
    for sample, (plan, clip) in enumerate(zip(plans, (depth, other), strict=True)):
        alone = pipe.sketches([plan], [clip], [keys])
        draw_key(keys)
        assert alone is not None
        assert torch.equal(together.of(range(1, 3)).unflatten(0, (2, 2))[sample], alone.of(range(1, 3)))


def test_what_denoising_begins_with_is_where_the_detail_comes_from(
    pipe: MakeYourVideoPipeline, depth: DepthVideo
) -> None:
    plan = pipe.plan("a ball", depth, "", Options(sketch_share=1.0, eta=0.0))
    sketches = pipe.sketches([plan], [depth], [torch.Generator().manual_seed(3)])
    *_, own = pipe.denoise([plan], [depth], [torch.Generator().manual_seed(3)])
    *_, given = pipe.denoise([plan], [depth], [torch.Generator().manual_seed(3)], sketches=sketches)
    assert torch.equal(own.latents, given.latents)
    frames = pipe.decode_latents(own.latents, [plan], [depth], sketches=sketches)
    whole = pipe("a ball", depth, sketch_share=1.0, eta=0.0, generator=torch.Generator().manual_seed(3))
    assert np.array_equal(to_uint8(frames)[0], whole.frames[0])


def test_a_few_frames_at_a_time_are_encoded_alike(pipe: MakeYourVideoPipeline, depth: DepthVideo) -> None:
    latents = []
    for thrift in (Thrift(decoded_frames=4), Thrift(decoded_frames=1)):
        pipe.save_memory(thrift)
        made = pipe(
            "a ball",
            depth,
            sketch_share=1.0,
            output_type="latent",
            generator=torch.Generator().manual_seed(0),
        )
        latents.append(made.frames)
    torch.testing.assert_close(latents[0], latents[1])


def test_a_stream_of_one_window_is_the_whole(pipe: MakeYourVideoPipeline, depth: DepthVideo) -> None:
    options = Options(sketch_share=0.5, eta=0.0)
    whole = pipe.plan("a ball", depth, "", options)
    streamed = pipe.plan(
        "a ball", depth, "", options.model_copy(update={"stream": True, "window": 4, "lookahead": 0})
    )
    *_, last = pipe.denoise([whole], [depth], [torch.Generator().manual_seed(0)])
    *_, done = pipe.stream(streamed, depth, torch.Generator().manual_seed(0))
    torch.testing.assert_close(done.latents, last.latents)
    sketchless = replace(streamed, sketch_share=0.0)
    *_, other = pipe.stream(sketchless, depth, torch.Generator().manual_seed(0))
    assert not torch.allclose(other.latents, done.latents)


def test_the_sketch_reads_the_prompt_alone_and_the_light_comes_from_behind_the_camera(
    pipe: MakeYourVideoPipeline, depth: DepthVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[torch.Tensor] = []
    suns: list[torch.Tensor] = []
    followed: list[Followed] = []
    forward = pipe.sketcher.forward

    def painted(depth: torch.Tensor, context: torch.Tensor, *others: Any) -> torch.Tensor:
        read.append(context[:1])
        suns.append(others[2][0])
        followed.append(others[3])
        return forward(depth, context, *others)

    monkeypatch.setattr(pipe.sketcher, "forward", painted)
    for seed in range(12):
        generator = torch.Generator().manual_seed(seed)
        asked = {"sketch_share": 0.5, "generator": generator, "output_type": "latent"}
        pipe("a ball", depth, negative_prompt="a floor", **asked)
    each = len(read) // 12  # frames
    torch.testing.assert_close(torch.cat(read[::each]), pipe.encode_prompt(["a ball"] * 12))
    right, ahead = torch.stack(suns[::each]).unbind(dim=1)
    assert (ahead < 0).all()
    assert right.min() < -0.2
    assert right.max() > 0.2
    assert all(part.shape[0] == depth.num_frames for seen in followed for part in seen)


def test_light_comes_from_where_the_text_says(
    pipe: MakeYourVideoPipeline, depth: DepthVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"a ball": [0.1, 0.2], "left": [-1.2, 0.9]}
    suns: list[torch.Tensor] = []
    forward = pipe.sketcher.forward

    def sun_in(context: torch.Tensor) -> torch.Tensor:
        embeds, said = pipe.encode_prompt(list(told)), torch.tensor(list(told.values()))
        return torch.cat([said[[own.equal(text) for text in embeds]] for own in context])

    def painted(depth: torch.Tensor, context: torch.Tensor, *others: Any) -> torch.Tensor:
        suns.append(others[2])
        return forward(depth, context, *others)

    monkeypatch.setattr(pipe.sketcher, "sun_in", sun_in)
    monkeypatch.setattr(pipe.sketcher, "forward", painted)
    generator = torch.Generator().manual_seed(0)
    pipe(list(told), depth, sketch_share=0.5, generator=generator, output_type="latent")
    unsaid, said = (sun[0] for sun in suns)
    torch.testing.assert_close(unsaid.abs(), torch.tensor([0.5, 0.3]))
    assert unsaid[1] < 0
    torch.testing.assert_close(said, torch.tensor([-0.8, 0.6]))


def suns_of_the_bundled_model(prompts: Sequence[str]) -> torch.Tensor:
    tokenizer = CLIPTokenizer.from_pretrained(BUNDLED_MODEL / "tokenizer")
    text_encoder = CLIPTextModel.from_pretrained(BUNDLED_MODEL / "text_encoder", dtype=torch.float32)
    sketcher = Sketcher.from_pretrained(BUNDLED_MODEL / "sketcher", torch_dtype=torch.float32)
    with torch.no_grad():
        return sketcher.sun_in(context_of(text_encoder, tokenizer, prompts))


@pytest.mark.parametrize(
    "wording", ["a red ball on grass, lit from {}", "with light from {}, two cubes at night"]
)
def test_the_bundled_model_knows_all_sides_that_light_comes_from(wording: str) -> None:
    for eighth, sun in enumerate(suns_of_the_bundled_model([wording.format(side) for side in SIDES])):
        assert sun.norm() > _SAID
        off = math.atan2(sun[1], sun[0]) - eighth * math.pi / 4
        assert abs(math.remainder(off, 2 * math.pi)) < math.pi / 6


@pytest.mark.parametrize(
    "crowd",
    [
        "on a wooden floor, an orange checkered ring, a brick cone, a green pill and a spotted blue arch",
        "a brown dotted cone, a black pill, a purple spotted chicken and an orange ball on a snowy floor",
    ],
)
def test_the_light_is_heard_at_the_end_of_long_sentences(crowd: str) -> None:
    (sun,) = suns_of_the_bundled_model([f"{crowd} under a night sky, with light from behind"])
    assert sun.norm() > _SAID
    assert abs(math.atan2(sun[0], sun[1])) < math.pi / 4


def test_the_bundled_model_hears_no_side_where_none_is_said() -> None:
    prompts = (
        *(
            "",
            "a red ball on grass with hills behind",
            "a lit lantern on grass",
            "a cube lit by the sun",
        ),
        *("a red ball on grass at night, on the left", "a blue chair on sand, brightly lit"),
        "a yellow striped mailbox and a green plus sign on paving stones, neon night",
    )
    assert (suns_of_the_bundled_model(prompts).norm(dim=1) < _SAID).all()


def test_before_it_learns_a_text_says_nothing_of_the_light(sketcher: Sketcher) -> None:
    assert torch.equal(sketcher.sun_in(torch.randn(2, 5, 24)), torch.zeros(2, 2))


def test_windows_are_sketched_as_parts_of_the_whole(pipe: MakeYourVideoPipeline, depth: DepthVideo) -> None:
    options = Options(sketch_share=1.0, eta=0.0)
    whole = pipe.plan("a ball", depth, "", options)
    streamed = pipe.plan(
        "a ball", depth, "", options.model_copy(update={"stream": True, "window": 2, "lookahead": 0})
    )
    *_, last = pipe.denoise([whole], [depth], [torch.Generator().manual_seed(0)])
    events = list(pipe.stream(streamed, depth, torch.Generator().manual_seed(0)))
    parts = [event.latents for event in events if isinstance(event, WindowDone)]
    assert len(parts) > 1
    torch.testing.assert_close(torch.cat(parts, dim=2), last.latents, atol=1e-4, rtol=1e-3)


def test_windows_unpack_depth_forwards(
    pipe: MakeYourVideoPipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    DepthVideo.from_inverse_depth(moving_disc(60, 32, 32)).save(tmp_path / "depth.npz")
    depth, begun = DepthFile(tmp_path / "depth.npz"), []
    monkeypatch.setattr(depth, "_rewind", lambda: begun.append(1) or DepthFile._rewind(depth))
    options = Options(sketch_share=1.0, num_frames=60, stream=True, window=6, lookahead=1)
    plan = pipe.plan("a ball", depth, "", options)
    sketches = pipe.sketches([plan], [depth], [torch.Generator().manual_seed(0)])
    for event in pipe.stream(plan, depth, torch.Generator().manual_seed(0), sketches=sketches):
        if isinstance(event, WindowDone):
            made = range(event.window.start, event.window.stop)
            pipe.decode_latents(event.latents, [plan], [depth], made, sketches)
    assert len(plan.windows) > 6
    assert len(begun) <= 4  # for the first window, for the cameras, for the first frames again


def test_there_is_none_where_the_depth_is_not_followed(
    pipe: MakeYourVideoPipeline, depth: DepthVideo
) -> None:
    half = np.full((1, 1, 1), 0.5, np.float32)
    for options, mask in (
        (Options(sketch_share=0.5, depth_strength=0.5), None),
        (Options(sketch_share=0.5), half),
    ):
        plan = pipe.plan("a ball", depth, "", options, mask)
        assert plan.sketch_share == 0
        assert 0 not in plan.branches
        assert "nothing is sketched, because the depth is not followed everywhere" in plan.notes
    assert pipe.plan("a ball", depth, "", Options(depth_strength=0.5)).notes == ()


def test_a_model_may_do_without(pipe: MakeYourVideoPipeline, depth: DepthVideo, tmp_path: Path) -> None:
    bare = MakeYourVideoPipeline(**{**pipe.components, "sketcher": None})
    plan = bare.plan("a ball", depth, "", Options(sketch_share=0.5))
    assert plan.sketch_share == 0
    assert plan.notes == ("nothing is sketched, because the model has no sketcher",)
    bare.save_pretrained(tmp_path)
    assert MakeYourVideoPipeline.from_pretrained(tmp_path).sketcher is None
    assert MakeYourVideoPipeline.without_weights(tmp_path).sketcher is None


def test_detail_comes_from_the_sketch_and_all_else_from_what_was_decoded() -> None:
    fine = (torch.arange(64) % 2 * 2 - 1).float().expand(1, 3, 64, 64)
    coarse = torch.linspace(-1, 1, 64)[:, None].expand(1, 3, 64, 64)
    found = with_detail(0.5 * coarse, 0.2 * fine, 4.0)[..., 12:-12, 12:-12]
    torch.testing.assert_close(found, (0.5 * coarse + 0.2 * fine)[..., 12:-12, 12:-12], atol=1e-3, rtol=0)
    plain = torch.full((2, 3, 5, 7), 0.3)  # smaller than what is looked at
    torch.testing.assert_close(with_detail(plain, plain - 0.5, 4.0), plain)


@torch.no_grad()
@pytest.mark.parametrize("normalization", ["clip", "frame"])
@pytest.mark.parametrize(("units", "farthest"), [("metric", -0.6), ("relative", -1.0)])
def test_the_camera_sees_depth_from_infinity_to_the_nearest_point(
    pipe: MakeYourVideoPipeline,
    monkeypatch: pytest.MonkeyPatch,
    normalization: Normalization,
    units: Units,
    farthest: float,
) -> None:
    """Metric depth says where infinity is, in a room too; and no frame has a range of its own."""
    inverse = np.full((4, 32, 32), 0.1, np.float32)  # ten metres off, and something as far as two
    inverse[:, 8:16, 8:16] = np.array([0.3, 0.2, 0.5, 0.2])[:, None, None]
    depth = DepthVideo.from_inverse_depth(inverse, units=units)
    plan = pipe.plan("a ball", depth, "", Options(sketch_share=1.0, depth_normalization=normalization))
    assert pipe.camera is not None
    seen: list[torch.Tensor] = []
    told = pipe.camera.cameras
    monkeypatch.setattr(
        pipe.camera, "cameras", lambda parts: told([seen.append(one) or one for one in parts])
    )
    sketches = pipe.sketches([plan], [depth], [torch.Generator().manual_seed(0)])
    assert sketches is not None
    sketches.of(range(1))
    given = torch.cat(seen, dim=1)[0]
    assert given[2].max() == pytest.approx(1)
    assert given.min() == pytest.approx(farthest)
    assert given[0].max() == pytest.approx(0.2 if units == "metric" else 0, abs=1e-6)


@torch.no_grad()
def test_detail_is_the_frames_own_where_the_sketch_led_to_them(
    pipe: MakeYourVideoPipeline, depth: DepthVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    latents = torch.randn(1, 4, 4, 4, 4)
    for share, refine, is_detailed in ((0.79, True, False), (0.8, True, True), (1.0, False, False)):
        plan = pipe.plan("a ball", depth, "", Options(sketch_share=share, refine=refine))
        sketches = pipe.sketches([plan], [depth], [torch.Generator().manual_seed(0)])
        assert sketches is not None
        if is_detailed:
            with pytest.raises(InputError, match="sketches: expected those of"):
                pipe.decode_latents(latents, [plan], [depth])
        alone = pipe.decode_latents(latents, [plan.as_decoded], [depth])
        whole = pipe.decode_latents(latents, [plan], [depth], sketches=sketches)
        assert torch.equal(whole, alone) != is_detailed
        part = pipe.decode_latents(latents[:, :, 2:], [plan], [depth], range(2, 4), sketches)
        torch.testing.assert_close(part, whole[:, 2:])
        if is_detailed:
            bare = pipe.decode_latents(latents, [plan.as_decoded], [depth])[0] * 2 - 1
            wanted = with_detail(bare, sketches.of(range(4)) / 127.5 - 1, 16.0)
            torch.testing.assert_close(whole[0], (wanted / 2 + 0.5).clamp(0, 1))
    monkeypatch.setattr(pipe, "refiner", None)
    plan = pipe.plan("a ball", depth, "", Options(sketch_share=0.8, refine=True))
    assert plan.refine
    assert plan.notes == ()


def test_sketches_are_painted_in_groups_and_only_once() -> None:
    painted: list[range] = []

    def paint(frames: range, seen: range) -> torch.Tensor:
        painted.append(frames)
        assert seen == range(max(0, frames.start - 2), min(11, frames.stop + 2))
        return torch.tensor([list(frames)] * 2)[..., None, None, None]

    sketches = Sketches(paint, 11, together=4)
    for frames in (range(11), range(3, 6), range(7, 11), range(10, 11), range(2, 9)):
        assert sketches.of(frames).flatten().tolist() == [*frames] * 2
    assert painted == [range(4), range(4, 8), range(8, 11)]
    sketches.of(range(8, 9)), sketches.of(range(11))
    assert painted[3:] == []  # what is asked for was kept
    later = Sketches(paint, 11, together=4)
    later.of(range(5))
    later.of(range(6, 10))
    assert painted[3:] == [range(4), range(4, 8), range(8, 11)]
    later.of(range(3))
    assert painted[6:] == [range(4)]
    assert later.spanned(range(5, 8)) == range(2, 10)
    assert later.spanned(range(3, 10)) == range(11)


def test_of_large_frames_and_in_little_memory_fewer_are_sketched_together(
    pipe: MakeYourVideoPipeline, depth: DepthVideo
) -> None:
    sides = (64, 128, 192, 256, 1024)
    assert [sketched_together(side**2, 16) for side in sides] == [16, 16, 7, 4, 2]
    plan = pipe.plan("a ball", depth, "", Options())
    together = []
    for thrift in LADDER[:4]:
        pipe.save_memory(thrift)
        together.append(pipe.sketched_together(plan))
    assert together == [16, 4, 4, 2]


def test_groups_are_parts_of_one_clip(
    pipe: MakeYourVideoPipeline, depth: DepthVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = pipe.plan("a ball", depth, "", Options(sketch_share=1.0))
    painted = []
    for together in (8, 3, 1):
        monkeypatch.setattr("makeyourvideo.sketching.sketched_together", lambda *_, **__: together)  # noqa: B023
        sketches = pipe.sketches([plan], [depth], [torch.Generator().manual_seed(0)])
        assert sketches is not None
        painted.append(sketches.of(range(4)).float())
    assert (painted[0][0] - painted[0][3]).abs().mean() > 5  # frames differ
    for parts in painted[1:]:
        assert (parts - painted[0]).abs().max() <= 1


def test_frames_that_the_network_has_no_part_in_are_the_sketch(
    pipe: MakeYourVideoPipeline, depth: DepthVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = pipe.plan("a ball", depth, "", Options(sketch_share=1.0))
    sketches = pipe.sketches([plan], [depth], [torch.Generator().manual_seed(0)])
    assert sketches is not None
    monkeypatch.setattr(pipe.vae, "decode", None)
    frames = pipe.decode_latents(torch.randn(1, 4, 2, 4, 4), [plan], [depth], range(1, 3), sketches)
    painted = sketches.of(range(1, 3)).permute(0, 2, 3, 1).numpy()
    assert np.array_equal(to_uint8(frames)[0], painted)


def test_patterns_are_averaged_unless_a_preset_is_to_be_quick(
    pipe: MakeYourVideoPipeline, depth: DepthVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    forward = pipe.sketcher.forward
    monkeypatch.setattr(pipe.sketcher, "forward", lambda *given: asked.append(given[-1]) or forward(*given))
    for options, is_averaged in (
        (Options(), True),
        (Options(quality="draft"), False),
        (Options(quality="draft", antialias=True), True),
        (Options(antialias=False), False),
    ):
        plan = pipe.plan("a ball", depth, "", options.model_copy(update={"sketch_share": 1.0}))
        assert plan.antialias == is_averaged
        sketches = pipe.sketches([plan], [depth], [torch.Generator()])
        assert sketches is not None
        sketches.of(range(1))
        assert asked.pop() == is_averaged


def test_a_draft_takes_its_detail_from_the_sketch_and_asks_no_refiner(
    pipe: MakeYourVideoPipeline, depth: DepthVideo
) -> None:
    for share, refine, is_refined in ((0.8, None, True), (0.8, False, False), (0.5, None, False)):
        plan = pipe.plan("a ball", depth, "", Options(quality="draft", sketch_share=share, refine=refine))
        assert plan.refine == is_refined
        assert (", not refined" in plan.notes[0]) != is_refined
        assert plan.notes[0].endswith("patterns not averaged")
