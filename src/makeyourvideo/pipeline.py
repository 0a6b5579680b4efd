"""The pipeline: a prompt and depth become frames; the first file that joins the parts."""

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from diffusers import AutoencoderKL
from diffusers.models.modeling_utils import no_init_weights
from numpy.typing import NDArray
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer, DPTForDepthEstimation

from makeyourvideo.denoising import DenoisingPipeline
from makeyourvideo.errors import InputError, unreadable_unless
from makeyourvideo.framing import plan_framing
from makeyourvideo.model_folder import build_network, check_folder, load_network, networks_in
from makeyourvideo.models.camera import CameraEstimator
from makeyourvideo.models.refiner import Refiner
from makeyourvideo.models.sketcher import Sketcher
from makeyourvideo.models.unet import VideoUNet
from makeyourvideo.pipeline_output import MakeYourVideoOutput, OutputType, to_output_type
from makeyourvideo.planning import (
    Mask,
    Plan,
    measure_range,
    plan_frames,
    plan_mask,
    plan_sampling,
    plan_windows,
)
from makeyourvideo.presets import Quality, TimestepSpacing
from makeyourvideo.sampling import WHOLE, Interval, per_sample_generators
from makeyourvideo.settings import Options, parse
from makeyourvideo.structure.depth import DepthClip, DepthVideo, Normalization

Depth = DepthClip | NDArray[Any] | Tensor
StepCallback = Callable[["MakeYourVideoPipeline", int, Tensor, dict[str, Tensor]], dict[str, Tensor]]

BUNDLED_MODEL = Path(__file__).parent / "bundled" / "model"


class MakeYourVideoPipeline(DenoisingPipeline):
    """Text and depth to video, section 3 of the paper, in the diffusers way.

    Beside its parts the pipeline stores what suits its model: the defaults below are the reference's.

    Args:
        unet: the denoising network; its config says how depth is normalised and folded.
        vae: the autoencoder of single frames.
        text_encoder: its `last_hidden_state` is what the network attends to.
        tokenizer: pads every prompt to its `model_max_length`.
        scheduler: any of `DDIMScheduler.compatibles`; each run makes a fresh one from its config.
        depth_estimator: for making depth from frames; sampling does not use it.
        refiner: sharpens decoded frames by their depth, where a model has one and no sketch leads to them.
        sketcher: paints what the denoising begins with, where a model has one.
        camera: tells from depth how the camera moves, for the sketcher.
        num_inference_steps: default number of steps.
        guidance_scale: default guidance.
        guidance_interval: where on the schedule it is applied by default, see `Options`.
        sketch_share: how far into the schedule the sketch leads by default, see `Options`.
        eta: default noise added by DDIM.
        num_frames: frames of the clips the model was trained on.
        height: of those clips in pixels.
        width: of those clips in pixels.
        fps: frames a second to write results with.
    """

    model_cpu_offload_seq = "text_encoder->sketcher->unet->vae->refiner"
    _optional_components = ["depth_estimator", "refiner", "sketcher", "camera"]  # noqa: RUF012  (diffusers reads it off the class)

    def __init__(
        self,
        unet: VideoUNet,
        vae: AutoencoderKL,
        text_encoder: CLIPTextModel,
        tokenizer: CLIPTokenizer,
        scheduler: Any,
        depth_estimator: DPTForDepthEstimation | None = None,
        refiner: Refiner | None = None,
        sketcher: Sketcher | None = None,
        camera: CameraEstimator | None = None,
        num_inference_steps: int = 50,
        guidance_scale: float = 7.5,
        eta: float = 1.0,
        num_frames: int = 16,
        height: int = 256,
        width: int = 256,
        fps: float = 8.0,
        guidance_interval: Interval | list[float] = WHOLE,
        sketch_share: float = 0.0,
    ) -> None:
        super().__init__()
        self.register_modules(
            unet=unet,
            vae=vae,
            text_encoder=text_encoder,
            tokenizer=tokenizer,
            scheduler=scheduler,
            depth_estimator=depth_estimator,
            refiner=refiner,
            sketcher=sketcher,
            camera=camera,
        )
        self.register_to_config(
            num_inference_steps=num_inference_steps,
            guidance_scale=guidance_scale,
            eta=eta,
            num_frames=num_frames,
            height=height,
            width=width,
            fps=fps,
            guidance_interval=list(guidance_interval),
            sketch_share=sketch_share,
        )

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, **kwargs: Any) -> Self:
        """Load a model folder, in single precision unless `dtype` says otherwise.

        Unlike the base class it refuses weights with missing, surplus or misshapen tensors.

        Raises:
            InputError: a part of the folder is missing, unreadable or does not fit its config.
        """
        kwargs.setdefault("dtype", torch.float32)
        folder = Path(pretrained_model_name_or_path)
        check_folder(folder)
        for part in set(networks_in(folder)) - kwargs.keys():
            kwargs[part] = load_network(folder, part, kwargs["dtype"])
        with unreadable_unless(folder, "a model folder in the diffusers layout"):
            return super().from_pretrained(folder, **kwargs)

    @classmethod
    def without_weights(cls, folder: Path, dtype: torch.dtype = torch.float32) -> Self:
        """The same pipeline with tensors that have shapes and no values, to plan with at no cost.

        Raises:
            InputError: as `from_pretrained`, as far as configs and file headers show.
        """
        check_folder(folder)
        with torch.device("meta"), no_init_weights():
            networks = {
                part: torch.nn.Module.to(build_network(folder, part), dtype)  # diffusers' own talks of it
                for part in networks_in(folder)
            }
        with unreadable_unless(folder, "a model folder in the diffusers layout"):
            return super().from_pretrained(folder, **networks, depth_estimator=None)

    @classmethod
    def bundled(cls) -> Self:
        """The small model inside the package."""
        return cls.from_pretrained(BUNDLED_MODEL)

    @torch.no_grad()
    def __call__(
        self,
        prompt: str | Sequence[str],
        depth: Depth | Sequence[Depth],
        num_frames: int | None = None,
        height: int | None = None,
        width: int | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        eta: float | None = None,
        negative_prompt: str | Sequence[str] = "",
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        *,
        quality: Quality | None = None,
        scheduler: str | None = None,
        timestep_spacing: TimestepSpacing | None = None,
        guidance_interval: Interval | None = None,
        sketch_share: float | None = None,
        refine: bool | None = None,
        antialias: bool | None = None,
        frame_stride: int | None = None,
        depth_normalization: Normalization | None = None,
        depth_strength: float = 1,
        depth_mask: Mask | Sequence[Mask | None] | None = None,
        output_type: OutputType = "uint8",
        callback_on_step_end: StepCallback | None = None,
        return_dict: bool = True,
    ) -> MakeYourVideoOutput | tuple[Any]:
        """Make a video, or with a sequence of prompts a batch of them, all frames at once; see also `stream`.

        Args:
            prompt: what the video shows; one string, or one for each sample.
            depth: where things are: a `DepthVideo`, or inverse depth (larger is nearer) as an array or
                tensor `(frames, height, width)`; a list has one for each sample.
            num_frames, height, width, num_inference_steps, guidance_scale, eta, quality, scheduler,
                timestep_spacing, guidance_interval, sketch_share, refine, antialias, frame_stride,
                depth_normalization, depth_strength: see `Options`.
            negative_prompt: what the guidance moves away from.
            depth_mask: strength of the depth over time and space, `(frames, height, width)` in [0, 1], as
                many frames as the depth has or the result, or one; a list has one for each sample.
            generator: see `per_sample_generators`.
            output_type: form of the frames, see `MakeYourVideoOutput`.
            callback_on_step_end: called as `callback(pipe, step, timestep, {"latents": latents})` after
                each evaluation; latents in the dictionary it returns take the place of the old ones. Detail
                that comes from the sketch stays as it is, but for `refine=False`.
            return_dict: False for a tuple of the frames alone.

        Raises:
            InputError: a number out of range, depth that cannot be used, or samples of different shapes.
        """
        asked = {
            "num_frames": num_frames,
            "frame_stride": frame_stride,
            "height": height,
            "width": width,
            "quality": quality,
            "scheduler": scheduler,
            "num_inference_steps": num_inference_steps,
            "timestep_spacing": timestep_spacing,
            "guidance_scale": guidance_scale,
            "guidance_interval": guidance_interval,
            "eta": eta,
            "sketch_share": sketch_share,
            "refine": refine,
            "antialias": antialias,
            "depth_normalization": depth_normalization,
            "depth_strength": depth_strength,
            "stream": False,
        }
        options = parse(Options, asked)
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        depths = [_as_clip(one) for one in _one_each("depth", depth, len(prompts))]
        negatives = _one_each("negative_prompt", negative_prompt, len(prompts))
        masks = _one_each("depth_mask", depth_mask, len(prompts))
        plans = [
            self.plan(prompt, depth, negative, options, mask)
            for prompt, depth, negative, mask in zip(prompts, depths, negatives, masks, strict=True)
        ]
        generators = per_sample_generators(generator, len(prompts))

        sketches = self.sketches(plans, depths, generators)
        with self.progress_bar(total=plans[0].evaluations) as bar:
            for event in self.denoise(plans, depths, generators, sketches=sketches):
                if callback_on_step_end is not None:
                    state = {"latents": event.latents}
                    changed = callback_on_step_end(self, event.step, event.timestep, state)
                    event.latents = changed.get("latents", event.latents)
                bar.update()
        frames: Any = event.latents
        if output_type != "latent":
            frames = to_output_type(
                self.decode_latents(frames, plans, depths, sketches=sketches), output_type
            )
        self.maybe_free_model_hooks()
        if not return_dict:
            return (frames,)
        notes = list(dict.fromkeys(note for plan in plans for note in plan.notes))
        return MakeYourVideoOutput(frames, notes, [own.initial_seed() for own in generators])

    def plan(
        self,
        prompt: str,
        depth: DepthClip,
        negative_prompt: str,
        options: Options,
        depth_mask: Mask | None = None,
    ) -> Plan:
        """Settle one sample: what `options` leave open comes from the model's own defaults.

        Raises:
            InputError: a number out of range, a scheduler that cannot be used, or depth that is constant
                where it is used.
        """
        self._warn_of_cut_text(prompt)
        self._warn_of_cut_text(negative_prompt)
        own = self.config
        is_followed = options.depth_strength == 1 and depth_mask is None
        has_sketcher = self.sketcher is not None and self.camera is not None
        can_sketch = has_sketcher and is_followed
        sampling, notes = plan_sampling(options, own, self.scheduler, can_sketch, self.refiner is not None)
        if options.sketch_share and not can_sketch:
            why = "the depth is not followed everywhere" if has_sketcher else "the model has no sketcher"
            notes.append(f"nothing is sketched, because {why}")
        if negative_prompt and 2 not in sampling["branches"]:
            notes.append("the negative prompt has no effect, because no step is guided")
        frame_indices, frame_notes = plan_frames(depth, options, own.num_frames)
        source, native = (depth.height, depth.width), (own.height, own.width)
        framing = plan_framing(source, options.height, options.width, native, self.size_multiple)
        windows, window_notes = plan_windows(options, len(frame_indices), self.unet.config.causal_window)
        normalization = options.depth_normalization or self.unet.config.depth_normalization
        grid = self.depth_grid(framing)
        place = partial(framing.place, grid=grid, units=depth.units)
        return Plan(
            prompt=prompt,
            negative_prompt=negative_prompt,
            framing=framing,
            frame_indices=frame_indices,
            depth_normalization=normalization,
            depth_strength=options.depth_strength,
            depth_mask=None if depth_mask is None else plan_mask(depth_mask, depth, frame_indices),
            **sampling,
            depth_range=measure_range(depth, frame_indices, place, normalization),
            windows=windows,
            notes=(*notes, *frame_notes, *framing.notes, *window_notes),
        )

    def _warn_of_cut_text(self, text: str) -> None:
        limit = self.tokenizer.model_max_length
        tokens = self.tokenizer(text, verbose=False).input_ids
        if len(tokens) > limit:
            lost = self.tokenizer.decode(tokens[limit - 1 : -1]).strip()
            said = f"the text is longer than the model's {limit} tokens; left out: {lost!r}"
            warnings.warn(said, stacklevel=3)


def _as_clip(depth: Depth) -> DepthClip:
    if isinstance(depth, DepthClip):
        return depth
    inverse = depth.detach().cpu().float().numpy() if isinstance(depth, Tensor) else np.asarray(depth)
    return DepthVideo.from_inverse_depth(inverse)


def _one_each(name: str, given: Any, batch_size: int) -> list[Any]:
    """A value for each sample: a list or tuple has its own for each, anything else is shared."""
    values = list(given) if isinstance(given, list | tuple) else [given] * batch_size
    if len(values) != batch_size:
        raise InputError(name, f"one for each of {batch_size} prompts", str(len(values)))
    return values
