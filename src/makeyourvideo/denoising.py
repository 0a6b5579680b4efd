"""Plans -> latents -> frames: the networks of the pipeline, joined at the seam to the samplers."""

from collections.abc import Callable, Iterator, MutableMapping, Sequence
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from makeyourvideo.errors import InputError
from makeyourvideo.memory import Thrift
from makeyourvideo.models.autoencoder import decode, encode, spatial_factor
from makeyourvideo.models.dense import by_frames
from makeyourvideo.models.refiner import Refiner
from makeyourvideo.models.unet import SLICE_BYTES
from makeyourvideo.planning import Plan
from makeyourvideo.sampling import (
    Predict,
    Sampler,
    SamplingStep,
    Window,
    WindowDone,
    create_sampler,
    draw_key,
    faded_noise,
    frames_noise,
    guided,
    known_around,
    sample,
    sample_after,
    sample_among,
    sample_windows,
    sketched,
    window_generator,
)
from makeyourvideo.sketches import Sketches, as_pictures, with_detail
from makeyourvideo.sketching import SketchingPipeline
from makeyourvideo.structure.depth import DepthClip

DECODED_TOGETHER = 8
"""Frames that are there as floating-point numbers at once when a whole video is decoded."""

Around = Callable[[Predict, int], Predict]


def _bare(predict: Predict, _window: int) -> Predict:
    return predict


class DenoisingPipeline(SketchingPipeline):
    """The part of `MakeYourVideoPipeline` that computes; it is told by plans what to do."""

    scheduler: Any
    refiner: Refiner | None

    def save_memory(self, thrift: Thrift) -> None:
        """From now on hold less at once; to hand freed memory back is up to the process."""
        self.thrift = thrift
        self.unet.slice_bytes = thrift.slice_bytes or SLICE_BYTES
        self.vae.use_tiling = thrift.tiled

    @torch.no_grad()
    def denoise(
        self,
        plans: Sequence[Plan],
        depths: Sequence[DepthClip],
        generators: Sequence[torch.Generator],
        around: Around = _bare,
        sketches: Sketches | None = None,
    ) -> Iterator[SamplingStep]:
        """Sample a batch whose plans differ in nothing but text and depth; an event an evaluation.

        Args:
            plans: from `plan`, one a sample.
            depths: the clips they were made for.
            generators: one a sample; all of a sample's noise comes from its own.
            around: called as `around(predict, 0)`; what it returns is asked in place of the network.
            sketches: from `sketches`, where they are to be looked at again when it is decoded.

        Raises:
            InputError: the plans are for different shapes, some are sketched and some are not, or depth is
                constant where it is used.
        """
        shapes = {(plan.num_frames, plan.framing.height, plan.framing.width) for plan in plans}
        if len(shapes) != 1:
            raise InputError("depth", "clips that give videos of one shape", f"{sorted(shapes)}")
        if len({(plan.sketch_share, plan.branches) for plan in plans}) != 1:
            wanted = "a mask for every sample or for none: only without one the model begins with its sketch"
            raise InputError("depth_mask", wanted, "one for some of the samples")
        plan, frames = plans[0], range(plans[0].num_frames)
        sketches = sketches or self.sketches(plans, depths, generators)
        keys = [draw_key(own) for own in generators]
        predict = self._predict(plans, depths, self._embed(plans), frames, sketches)
        noise = self._noise(plan, keys, frames)
        yield from sample(around(predict, 0), self._sampler(plan), noise, generators, plan.eta)

    @torch.no_grad()
    def stream(
        self,
        plan: Plan,
        depth: DepthClip,
        generator: torch.Generator,
        finished: MutableMapping[int, Tensor] | None = None,
        paths: MutableMapping[int, Tensor] | None = None,
        around: Around = _bare,
        sketches: Sketches | None = None,
    ) -> Iterator[SamplingStep | WindowDone]:
        """Sample a video of any length window by window, in memory that does not grow with it.

        Args:
            plan: from `plan`, with windows.
            depth: the clip it was made for; a `DepthFile` stays on the disk.
            generator: all noise comes from it.
            finished, paths: see `sample_windows`; what is in them is not made again.
            around: called as `around(predict, window)` with each window's index, as in `denoise`.
            sketches: as in `denoise`.

        Yields:
            a `SamplingStep` for each evaluation and a `WindowDone` for each window, whose latents are for
            `decode_latents`.

        Raises:
            InputError: the plan has no windows.
        """
        if not plan.windows:
            raise InputError("plan", "one with windows (stream=True)", "one for all frames at once")
        sketches = sketches or self.sketches([plan], [depth], [generator])
        key, embeds = draw_key(generator), self._embed([plan])

        def sample_one(window: Window, past: Tensor | None) -> Iterator[SamplingStep]:
            predict = around(self._predict([plan], [depth], embeds, window.seen, sketches), window.index)
            noise, own = self._noise(plan, [key], window.seen), window_generator(key, window.index)
            return sample_after(predict, self._sampler(plan), noise, past, [own], plan.eta)

        yield from sample_windows(plan.windows, sample_one, finished, paths)

    @torch.no_grad()
    def redo(
        self,
        plan: Plan,
        depth: DepthClip,
        generator: torch.Generator,
        index: int,
        anew: torch.Generator,
        finished: MutableMapping[int, Tensor],
        around: Around = _bare,
        sketches: Sketches | None = None,
    ) -> Iterator[SamplingStep | WindowDone]:
        """Make one window of a streamed video again, in between its neighbours; they stay as they are.

        Args:
            plan, depth, generator, around, sketches: as for `stream`, when the video was made.
            index: which window.
            anew: the source of the window's new noise.
            finished: the latents of the other windows; the new ones are put there.

        Yields:
            as `stream`, for that window.
        """
        window, embeds = plan.windows[index], self._embed([plan])
        known, is_known = known_around(window, plan.windows, finished)
        sketches = sketches or self.sketches([plan], [depth], [generator])
        key, new_key = draw_key(generator), draw_key(anew)
        before, new = (self._noise(plan, [one], window.seen) for one in (key, new_key))
        noise = faded_noise(before, new, is_known)
        own = window_generator(new_key, index)
        predict = around(self._predict([plan], [depth], embeds, window.seen, sketches), index)
        for event in sample_among(predict, self._sampler(plan), noise, known, is_known, [own], plan.eta):
            event.window, event.windows = index, len(plan.windows)
            yield event
        made = event.latents[:, :, window.start - window.first : window.stop - window.first]
        finished[index] = made
        yield WindowDone(window, len(plan.windows), made)

    def _embed(self, plans: Sequence[Plan]) -> Tensor:
        """Text embeddings of a batch, the unconditional half first where there is one."""
        texts = [plan.prompt for plan in plans]
        if plans[0].guided:
            texts = [plan.negative_prompt for plan in plans] + texts
        return self.encode_prompt(texts).to(self.unet.device, self.unet.dtype)

    def _predict(
        self,
        plans: Sequence[Plan],
        depths: Sequence[DepthClip],
        embeds: Tensor,
        frames: range,
        sketches: Sketches | None,
    ) -> Predict:
        """The seam for some of the frames, guidance included."""
        plan = plans[0]
        seen = frames if sketches is None else sketches.spanned(frames)  # at once: depth is read forwards
        own = slice(frames.start - seen.start, frames.stop - seen.start)
        depth = self._conditions(plans, depths, seen)[:, :, own].to(self.unet.dtype)
        if plan.guided:  # the unconditional half keeps its depth: only the text is dropped
            depth = torch.cat([depth, depth])

        def predict(latents: Tensor, timesteps: Tensor) -> Tensor:
            asked = slice(-len(latents), None)  # all, or the conditional half alone
            conditioned = torch.cat([latents.to(depth.dtype), depth[asked]], dim=1)
            size = 1 if self.thrift.clips_apart else len(conditioned)
            given = (whole.split(size) for whole in (conditioned, timesteps, embeds[asked]))
            answers = [self.unet(*part).sample for part in zip(*given, strict=True)]
            return torch.cat(answers).to(latents.dtype) if len(answers) > 1 else answers[0].to(latents.dtype)

        asked: Predict = predict
        if plan.guided:
            trained = self.scheduler.config.num_train_timesteps
            asked = guided(predict, plan.guidance_scale, plan.guidance_interval, trained)
        if sketches is not None:
            sketch = self._encoded(sketches.of(frames), len(frames))
            asked = sketched(asked, sketch, plan.sketch_share, self.scheduler.config)
        return asked

    def _encoded(self, painted: Tensor, frames: int) -> Tensor:
        """Latents `(batch, channels, frames, height, width)` of sketches in a row, some at a time."""

        def encode_slice(some: Tensor) -> Tensor:
            return encode(self.vae, as_pictures(some).to(self.vae.dtype)[:, :, None])[:, :, 0]

        latents = by_frames(encode_slice, min(self.thrift.decoded_frames, len(painted)), painted)
        return rearrange(latents, "(b f) c h w -> b c f h w", f=frames).float()

    def _sampler(self, plan: Plan) -> Sampler:
        asked = (plan.num_inference_steps, plan.timestep_spacing)
        return create_sampler(plan.scheduler, self.scheduler.config, *asked)

    def _noise(self, plan: Plan, keys: Sequence[int], frames: range) -> Tensor:
        """Noise of some frames; the more is sketched before it counts, the more of it all have in common.

        What is drawn from noise has to differ from frame to frame as things move. A sketch does so by itself:
        noise of its own in every frame would only make it flicker. Where it leads nearly to the end, all is
        in common.
        """
        shape = (self.vae.config.latent_channels, *self._latent_size(plan.framing))
        common = 1.0 if plan.is_led else 1 - (1 - plan.sketch_share) ** 2
        return frames_noise(shape, keys, frames, common).to(self.unet.device)

    @torch.no_grad()
    def decode_latents(
        self,
        latents: Tensor,
        plans: Sequence[Plan],
        depths: Sequence[DepthClip],
        frames: range | None = None,
        sketches: Sketches | None = None,
    ) -> Tensor:
        """Decode to pictures `(batch, frames, 3, height, width)` in [0, 1], cropped to the size asked for.

        Args:
            latents: of `plans`, `(batch, channels, frames, height, width)`.
            plans, depths: what they were made for; a refiner, where the plans ask for it, looks at the depth.
            frames: which frames of the video they are; without it, the first.
            sketches: what they began with, from `sketches`. Where they led nearly to the end and the plans
                ask for it, frames take their detail from there in place of a refiner; where they led to the
                very end, frames are the sketches, and nothing is decoded.

        Raises:
            InputError: frames are to take their detail from sketches, and there are none.
        """
        framing, frames = plans[0].framing, frames or range(latents.shape[2])
        is_detailed = plans[0].refine and plans[0].is_led
        if is_detailed and sketches is None:
            raise InputError("sketches", "those of `sketches(...)`, for the frames' detail", "none")
        if plans[0].is_sketch and sketches is not None:
            pictures = rearrange(as_pictures(sketches.of(frames)), "(b f) c h w -> b c f h w", f=len(frames))
        else:
            pictures = decode(self.vae, latents.to(self.vae.dtype), self.thrift.decoded_frames)
            if is_detailed and sketches is not None:
                pictures = self._detailed(pictures, sketches.of(frames))
            elif plans[0].refine and self.refiner is not None:
                pictures = self._refined(self.refiner, pictures, plans, depths, frames)
        pictures = pictures[..., : framing.height, : framing.width].transpose(1, 2)
        return pictures.float().div_(2).add_(0.5).clamp_(0, 1)  # in place: they are nobody else's

    def _detailed(self, pictures: Tensor, painted: Tensor) -> Tensor:
        """Give pictures, in place, what is finer than two places of the latents: there it was lost."""
        flat, spread = rearrange(pictures, "b c f h w -> (b f) c h w"), 2 * spatial_factor(self.vae)
        for picture, sketch in zip(flat.split(1), painted.split(1), strict=True):
            picture.copy_(with_detail(picture.float(), as_pictures(sketch), spread))
        return rearrange(flat, "(b f) c h w -> b c f h w", f=pictures.shape[2])

    def _refined(
        self,
        refiner: Refiner,
        pictures: Tensor,
        plans: Sequence[Plan],
        depths: Sequence[DepthClip],
        frames: range,
    ) -> Tensor:
        flat = rearrange(pictures, "b c f h w -> (b f) c h w")
        depth = self.unfolded(self._conditions(plans, depths, frames)).to(flat.dtype)
        refined = by_frames(refiner, 1, flat, depth)  # one at a time, so that layers stay in the cache
        return rearrange(refined, "(b f) c h w -> b c f h w", f=len(frames))
