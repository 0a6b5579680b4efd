"""A loop that was stopped goes on with the same bits."""

from pathlib import Path

import pytest
import torch
from diffusers import DDIMScheduler
from torch import Tensor

from makeyourvideo.sampling import TensorFolder, create_sampler, recorded, sample
from makeyourvideo.sampling.schedulers import scheduler_class

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # numpy's, inside diffusers


def available(name: str) -> bool:
    try:
        return bool(scheduler_class(name))
    except ValueError:
        return False


ALL = [name for name in sorted({"DDIMScheduler", *DDIMScheduler._compatibles}) if available(name)]


class Network:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, latents: Tensor, timesteps: Tensor) -> Tensor:
        self.asked += 1
        return (latents * 3).sin() + timesteps.view(-1, 1, 1, 1, 1) / 1000


@pytest.mark.parametrize("name", ALL)
def test_every_scheduler_goes_on_with_the_same_bits(name: str, tmp_path: Path) -> None:
    def run(network: Network, stop_at: int | None = None) -> Tensor:
        sampler = create_sampler(name, DDIMScheduler(clip_sample=False).config, 6)
        noise = torch.randn(1, 2, 3, 4, 4, generator=torch.Generator().manual_seed(1))
        predict = recorded(network, TensorFolder(tmp_path / "answers"))
        for event in sample(predict, sampler, noise, [torch.Generator().manual_seed(2)], 1.0):
            if event.step == stop_at:
                break
        return event.latents

    first, second = Network(), Network()
    run(first, stop_at=3)
    resumed = run(second)
    assert first.asked == 4
    sampler = create_sampler(name, DDIMScheduler(clip_sample=False).config, 6)
    noise = torch.randn(1, 2, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    *_, straight = sample(Network(), sampler, noise, [torch.Generator().manual_seed(2)], 1.0)
    assert second.asked == straight.total - 4
    assert torch.equal(resumed, straight.latents)


def test_tensors_on_disk_are_whole_or_missing(tmp_path: Path) -> None:
    kept = TensorFolder(tmp_path / "kept")
    assert list(kept) == []
    values = torch.randn(3, 4).T
    kept[12] = values
    assert torch.equal(kept[12], values)
    kept[0] = torch.zeros(1)
    assert list(kept) == [0, 12]
    assert len(kept) == 2
    (file,) = (tmp_path / "kept").glob("*12.safetensors")
    for length in (0, 5, file.stat().st_size - 1):
        file.write_bytes(file.read_bytes()[:length])
        with pytest.raises(KeyError):
            kept[12]
        kept[12] = values
    del kept[12]
    assert 12 not in kept
    with pytest.raises(KeyError):
        del kept[12]
