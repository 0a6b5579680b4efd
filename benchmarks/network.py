"""The forward pass by frames: time, memory, share of the processor's peak, and the public yardstick.

Every case runs in a process of its own, in turns with what it is compared with.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from diffusers import UNet3DConditionModel
from torch import nn
from torch.nn.functional import conv2d

from makeyourvideo.memory import resident_bytes, treat_freed_memory
from makeyourvideo.models import VideoUNet

REFERENCE_TFLOP = 5.215
"""What the reference computes in a forward pass of 16 frames of 32x32 latents, whatever ours computes."""

SLIM = {"block_out_channels": (64, 128, 256, 256), "attention_head_dim": 64}
CASES = {"full-16": 16, "full-64": 64, "slim-16": 16, "slim-64": 64, "slim-256": 256, "slim-1024": 1024}
FEWER = {"full-64": "full-16", "slim-256": "slim-64", "slim-1024": "slim-64"}
"""What a case is compared with: fewer frames through the same network."""


def seconds_of(work: Callable[[], object]) -> float:
    """How long one run takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def best_seconds(work: Callable[[], object], repeats: int) -> float:
    """The shortest of some runs."""
    return min(seconds_of(work) for _ in range(repeats))


def peak_rate(multiply: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> float:
    """Floating-point operations a second of the best square product of 1,024 to 8,192."""
    rates = []
    for size in (1024, 2048, 4096, 8192):
        left, right = torch.randn(size, size), torch.randn(size, size)
        rates.append(
            2 * size**3 / best_seconds(lambda a=left, b=right: multiply(a, b), 6 if size < 8192 else 1)
        )
    return max(rates)


def multiply_by_convolution(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """The same product (transposed right) as a convolution of one pixel, which oneDNN computes."""
    size = len(left)
    return conv2d(left.view(1, size, 1, size).permute(0, 3, 1, 2), right[:, :, None, None])


def random_network(build: Callable[[], nn.Module]) -> nn.Module:
    """A network with random weights of ordinary size, without the time that initialisation takes."""
    with torch.device("meta"):
        network = build()
    network = network.to_empty(device="cpu").eval()
    noise = torch.randn(2**20, generator=torch.Generator().manual_seed(0))
    for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
        copies = noise.repeat(-(-tensor.numel() // len(noise)))[: tensor.numel()].view_as(tensor)
        tensor.data.copy_(copies * (0.02 if tensor.dim() < 2 else tensor[0].numel() ** -0.5))
        if "norm" in name and name.endswith("weight"):
            tensor.data.add_(1)
    return network


@torch.inference_mode()
def measure(case: str, repeats: int) -> dict[str, Any]:
    """Run one case and say what it took."""
    treat_freed_memory(hands_back=False)  # as a run does
    frames, is_full = CASES[case], case.startswith("full")
    unet = random_network(lambda: VideoUNet() if is_full else VideoUNet(**SLIM))
    sample, context = torch.randn(1, 5, frames, 32, 32), torch.randn(1, 77, 1024)
    unet(sample[:, :, :1], 500, context)
    before = resident_bytes()
    samples = [sample]
    if case in FEWER:
        samples.append(torch.randn(1, 5, CASES[FEWER[case]], 32, 32))
    turns = [
        [seconds_of(lambda some=some: unet(some, 500, context)) for some in samples] for _ in range(repeats)
    ]
    seconds, *fewer_seconds = map(min, zip(*turns, strict=True))
    peak = resident_bytes("VmHWM")
    found: dict[str, Any] = {"case": case, "peak_bytes": peak, "beside_weights": peak - before}
    if case in FEWER:
        found["over_fewer"] = seconds / fewer_seconds[0]
    if case == "full-16":
        found["peak_rate"] = peak_rate(torch.mm)
        found["onednn_rate"] = peak_rate(multiply_by_convolution)
        options = {"in_channels": 5, "cross_attention_dim": 1024, "attention_head_dim": 64}
        yardstick = random_network(lambda: UNet3DConditionModel(**options))
        yardstick(sample[:, :, :1], 500, context)
        turns = [
            [seconds_of(lambda net=net: net(sample, 500, context)) for net in (unet, yardstick)]
            for _ in range(repeats)
        ]
        found["yardstick_seconds"] = min(theirs for _, theirs in turns)
        found["over_yardstick"] = sorted(ours / theirs for ours, theirs in turns)
    found["seconds"] = seconds
    return found


def report(found: dict[str, dict[str, Any]]) -> None:
    """Print the figures and the ratios."""
    print(f"{'case':>10} {'seconds':>9} {'a frame':>9} {'peak GB':>8} {'beside the weights GB':>22}")
    for case, row in found.items():
        frame = row["seconds"] / CASES[case]
        print(
            f"{case:>10} {row['seconds']:9.2f} {frame:9.4f} {row['peak_bytes'] / 1e9:8.2f} "
            f"{row['beside_weights'] / 1e9:22.2f}"
        )
    if "full-16" in found:
        row = found["full-16"]
        rate = REFERENCE_TFLOP * 1e12 / row["seconds"]
        print(f"share of the matrix-multiply peak ({row['peak_rate'] / 1e9:.0f} GFLOP/s): "
              f"{rate / row['peak_rate']:.2f}")  # fmt: skip
        print(f"share of oneDNN's own peak ({row['onednn_rate'] / 1e9:.0f} GFLOP/s): "
              f"{rate / row['onednn_rate']:.2f}")  # fmt: skip
        ratios = row["over_yardstick"]
        print(f"time over that of UNet3DConditionModel (best {row['yardstick_seconds']:.2f} s), in turns: "
              f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")  # fmt: skip
    for case, fewer in FEWER.items():
        if case in found:
            ratio = found[case]["over_fewer"]
            each = ratio * CASES[fewer] / CASES[case]
            print(f"{case} over {fewer}, in turns: {ratio:.2f} times the time, {each:.2f} a frame")


def main() -> None:
    """Run the cases, each in its own process, and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=list(CASES), help=f"of {', '.join(CASES)}")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        print(json.dumps(measure(given.cases[0], given.repeats)))
        return
    found = {}
    for case in given.cases:
        command = [sys.executable, __file__, case, "--inside", "--repeats", str(given.repeats)]
        found[case] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    report(found)


if __name__ == "__main__":
    main()
