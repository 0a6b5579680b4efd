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
    """Weights, their moving average, the optimisers and the step.

    There is no random state to keep: the step's number seeds all of a step's randomness.
    """

    modules: nn.ModuleDict
    parameters: Sequence[nn.Parameter]
    averaged: list[torch.Tensor]
    optimizers: Sequence[torch.optim.Optimizer]
    step: int = 0

    @classmethod
    def start(cls, modules: nn.ModuleDict, optimizers: Sequence[torch.optim.Optimizer]) -> "TrainingState":
        """Begin at step 0; everything that requires a gradient is averaged."""
        parameters = [parameter for parameter in modules.parameters() if parameter.requires_grad]
        return cls(modules, parameters, [parameter.detach().clone() for parameter in parameters], optimizers)

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
                    "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
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
        for optimizer, state in zip(self.optimizers, saved["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        self.step = saved["step"]
