"""Muon: singular values near 1, kernels as matrices, steps as long as AdamW's."""

import pytest
import torch
from torch import nn

from makeyourvideo.training.config import OptimizerConfig
from makeyourvideo.training.loop import create_optimizers
from makeyourvideo.training.muon import Muon, orthogonalized


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(3, 24, 96), (2, 96, 24), (1, 32, 32)])
def test_singular_values_come_near_one(shape, dtype):
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    found = orthogonalized(matrices.to(dtype))
    assert found.dtype == dtype
    values = torch.linalg.svdvals(found.float())
    assert values.min() > 0.2
    assert values.max() < 1.3
    assert (values[:, : values.shape[1] // 2] > 0.6).all()


def test_a_matrix_and_a_kernel_of_one_size_move_alike():
    matrix, kernel = nn.Parameter(torch.zeros(4, 6)), nn.Parameter(torch.zeros(4, 6, 1, 1))
    matrix.grad = torch.randn(4, 6)
    kernel.grad = matrix.grad[:, :, None, None].clone()
    Muon([matrix, kernel]).step()
    assert matrix.any()
    assert torch.equal(matrix, kernel[:, :, 0, 0])


@pytest.mark.parametrize(("dtype", "rounded"), [(torch.float32, False), (torch.bfloat16, True)])
def test_it_computes_in_the_precision_of_the_run(dtype, rounded):
    kernel = nn.Parameter(torch.zeros(8, 8))
    _, muon = create_optimizers(
        nn.ParameterList([nn.Parameter(torch.zeros(3)), kernel]),
        OptimizerConfig(learning_rate=1.0, muon=True, weight_decay=0.0),
        dtype,
    )
    kernel.grad = torch.randn(8, 8, generator=torch.Generator().manual_seed(0))
    muon.step()
    update = kernel.detach() / (0.2 * 8**0.5)
    assert torch.allclose(update, update.bfloat16().float(), rtol=1e-6) == rounded


def test_the_directions_are_kept():
    left, _, right = torch.linalg.svd(torch.randn(20, 20, generator=torch.Generator().manual_seed(1)))
    values = torch.linspace(1, 0.5, 20)
    found = orthogonalized((left * values @ right)[None])[0].float()
    rotated = left.T @ found @ right.T
    assert (rotated - torch.diag(rotated.diag())).abs().max() < 0.1


def test_a_step_is_as_long_as_one_of_adamw():
    kernel = nn.Parameter(torch.randn(32, 16, 3, 3))
    before = kernel.detach().clone()
    kernel.grad = 100 * torch.randn(32, 16, 3, 3)  # the gradient's own length does not matter
    Muon([kernel], lr=0.1).step()
    moved = (kernel.detach() - before).square().mean().sqrt().item()
    assert moved == pytest.approx(0.2 * 0.1, rel=0.3)


def test_matrices_and_kernels_go_to_muon_and_tables_and_rows_to_adamw():
    modules = nn.ModuleList([nn.Embedding(5, 4), nn.Conv2d(3, 4, 3), nn.Linear(4, 4), nn.GroupNorm(2, 4)])
    modules[2].weight.requires_grad_(False)
    adamw, muon = create_optimizers(modules, OptimizerConfig(learning_rate=1e-3, muon=True))
    shared = [
        {tuple(one.shape) for group in optimizer.param_groups for one in group["params"]}
        for optimizer in (adamw, muon)
    ]
    assert shared == [{(5, 4), (4,)}, {(4, 3, 3, 3)}]


def test_without_muon_everything_goes_to_adamw():
    modules = nn.ModuleList([nn.Embedding(5, 4), nn.Conv2d(3, 4, 3)])
    (adamw,) = create_optimizers(modules, OptimizerConfig(learning_rate=1e-3))
    assert sum(len(group["params"]) for group in adamw.param_groups) == 3
