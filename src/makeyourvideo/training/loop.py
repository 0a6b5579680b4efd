"""The training loop: one for every stage, linear, an iterable of steps, resumable to the bit."""

import json
import math
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from makeyourvideo.training.config import OptimizerConfig, StageConfig
from makeyourvideo.training.muon import Muon
from makeyourvideo.training.state import TrainingState

Loss = Callable[[int], torch.Tensor]

PATIENCE = 0.3
"""Seconds that measuring a product may take before larger ones are left out."""


@dataclass(frozen=True)
class Step:
    """One finished step.

    `peak_share` is the share of the machine's matrix-multiply peak, measured at the start of the run; a
    step's work is taken as three times that of its forward pass. It can exceed 1 where convolutions are
    faster than the library's matrix product.
    """

    step: int
    steps: int
    loss: float
    learning_rate: float
    items_per_second: float
    peak_share: float


def train(config: StageConfig, modules: nn.ModuleDict, loss: Loss, folder: Path) -> Iterator[Step]:
    """Train what requires a gradient in `modules` until `config.steps`; go on from a run in `folder`.

    Args:
        config: the stage's config.
        modules: all networks of the stage; frozen ones are left as they are.
        loss: the mean loss of a step, by its number alone: the step seeds the batch and all noise, so a run
            that was killed and started again ends with the same bits.
        folder: where `state.pt` and `log.jsonl` are kept.

    Afterwards `modules` hold the averaged weights.
    """
    accelerator = Accelerator()
    settings = config.optimizer
    trained = [parameter for parameter in modules.parameters() if parameter.requires_grad]
    halved = config.mixed_precision == "bf16"
    dtype = torch.bfloat16 if halved else torch.float32
    modules, *optimizers = accelerator.prepare(modules, *create_optimizers(modules, settings, dtype))
    state = TrainingState.start(modules, optimizers)
    saved, log = folder / "state.pt", folder / "log.jsonl"
    if saved.exists():
        state.load(saved)
    _truncate_log(log, state.step)
    peak, counter, work = matmul_peak(dtype), FlopCounterMode(display=False), 0
    if halved:
        _warn_if_slower(peak)
    last_save = time.monotonic()
    with log.open("a") as lines:
        while state.step < config.steps:
            began = time.monotonic()
            rate = learning_rate(settings, state.step, config.steps)
            for group in (group for optimizer in optimizers for group in optimizer.param_groups):
                group["lr"] = rate
            torch.manual_seed(config.seed * 1_000_003 + state.step)
            with (
                torch.autocast(accelerator.device.type, dtype, enabled=halved),
                nullcontext() if work else counter,
            ):
                value = loss(state.step)
            work = work or 3 * counter.get_total_flops()
            accelerator.backward(value)
            accelerator.clip_grad_norm_(trained, settings.max_grad_norm)
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad()
            state.step += 1
            state.average(settings.ema_decay)
            seconds = time.monotonic() - began
            taken = Step(
                state.step,
                config.steps,
                value.item(),
                rate,
                config.batch_size / seconds,
                work / seconds / peak,
            )
            lines.write(json.dumps(asdict(taken)) + "\n")
            if time.monotonic() - last_save > 60 * config.save_minutes or state.step == config.steps:
                lines.flush()
                state.save(saved)
                last_save = time.monotonic()
            yield taken
    state.swap_averaged()


def learning_rate(settings: OptimizerConfig, step: int, steps: int) -> float:
    """Linear warm-up, then a cosine to `final_share` of the rate at the last step."""
    if step < settings.warmup_steps:
        return settings.learning_rate * (step + 1) / settings.warmup_steps
    along = (step - settings.warmup_steps) / max(steps - settings.warmup_steps, 1)
    share = settings.final_share + (1 - settings.final_share) * (1 + math.cos(math.pi * min(along, 1))) / 2
    return settings.learning_rate * share


def matmul_peak(dtype: torch.dtype) -> float:
    """Measure this machine's matrix-multiply speed in FLOP/s: the best product of up to 2,048 rows.

    Larger ones are left out where a product takes long, as it does in a precision that the processor lacks.
    """
    best = 0.0
    for size in (256, 512, 1024, 2048):
        left, right = torch.randn(size, size, dtype=dtype), torch.randn(size, size, dtype=dtype)
        seconds: list[float] = []
        while not seconds or (len(seconds) < 5 and sum(seconds) < PATIENCE):
            began = time.perf_counter()
            torch.mm(left, right)
            seconds.append(time.perf_counter() - began)
        best = max(best, 2 * size**3 / min(seconds))
        if min(seconds) > PATIENCE:
            break
    return best


def _warn_if_slower(halved: float) -> None:
    """Say so where bfloat16, at so many FLOP/s, is slower than single precision."""
    whole = matmul_peak(torch.float32)
    if halved < whole:
        rates = f"{halved / 1e9:.1f} GFLOP/s here and single precision at {whole / 1e9:.1f}"
        warnings.warn(f"bfloat16 runs at {rates}: 'mixed_precision: no' is faster", stacklevel=3)


def create_optimizers(
    modules: nn.Module, settings: OptimizerConfig, dtype: torch.dtype = torch.float32
) -> list[torch.optim.Optimizer]:
    """Share out what requires a gradient: tables and single rows always go to AdamW, rows without decay.

    `dtype` is what `Muon` computes in.
    """
    tables = {
        id(table)
        for module in modules.modules()
        if isinstance(module, nn.Embedding)
        for table in module.parameters()
    }
    trained = [parameter for parameter in modules.parameters() if parameter.requires_grad]
    rows = [parameter for parameter in trained if parameter.ndim < 2]
    heavy = [parameter for parameter in trained if parameter.ndim > 1]
    moved = [parameter for parameter in heavy if settings.muon and id(parameter) not in tables]
    decayed = [parameter for parameter in heavy if not settings.muon or id(parameter) in tables]
    decay = settings.weight_decay
    groups = [{"params": decayed, "weight_decay": decay}, {"params": rows, "weight_decay": 0.0}]
    adamw = torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=settings.learning_rate,
        betas=settings.betas,
        fused=True,
    )
    return [adamw, Muon(moved, settings.learning_rate, weight_decay=decay, dtype=dtype)] if moved else [adamw]


def _truncate_log(log: Path, step: int) -> None:
    """Forget lines past the saved step, and a last line cut short."""
    if log.exists():
        lines = log.read_text().splitlines()[:step]
        log.write_text("".join(line + "\n" for line in lines))
