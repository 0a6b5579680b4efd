"""Convolutions by fewer multiplications give the library's numbers, no farther from the exact ones."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d
from torch.utils.flop_counter import FlopCounterMode

from makeyourvideo.models import winograd
from makeyourvideo.models.spatial import Convolution
from makeyourvideo.models.temporal import FramesConv, PixelsConv

TOLERANCE = 3e-5
"""Of the result's standard deviation; the library's own convolutions are off by 1e-5 to 2e-5."""


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winograd, "MKL_IS_FAST", True)  # whatever processor this is


def pictures(count: int, channels: int, height: int, width: int) -> Tensor:
    torch.manual_seed(0)
    return torch.randn(count, channels, height, width).contiguous(memory_format=torch.channels_last)


def exactly(conv: nn.Conv2d, hidden: Tensor) -> Tensor:
    assert conv.bias is not None
    return conv2d(hidden.double(), conv.weight.double(), conv.bias.double(), padding=conv.padding)


def assert_near(found: Tensor, exact: Tensor) -> None:
    assert found.shape == exact.shape
    assert (found - exact).abs().max() < TOLERANCE * exact.std()


@pytest.mark.parametrize(("height", "width"), [(16, 20), (2, 2), (32, 36), (34, 32)])
@torch.no_grad()
def test_pixels(height: int, width: int) -> None:
    conv, hidden = Convolution(320, 256), pictures(2 if height > 2 else 80, 320, height, width)
    assert winograd.pays(hidden, conv.weight)
    convolved = conv(hidden)
    assert_near(convolved, exactly(conv, hidden))
    assert convolved.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("num_frames", [4, 5, 7, 16])
@torch.no_grad()
def test_frames(num_frames: int) -> None:
    conv, hidden = FramesConv(512), pictures(2 * num_frames, 512, 8, 8)
    assert winograd.pays(hidden, conv.weight)
    first, second = hidden.split(num_frames)
    padded = [torch.cat([clip[:1], clip, clip[-1:]]) for clip in (first, second)]
    exact = [
        exactly(conv, clip.permute(2, 1, 0, 3)).permute(2, 1, 0, 3) for clip in padded
    ]  # frames as height, height as the batch
    assert_near(conv(hidden, num_frames, 2**25), torch.cat(exact))


@pytest.mark.parametrize("layer", [Convolution(320, 256), FramesConv(512), PixelsConv(256)])
@torch.no_grad()
def test_in_blocks_it_is_the_same(layer: nn.Conv2d, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = pictures(5, layer.in_channels, 16, 16)
    more = () if type(layer) is Convolution else (5, 2**30)
    whole = layer(hidden, *more)
    monkeypatch.setattr(winograd, "_BLOCK_BYTES", 2**19)
    torch.testing.assert_close(layer(hidden, *more), whole, rtol=0, atol=1e-5)
    with torch.device("meta"):  # which is how memory is estimated
        shadow = type(layer)(*([layer.in_channels] if more else [layer.in_channels, layer.out_channels]))
    assert shadow(hidden.to("meta"), *more).stride() == whole.stride()


@torch.no_grad()
def test_it_compiles_for_sizes_that_change() -> None:
    conv = Convolution(256, 256)
    compiled = torch.compile(conv, backend="aot_eager", dynamic=True)
    for side in (32, 16, 8):
        hidden = pictures(4, 256, side, side)
        torch.testing.assert_close(compiled(hidden), conv(hidden), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "given", "share"),
    [
        (Convolution(256, 256), pictures(16, 256, 32, 32), 0.4),  # 36 of 144, and the transforms
        (Convolution(256, 256), pictures(16, 256, 16, 16), 0.6),  # 16 of 36
        (FramesConv(512), pictures(16, 512, 16, 16), 0.6),  # 6 of 12
    ],
)
@torch.no_grad()
def test_it_multiplies_less(layer: nn.Conv2d, given: Tensor, share: float) -> None:
    more = () if isinstance(layer, Convolution) else (16, 2**30)
    with FlopCounterMode(display=False) as counter:
        layer(given, *more)
    taps = 9 if isinstance(layer, Convolution) else 3
    assert counter.get_total_flops() < share * 2 * given.numel() * layer.out_channels * taps


def test_where_it_does_not_pay_the_library_convolves() -> None:
    conv, hidden = Convolution(256, 256), pictures(4, 256, 8, 8)
    with torch.no_grad():
        assert winograd.pays(hidden, conv.weight)
        assert not winograd.pays(hidden[:3], conv.weight)  # too few pixels
        assert not winograd.pays(hidden[:, :64], Convolution(64, 256).weight)  # too few channels
        assert not winograd.pays(hidden.half(), conv.weight.half())
        odd = pictures(4, 256, 9, 8)
        assert torch.equal(conv(odd), nn.Conv2d.forward(conv, odd))
        with torch.autocast("cpu", torch.bfloat16):
            assert not winograd.pays(hidden, conv.weight)
    assert not winograd.pays(hidden, conv.weight)  # what gradients go through
    conv(hidden).sum().backward()
    assert conv.weight.grad is not None
