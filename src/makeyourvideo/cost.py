"""Time and memory of a run before it starts: the real code on tensors that have no contents."""

import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from makeyourvideo.pipeline import MakeYourVideoPipeline
from makeyourvideo.planning import Plan
from makeyourvideo.sampling import WHOLE
from makeyourvideo.structure.depth import DepthClip

# Norms, activations, attention and small layers take their share: networks of 10 M to 1.6 G parameters
# reached 0.35 to 0.53 of the rate of one convolution.
NETWORK_EFFICIENCY = 0.45


@dataclass(frozen=True)
class Cost:
    """An estimate for one run.

    Attributes:
        weight_bytes: of all networks, in single precision.
        activation_bytes: the most that is alive at once beside the weights.
        flops: floating-point operations of the whole run.
    """

    weight_bytes: int
    activation_bytes: int
    flops: int

    def seconds(self, flops_per_second: float) -> float:
        """Time the run takes at the measured rate of one convolution."""
        return self.flops / (flops_per_second * NETWORK_EFFICIENCY)


def estimate_cost(skeleton: MakeYourVideoPipeline, plan: Plan, depth: DepthClip) -> Cost:
    """Run text encoder, one evaluation and decoder without weights, and count.

    Args:
        skeleton: from `MakeYourVideoPipeline.without_weights`.
        plan: what is going to be run.
        depth: the clip it was planned for.

    Of a streamed run the largest window is counted, at which the memory stays.
    """
    networks: list[nn.Module] = [skeleton.text_encoder, skeleton.unet, skeleton.vae]
    weights = [parameter for network in networks for parameter in network.parameters()]

    frames = max((len(window.seen) for window in plan.windows), default=plan.num_frames)
    at_once = replace(plan, frame_indices=plan.frame_indices[:frames], windows=(), guidance_interval=WHOLE)

    def denoise_once() -> Tensor:
        return next(skeleton.denoise([at_once], [depth], [torch.Generator()])).latents

    latents, denoise_flops, denoise_bytes = _count(denoise_once, weights)
    _, decode_flops, decode_bytes = _count(lambda: skeleton.decode_latents(latents, plan.framing), weights)
    return Cost(
        weight_bytes=sum(4 * weight.numel() for weight in weights),
        activation_bytes=max(denoise_bytes, decode_bytes),
        flops=denoise_flops * plan.branch_evaluations // max(plan.branches)
        + decode_flops * plan.num_frames // frames,
    )


def measured_flops_per_second() -> float:
    """What this machine sustains in one convolution of common size, other work on it included."""
    channels, side, frames = 192, 16, 32
    weight = torch.randn(channels, channels, 3, 3).contiguous(memory_format=torch.channels_last)
    hidden = torch.randn(frames, channels, side, side).contiguous(memory_format=torch.channels_last)
    repeats, start = 0, time.perf_counter()
    while time.perf_counter() - start < 0.3:
        nn.functional.conv2d(hidden, weight, padding=1)
        repeats += 1
    return repeats * 2 * frames * side**2 * 9 * channels**2 / (time.perf_counter() - start)


def _count(work: Callable[[], Tensor], weights: Iterable[Tensor]) -> tuple[Tensor, int, int]:
    """The result of `work`, its floating-point operations, and the most bytes its tensors held at once."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter, _LiveBytes(weights) as memory:
        result = work()
    return result, counter.get_total_flops(), memory.peak


class _LiveBytes(TorchDispatchMode):
    """Adds up the storage of every tensor that is made, for as long as it is alive.

    Args:
        apart: tensors that do not count, nor do views of them.
    """

    def __init__(self, apart: Iterable[Tensor]) -> None:
        super().__init__()
        self.peak = 0
        self._apart = {tensor.untyped_storage()._cdata for tensor in apart}
        self._live: dict[int, int] = {}

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        del types
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._watch(leaf.untyped_storage())
        return result

    def _watch(self, storage: torch.UntypedStorage) -> None:
        address = storage._cdata
        if address not in self._live and address not in self._apart:
            self._live[address] = storage.nbytes()
            weakref.finalize(storage, self._live.pop, address, None)
            self.peak = max(self.peak, sum(self._live.values()))
