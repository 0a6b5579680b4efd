"""Time of a run before it starts: every distinct layer run for real, at its true shapes, and added up."""

import copy
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from makeyourvideo.cost import evaluate_once
from makeyourvideo.job import Job
from makeyourvideo.manifest import fingerprint
from makeyourvideo.media import write_video
from makeyourvideo.memory import treat_freed_memory
from makeyourvideo.model_folder import load_network, networks_in
from makeyourvideo.models import spatial, temporal
from makeyourvideo.models.refiner import Refiner
from makeyourvideo.models.sketcher import Sketcher
from makeyourvideo.run import seen_depth

MEASURED_FRAMES = 32
"""Layers take time in proportion to their frames, so no more than these are measured."""

PATIENCE = 0.5
"""Seconds below which a layer is run again, because the first time takes longer."""

WHOLE = (
    spatial.ResidualBlock,
    spatial.SpatialTransformer,
    spatial.Downsample,
    spatial.Upsample,
    temporal.TemporalConvolution,
    temporal.TemporalTransformer,
    Refiner,
    Sketcher,
)
WHOLE_ELSEWHERE = {"ResnetBlock2D", "Upsample2D", "Attention", "CLIPEncoderLayer"}
"""Layers that are measured as a whole: ours, and by name those of the autoencoder and the text encoder."""


@dataclass(frozen=True)
class _Like:
    """What there is to say about a tensor without contents."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype

    def filled(self) -> Tensor:
        tensor = torch.empty_strided(self.shape, self.stride, dtype=self.dtype)
        return tensor.normal_() if self.dtype.is_floating_point else tensor.fill_(1)


@dataclass
class _Call:
    module: nn.Module
    args: Any
    kwargs: Any


class Layers:
    """The distinct layers that a network runs, and how often it runs each."""

    def __init__(self) -> None:
        self._calls: dict[str, _Call] = {}
        self._counts: Counter[str] = Counter()

    @contextmanager
    def recorded(self, *networks: nn.Module | None) -> Iterator[None]:
        """Note every layer that the networks run inside, at the shapes it is given."""
        handles = [
            layer.register_forward_pre_hook(self._note, with_kwargs=True)
            for network in networks
            if network is not None
            for layer in _whole_layers(network)
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _note(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        given = tree_map_only(
            Tensor, lambda one: _Like(tuple(one.shape), one.stride(), one.dtype), (args, kwargs)
        )
        weights = [tuple(weight.shape) for weight in module.parameters()]
        key = f"{type(module).__name__} {weights} {given}"
        self._counts[key] += 1
        self._calls.setdefault(key, _Call(module, *given))

    @torch.inference_mode()
    def seconds(self) -> tuple[float, float]:
        """Run each once or twice with made-up weights; all of them together, and what the first time adds."""
        together = beginning = 0.0
        for key, call in self._calls.items():
            first, again = _seconds_of(call)
            together += self._counts[key] * again
            beginning += max(first - again, 0)
        return together, beginning


def estimate_seconds(job: Job, begun: float) -> float:
    """How long the whole run takes from the start of the process, on as many threads as it uses.

    Args:
        job: the run.
        begun: `process_age` when it was prepared; what is estimated since takes no run any time.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(job.settings.threads or before)
    treat_freed_memory(job.thrift.hands_back)  # as the run will: it takes time
    try:
        return begun + _loading(job.model_folder, job.dtype) + _computing(job) + _writing(job)
    finally:
        torch.set_num_threads(before)


def _computing(job: Job) -> float:
    pipe, plan = job.skeleton, job.plan
    seen = [len(window.seen) for window in plan.windows] or [plan.num_frames]
    frames = min(max(seen), MEASURED_FRAMES)
    text, camera, sketch, begun, unet, pictures = (Layers() for _ in range(6))
    with (
        text.recorded(pipe.text_encoder),
        camera.recorded(pipe.camera),
        sketch.recorded(pipe.sketcher),
        begun.recorded(pipe.vae),
        unet.recorded(pipe.unet),
    ):
        latents = evaluate_once(pipe, plan, job.depth, job.thrift, frames)
    decoded = latents[:, :, : job.thrift.decoded_frames]
    with pictures.recorded(pipe.vae, pipe.refiner):
        pipe.decode_latents(decoded, [plan.as_decoded], [job.depth])
    passes = sum(seen) / frames
    evaluations = plan.branch_evaluations / max(*plan.branches, 1) / len(seen) * passes
    decodings = 0 if plan.is_sketch else plan.num_frames / decoded.shape[2]
    shapes = len(set(seen))
    parts = (
        (text, 1, 1),
        (camera, plan.num_frames / frames, 1),
        (sketch, plan.num_frames / min(frames, pipe.sketched_together(plan)), 1),  # some stand for all
        (begun, passes, 1),
        (unet, evaluations, shapes),
        (pictures, decodings, 1),
    )
    seconds = 0.0
    for layers, times, beginnings in parts:
        together, beginning = layers.seconds()
        seconds += together * times + beginning * beginnings
    return seconds


def _loading(folder: Path, dtype: torch.dtype) -> float:
    """From the smallest network: its checksum and its loading, for as many bytes as there are."""
    sizes = {part: _bytes_in(folder / part) for part in networks_in(folder)}
    smallest = min(sizes, key=sizes.__getitem__)
    start = time.perf_counter()
    fingerprint(folder / smallest)
    summing = (time.perf_counter() - start) * sum(sizes.values()) / sizes[smallest]
    start = time.perf_counter()
    load_network(folder, smallest, dtype)
    each = time.perf_counter() - start
    half = torch.empty(2**23, dtype=torch.float16)
    start = time.perf_counter()
    half.to(dtype)
    converting = (time.perf_counter() - start) * sum(sizes.values()) / (2 * len(half))
    return summing + len(sizes) * each + converting


def _writing(job: Job) -> float:
    """From some frames of the depth as it is seen, at the video's size."""
    sample = next(seen_depth(job))
    with TemporaryDirectory(prefix="makeyourvideo.") as folder:
        start = time.perf_counter()
        write_video(Path(folder) / "sample.mp4", sample, job.fps)
        return (time.perf_counter() - start) * job.plan.num_frames / len(sample)


def _whole_layers(module: nn.Module) -> Iterator[nn.Module]:
    children = list(module.children())
    if isinstance(module, WHOLE) or type(module).__name__ in WHOLE_ELSEWHERE or not children:
        yield module
        return
    for child in children:
        yield from _whole_layers(child)


def _seconds_of(call: _Call) -> tuple[float, float]:
    """The first time, for which kernels have to be made, and any other."""
    layer = copy.deepcopy(call.module).to_empty(device="cpu").requires_grad_(False).eval()
    for tensor in (*layer.parameters(), *layer.buffers()):
        tensor.fill_(0.01 if tensor.is_floating_point() else 1)  # neither denormal nor endless
    args, kwargs = tree_map_only(_Like, _Like.filled, (call.args, call.kwargs))

    def once() -> float:
        start = time.perf_counter()
        layer(*args, **kwargs)
        return time.perf_counter() - start

    first = once()
    return (first, once()) if first < PATIENCE else (first, first)


def _bytes_in(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("*.safetensors"))


def process_age() -> float:
    """Seconds since this process began, imports and all; 0 where nobody says."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
        uptime = float(Path("/proc/uptime").read_text().split()[0])
    except OSError:
        return 0.0
    return uptime - ticks / os.sysconf("SC_CLK_TCK")
