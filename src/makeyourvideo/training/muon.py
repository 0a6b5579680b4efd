"""Muon: steps along the orthogonalised momentum (Jordan et al. 2024), for matrices and kernels."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

_QUINTIC = (3.4445, -4.7750, 2.0315)


class Muon(torch.optim.Optimizer):
    """Nesterov momentum whose singular values are all brought near 1, one matrix a parameter.

    Kernels `(out, in, …)` count as matrices `(out, in * …)`, which torch's own Muon refuses. A step is as
    long as AdamW's would be (Liu et al., arXiv 2502.16982, section 2.2), so both share one learning rate.

    Args:
        params: parameters or groups of two axes or more.
        lr: learning rate, as for AdamW.
        momentum: share of the gradients before that is kept.
        weight_decay: decoupled, as in AdamW.
        dtype: what momenta are orthogonalised in; bfloat16 does where the processor has it.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.dtype = dtype
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take one step; parameters of one shape are orthogonalised as a batch."""
        assert closure is None
        for group in self.param_groups:
            shapes: dict[tuple[int, int], list[Tensor]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    shapes.setdefault((len(parameter), parameter[0].numel()), []).append(parameter)
            for shape, parameters in shapes.items():
                momenta = [self._momentum(one, group["momentum"]).reshape(shape) for one in parameters]
                updates = orthogonalized(torch.stack(momenta).to(self.dtype)).to(momenta[0].dtype)
                length = 0.2 * max(shape) ** 0.5 * group["lr"]
                for parameter, update in zip(parameters, updates, strict=True):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    parameter.sub_(update.reshape(parameter.shape), alpha=length)

    def _momentum(self, parameter: Tensor, share: float) -> Tensor:
        gradient = parameter.grad
        assert gradient is not None
        gradient = gradient.contiguous()
        state = self.state[parameter]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(gradient)
        state["momentum"].lerp_(gradient, 1 - share)
        return gradient.lerp(state["momentum"], share)


def orthogonalized(matrices: Tensor, steps: int = 5) -> Tensor:
    """Bring all singular values of `(batch, rows, columns)` near 1, by Newton-Schulz steps."""
    a, b, c = _QUINTIC
    tall = matrices.shape[-2] > matrices.shape[-1]
    moved = matrices.mT if tall else matrices
    moved = moved / (torch.linalg.matrix_norm(moved.float(), keepdim=True) + 1e-7).to(moved.dtype)
    for _ in range(steps):
        square = moved @ moved.mT
        moved = a * moved + (b * square + c * square @ square) @ moved
    return moved.mT if tall else moved
