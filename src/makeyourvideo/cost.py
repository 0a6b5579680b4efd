"""Memory of a run before it starts: the real code on tensors that have no contents."""

import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from makeyourvideo.denoising import DECODED_TOGETHER
from makeyourvideo.errors import InputError
from makeyourvideo.memory import LADDER, Thrift, give_back_freed_memory, resident_bytes, size_text
from makeyourvideo.model_folder import networks_in
from makeyourvideo.pipeline import MakeYourVideoPipeline
from makeyourvideo.planning import Plan
from makeyourvideo.sampling import WHOLE
from makeyourvideo.structure.depth import DepthClip

SCATTER = 1.8
"""What the heap comes to over what is alive in it. A size measured, not derived: the bundled network
with 16 to 128 frames came to 1.6 to 2.1."""

LARGE, LARGE_SCATTER = 2**25, 1.15
"""From how many bytes on blocks are large, and what the heap comes to over those: they leave fewer gaps. As
measured of a network of base width 64 at 1,024 frames; the full-size one at 64 came to 1.05."""

CODE_BYTES = 40 * 10**6
"""Kernels that are only read from the disk, or made, when they are first used."""

ENCODER_BYTES = 40 * 10**6
"""What the video's encoder and the drift report hold."""

CAUTION = 1.1
"""How far below a limit the estimate must lie."""


@dataclass(frozen=True)
class Memory:
    """What a run is going to hold.

    Attributes:
        in_use: by this process before it.
        held: by this process at any time before it.
        weights: of all networks.
        mapped: the file that weights are converted from, the largest.
        activations: the most that is alive at once beside the weights, and what it is scattered over.
    """

    in_use: int
    held: int
    weights: int
    mapped: int
    activations: int

    @property
    def needed(self) -> int:
        """The most that the process is going to hold."""
        return self.in_use + self.weights + max(self.mapped, CODE_BYTES + self.activations)

    @property
    def peak(self) -> int:
        """The most that the process holds at any time, before or then."""
        return max(self.held, self.needed)


def estimate_memory(
    skeleton: MakeYourVideoPipeline, plan: Plan, depth: DepthClip, folder: Path, thrift: Thrift, in_use: int
) -> Memory:
    """Run one evaluation and the decoder without weights, and add up what is alive.

    Args:
        skeleton: from `MakeYourVideoPipeline.without_weights`.
        plan: what is going to be run; of a streamed run the largest window is counted, at which the memory
            stays.
        depth: the clip it was planned for.
        folder: of the model.
        thrift: what is done to hold less.
        in_use: what the process holds before.
    """
    networks: list[nn.Module] = [skeleton.components[part] for part in networks_in(folder)]
    weights = [parameter for network in networks for parameter in network.parameters()]
    with _LiveBytes(weights, not thrift.hands_back) as denoising:
        latents = evaluate_once(skeleton, plan, depth, thrift)
    with torch.no_grad(), _LiveBytes(weights, not thrift.hands_back) as decoding:
        skeleton.decode_latents(latents[:, :, :DECODED_TOGETHER], [plan.as_decoded], [depth])
    framing, frames = plan.framing, latents.shape[2]
    pictures = 2 * 3 * frames * framing.height * framing.width
    kept = pictures // 2 if plan.sketch_share else 0
    at_work = max(denoising.peak, decoding.peak + pictures + kept)
    if plan.windows:  # which are encoded as they come
        at_work += ENCODER_BYTES
    return Memory(
        in_use=in_use,
        held=resident_bytes("VmHWM"),
        weights=sum(weight.nbytes for weight in weights),
        mapped=max(_converted_bytes(folder / part, skeleton.unet.dtype) for part in networks_in(folder)),
        activations=max(at_work, pictures + ENCODER_BYTES),
    )


@torch.no_grad()
def evaluate_once(
    skeleton: MakeYourVideoPipeline, plan: Plan, depth: DepthClip, thrift: Thrift, frames: int | None = None
) -> Tensor:
    """The network asked once, guided if it ever is, about all frames it ever sees at once, or so many.

    What is sketched before comes with it.
    """
    most = max((len(window.seen) for window in plan.windows), default=plan.num_frames)
    frames = min(most, frames or most)
    at_once = replace(plan, frame_indices=plan.frame_indices[:frames], windows=(), guidance_interval=WHOLE)
    skeleton.save_memory(thrift)
    with _Fused():
        for event in skeleton.denoise([at_once], [depth], [torch.Generator()]):
            if plan.branches[event.step]:
                break
    return event.latents


def choose_rung(
    skeleton: MakeYourVideoPipeline, plan: Plan, depth: DepthClip, folder: Path, limit: int
) -> int:
    """The first rung of `LADDER` on which a run stays below a limit.

    Args:
        skeleton, plan, depth, folder: as for `estimate_memory`.
        limit: bytes that the whole process may hold.

    Raises:
        InputError: not even the smallest does, the process has held more already, or nobody tells how much it
            holds.
    """
    if not resident_bytes():
        raise InputError("memory_limit", "a system that tells what a process holds", "no /proc/self/status")
    give_back_freed_memory()  # of an earlier run: it would count twice
    needs: list[int] = []
    for rung, thrift in enumerate(LADDER):
        # what it takes to estimate is in use by then, too
        estimate = estimate_memory(skeleton, plan, depth, folder, thrift, resident_bytes())
        needs.append(int(estimate.needed * CAUTION))
        if max(needs[-1], estimate.held) <= limit:
            return rung
    if min(needs) <= limit:
        held = size_text(resident_bytes("VmHWM"))
        raise InputError("memory_limit", f"more than this process has held already, {held}", size_text(limit))
    shorter = "a smaller --window" if plan.windows else "--stream"
    least = -(-min(needs) // 10**7) * 10**7
    raise InputError(
        "memory_limit",
        f"at least {least // 10**6} MB (less with {shorter} or a smaller size)",
        size_text(limit),
    )


def _converted_bytes(folder: Path, dtype: torch.dtype) -> int:
    """The size of a part's weights, unless they are held as they lie on the disk."""
    files = sorted(folder.glob("*.safetensors"))
    converted = 0
    for file in files:
        with safe_open(file, "pt") as tensors:
            names = list(tensors.keys())
            if names and tensors.get_tensor(names[0]).dtype != dtype:
                converted += file.stat().st_size
    return converted


class _Fused(TorchFunctionMode):
    """Attention as processors compute it: the weights never lie in memory, as they would on meta tensors."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        del types
        if func is torch.nn.functional.scaled_dot_product_attention:
            return torch.empty_like(args[0])
        return func(*args, **(kwargs or {}))


class _LiveBytes(TorchDispatchMode):
    """Adds up the storage of every tensor that is made, for as long as it is alive.

    Args:
        apart: tensors that do not count, nor do views of them.
        scattered: whether freed blocks stay in the heap, so that it comes to more than what is alive.
    """

    def __init__(self, apart: Iterable[Tensor], scattered: bool) -> None:
        super().__init__()
        self.peak = 0
        self._sum, self._scatter = 0, (SCATTER, LARGE_SCATTER) if scattered else (1, 1)
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
            size = storage.nbytes()
            self._live[address] = int(self._scatter[size > LARGE] * size)
            self._sum += self._live[address]
            weakref.finalize(storage, self._forget, address)
            self.peak = max(self.peak, self._sum)

    def _forget(self, address: int) -> None:
        self._sum -= self._live.pop(address)
