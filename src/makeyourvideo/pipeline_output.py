"""What the pipeline returns, and the forms that frames can take."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from diffusers.utils import BaseOutput
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from makeyourvideo.errors import InputError

OutputType = Literal["uint8", "np", "pt", "pil", "latent"]


@dataclass
class MakeYourVideoOutput(BaseOutput):
    """What a call of the pipeline returns.

    Attributes:
        frames: one entry a sample. "uint8": arrays `(frames, height, width, 3)`; "np": an array
            `(batch, frames, height, width, 3)` in [0, 1]; "pt": a tensor `(batch, frames, 3, height,
            width)` in [0, 1]; "pil": lists of pictures; "latent": a tensor `(batch, channels, frames,
            latent height, latent width)`.
        notes: what was padded, cropped, picked or ignored, a sentence each.
        seeds: the seed of each sample's generator.
    """

    frames: Any
    notes: list[str]
    seeds: list[int]


def to_uint8(frames: Tensor) -> list[NDArray[np.uint8]]:
    """Frames `(batch, frames, 3, height, width)` in [0, 1] as uint8 `(frames, height, width, 3)` each."""
    whole = (frames * 255).round().to(torch.uint8).permute(0, 1, 3, 4, 2).cpu().numpy()
    return [np.ascontiguousarray(clip) for clip in whole]


def to_output_type(frames: Tensor, output_type: OutputType) -> Any:
    """Frames `(batch, frames, 3, height, width)` in [0, 1] in another form, but not as latents."""
    match output_type:
        case "uint8":
            return to_uint8(frames)
        case "np":
            return frames.permute(0, 1, 3, 4, 2).cpu().numpy()
        case "pt":
            return frames
        case "pil":
            return [[Image.fromarray(frame) for frame in clip] for clip in to_uint8(frames)]
    raise InputError("output_type", "uint8, np, pt, pil or latent", repr(output_type))
