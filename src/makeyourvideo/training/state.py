"""All that a run needs to go on: one object, one file, replaced whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from makeyourvideo.outputs import written_whole


@dataclass
class TrainingState:
    """Weights, their moving average, the optimiser and the step.

    There is no random state to keep: the step's number seeds all of a step's randomness.
    """

    modules: nn.ModuleDict
    parameters: Sequence[nn.Parameter]
    averaged: list[torch.Tensor]
    optimizer: torch.optim.Optimizer
    step: int = 0

    @classmethod
    def start(cls, modules: nn.ModuleDict, optimizer: torch.optim.Optimizer) -> "TrainingState":
        """Begin at step 0; everything that requires a gradient is averaged."""
        parameters = [parameter for parameter in modules.parameters() if parameter.requires_grad]
        return cls(modules, parameters, [parameter.detach().clone() for parameter in parameters], optimizer)

    @torch.no_grad()
    def average(self, decay: float) -> None:
        """Move the average towards the weights; the decay warms up as (1 + step) / (10 + step)."""
        decay = min(decay, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(self.averaged, list(self.parameters), 1 - decay)

    @torch.no_grad()
    def swap_averaged(self) -> None:
        """Exchange weights and average; call it again to change back."""
        for parameter, averaged in zip(self.parameters, self.averaged, strict=True):
            kept = parameter.detach().clone()
            parameter.copy_(averaged)
            averaged.copy_(kept)

    def save(self, path: Path) -> None:
        """Write to `path`; a run killed meanwhile finds the file before."""
        with written_whole(path, force=True) as partial:
            torch.save(
                {
                    "step": self.step,
                    "parameters": [parameter.detach() for parameter in self.parameters],
                    "averaged": self.averaged,
                    "optimizer": self.optimizer.state_dict(),
                },
                partial,
            )

    @torch.no_grad()
    def load(self, path: Path) -> None:
        """Go on from `path`."""
        saved: dict[str, Any] = torch.load(path, weights_only=True)
        for name in ("parameters", "averaged"):
            for target, value in zip(getattr(self, name), saved[name], strict=True):
                target.copy_(value)
        self.optimizer.load_state_dict(saved["optimizer"])
        self.step = saved["step"]
