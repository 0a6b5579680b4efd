"""Plans -> what denoising begins with: where a model has a sketcher, and a camera estimator for it."""

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from makeyourvideo.conditioning import ConditioningPipeline
from makeyourvideo.models.autoencoder import spatial_factor
from makeyourvideo.models.camera import CameraEstimator, Cameras
from makeyourvideo.models.following import Followed, Follower
from makeyourvideo.models.segments import REACH
from makeyourvideo.models.sketcher import Sketcher
from makeyourvideo.planning import Plan
from makeyourvideo.sampling import draw_key, drawn_side
from makeyourvideo.sketches import Sketches, Views, sketched_together
from makeyourvideo.structure.depth import DepthClip

_PIXELS_TOGETHER = 2**16
"""Of frames that are sketched at once: what is computed on the way stays in the cache."""

_SUN = (0.5, -0.3)
"""Where the light comes from if the text does not say: how far from one side, which a seed decides, and from
ahead; else from above.

From behind the camera, because what it looks at would be in its own shade.
"""
_SAID = 0.3
"""How long the mean of all directions that the light may come from is at least, where the text says one."""


class SketchingPipeline(ConditioningPipeline):
    """The part of `MakeYourVideoPipeline` that sketches."""

    sketcher: Sketcher | None
    camera: CameraEstimator | None

    def sketches(
        self, plans: Sequence[Plan], depths: Sequence[DepthClip], generators: Sequence[torch.Generator]
    ) -> Sketches | None:
        """What `denoise` or `stream` begin with when they are given the same; None where that is noise alone.

        Nothing is painted yet, and the generators stay as they are.
        """
        sketcher, camera, plan = self.sketcher, self.camera, plans[0]
        if sketcher is None or camera is None or not plan.sketch_share:
            return None
        clones = {id(own): own.clone_state() for own in generators}  # one may serve several samples
        keys = [draw_key(clones[id(own)]) for own in generators]
        embeds = cache(lambda: self.encode_prompt([plan.prompt for plan in plans]))
        views = cache(lambda: self._views(camera, plans, depths, self._sun(sketcher, embeds(), keys)))

        @torch.no_grad()
        def paint(frames: range, seen: range) -> Tensor:
            depth = self._conditions(plans, depths, seen)
            context = embeds().to(self.unet.device, self.unet.dtype)
            own = views().at(slice(seen.start, seen.stop))
            shown = slice(frames.start - seen.start, frames.stop - seen.start)
            return self._sketch(sketcher, plan, depth, context, own, shown)

        together = self.sketched_together(plan)
        if self.unet.device.type == "meta":  # frames without contents are all alike
            counts = together, together + 2 * REACH
            few, most = (range(min(plan.num_frames, count)) for count in counts)
            first = cache(lambda: paint(few, most))

            def alike(frames: range, _: range) -> Tensor:
                return first()[:, : len(frames)].clone()  # each is held

            return Sketches(alike, plan.num_frames, together)
        return Sketches(paint, plan.num_frames, together)

    def sketched_together(self, plan: Plan) -> int:
        """How many frames are sketched together."""
        rows, columns = self._latent_size(plan.framing)
        pixels = rows * columns * spatial_factor(self.vae) ** 2
        return sketched_together(pixels, self.thrift.sketched_frames)

    def _views(
        self,
        camera: CameraEstimator,
        plans: Sequence[Plan],
        depths: Sequence[DepthClip],
        sun: Tensor,
    ) -> Views:
        """What cameras see of whole videos: a window's follow from those before."""
        told, followed = [], []
        for one in zip(plans, depths, strict=True):  # a sample has the same, whatever others are made with it
            follower = Follower()
            told.append(camera.cameras(follower.watch(self._seen(*one))))
            followed.append(follower.followed(told[-1]))
        cameras, objects = Cameras.joined(told), Followed(*map(torch.cat, zip(*followed, strict=True)))
        return Views.under(sun.to(cameras.heading), cameras, objects)

    @torch.no_grad()
    def _sun(self, sketcher: Sketcher, embeds: Tensor, keys: Sequence[int]) -> Tensor:
        """Which way the light comes from as the first camera has it, `(batch, 2)`: as said, or else drawn."""
        said = sketcher.sun_in(embeds.to(sketcher.device, sketcher.dtype)).float()
        said = said / said.norm(dim=1, keepdim=True).clamp(min=1)
        drawn = said.new_tensor([[drawn_side(key) * _SUN[0], _SUN[1]] for key in keys])
        return torch.where(said.norm(dim=1, keepdim=True) > _SAID, said, drawn)

    def _sketch(
        self, sketcher: Sketcher, plan: Plan, depth: Tensor, embeds: Tensor, views: Views, shown: slice
    ) -> Tensor:
        """Bytes of the sketch of the frames of each sample that are `shown`: `(batch, shown, 3, y, x)`."""
        num_frames = depth.shape[2]
        flat, factor = self.unfolded(depth), spatial_factor(self.vae) / self.unet.config.depth_patch_size
        if factor != 1:
            flat = interpolate(flat, scale_factor=factor, mode="bilinear")
        rows, columns = (side // 2 for side in flat.shape[2:])
        floor = views.cameras.floor(rows, columns)
        seen = (views.cameras.heading, floor, views.sun, *views.followed)
        parts = (flat, embeds.repeat_interleave(num_frames, dim=0), *(part.flatten(0, 1) for part in seen))
        size = min(self.thrift.decoded_frames, max(1, _PIXELS_TOGETHER // flat[0].numel()))
        samples = zip(*(part.split(num_frames) for part in parts), strict=True)
        painted = (
            sketcher(*sample[:5], Followed(*sample[5:]), shown, size, plan.antialias) for sample in samples
        )
        return torch.stack([((one.float().clamp(-1, 1) + 1) * 127.5).round().byte() for one in painted])
