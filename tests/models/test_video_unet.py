"""What holds for the network whatever its weights."""

from pathlib import Path

import pytest
import torch
from small_unet import clip, fill_zeros, fresh_unet, small_unet

from makeyourvideo.models import VideoUNet


def frame_by_frame(unet: VideoUNet, sample: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
    return torch.cat([unet(frame, *rest).sample for frame in sample.split(1, dim=2)], dim=2)


@torch.inference_mode()
def test_a_fresh_network_is_its_image_model_frame_by_frame() -> None:
    unet = fresh_unet()
    fill_zeros(unet.spatial_parameters())  # or all outputs would be zero
    sample, timesteps, context = clip(5, batch=2)
    video = unet(sample, timesteps, context).sample
    unet.temporal_enabled = False
    assert video.std() > 0.1
    assert torch.equal(video, unet(sample, timesteps, context).sample)
    torch.testing.assert_close(video, frame_by_frame(unet, sample, timesteps, context))


@torch.inference_mode()
def test_without_temporal_layers_it_is_the_image_model_and_with_them_it_is_not() -> None:
    unet = small_unet()
    sample, timesteps, context = clip(3)
    video = unet(sample, timesteps, context).sample
    unet.temporal_enabled = False
    image = unet(sample, timesteps, context).sample
    torch.testing.assert_close(image, frame_by_frame(unet, sample, timesteps, context))
    assert (video - image).abs().max() > 0.1


@torch.inference_mode()
@pytest.mark.parametrize("num_frames", [1, 2, 17, 200])
def test_any_number_of_frames(num_frames: int) -> None:
    sample, timesteps, context = clip(num_frames)
    assert small_unet()(sample, timesteps, context).sample.shape == (1, 4, num_frames, 8, 6)


@torch.inference_mode()
def test_clips_of_a_batch_do_not_meet() -> None:
    unet = small_unet()
    sample, timesteps, context = clip(4, batch=2)
    together = unet(sample, timesteps, context).sample
    for index in range(2):
        alone = unet(sample[index : index + 1], timesteps[index], context[index : index + 1]).sample
        torch.testing.assert_close(together[index : index + 1], alone, atol=2e-5, rtol=1e-4)


def test_every_parameter_is_spatial_or_temporal() -> None:
    unet = fresh_unet()
    temporal, spatial = set(unet.temporal_parameters()), set(unet.spatial_parameters())
    assert not temporal & spatial
    assert temporal | spatial == set(unet.parameters())
    assert all(
        (".temporal_convs." in name or ".temporal_attentions." in name) == (parameter in temporal)
        for name, parameter in unet.named_parameters()
    )


def test_frozen_spatial_layers_cost_no_gradient() -> None:
    unet = small_unet().requires_grad_(False)
    for parameter in unet.temporal_parameters():
        parameter.requires_grad_(True)
    first_residual: list[torch.Tensor] = []
    unet.down_blocks[0].resnets[0].register_forward_hook(lambda *call: first_residual.append(call[-1]))
    unet(*clip(3)).sample.square().mean().backward()
    assert not first_residual[0].requires_grad
    assert all(parameter.grad is None for parameter in unet.spatial_parameters())
    assert all(parameter.grad.any() for parameter in unet.temporal_parameters())


def test_text_is_projected_once_a_clip() -> None:
    unet = small_unet()
    seen: list[torch.Size] = []
    for name, module in unet.named_modules():
        if ".attentions." in name and name.endswith("attn2.to_k"):
            module.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0].shape))
    sample, timesteps, context = clip(6, batch=2)
    unet(sample, timesteps, context)
    assert seen
    assert set(seen) == {context.shape}


def test_checkpointed_gradients_are_the_same() -> None:
    unet = small_unet(temporal_dropout=0.0).train()
    unet(*clip(3)).sample.square().mean().backward()
    plain = {name: parameter.grad for name, parameter in unet.named_parameters()}
    unet.zero_grad()
    unet.enable_gradient_checkpointing()
    unet(*clip(3)).sample.square().mean().backward()
    for name, parameter in unet.named_parameters():
        torch.testing.assert_close(parameter.grad, plain[name])


@torch.inference_mode()
@pytest.mark.parametrize(
    ("option", "absent"),
    [("temporal_convolution", ".temporal_convs."), ("temporal_attention", ".temporal_attentions.")],
)
def test_temporal_parts_can_be_left_out(option: str, absent: str) -> None:
    unet = small_unet(**{option: False})
    assert not any(absent in name for name, _ in unet.named_parameters())
    assert list(unet.temporal_parameters())
    assert unet(*clip(3)).sample.isfinite().all()


@torch.inference_mode()
def test_without_the_mask_early_frames_see_late_ones() -> None:
    sample, timesteps, context = clip(4)
    causal, free = small_unet(), small_unet(causal=False)
    assert not torch.allclose(
        causal(sample, timesteps, context).sample, free(sample, timesteps, context).sample, atol=1e-3
    )


@torch.inference_mode()
def test_saves_and_loads_in_the_diffusers_way(tmp_path: Path) -> None:
    unet = small_unet(depth_normalization="clip", transformer_layers=2, attention_head_dim=(16, 32))
    unet.save_pretrained(tmp_path / "unet")
    loaded = VideoUNet.from_pretrained(tmp_path, subfolder="unet")
    assert loaded.config.depth_normalization == "clip"
    weights = loaded.state_dict()
    assert weights.keys() == unet.state_dict().keys()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in unet.state_dict().items())
    # Not to the bit: the library's kernels differ with the alignment of mapped weights.
    torch.testing.assert_close(unet(*clip(3)).sample, loaded(*clip(3)).sample, atol=1e-5, rtol=1e-5)
    assert torch.equal(loaded(*clip(3)).sample, loaded(*clip(3), return_dict=False)[0])


def test_impossible_sizes_are_named() -> None:
    with pytest.raises(ValueError, match=r"attention_head_dim 24, got 32"):
        fresh_unet(attention_head_dim=24)
    with pytest.raises(ValueError, match=r"as many attention_levels"):
        fresh_unet(attention_levels=(True,))
    sample, timesteps, context = clip(2)
    with pytest.raises(ValueError, match=r"divisible by 2, got 7 x 6"):
        fresh_unet()(sample[..., :7, :], timesteps, context)


@torch.inference_mode()
@pytest.mark.parametrize("slice_bytes", [1, 20_000])
def test_slices_change_nothing_but_the_rounding(slice_bytes: int) -> None:
    unet = small_unet()
    sample, timesteps, context = clip(5, batch=2)
    whole = unet(sample, timesteps, context).sample
    unet.slice_bytes = slice_bytes
    torch.testing.assert_close(unet(sample, timesteps, context).sample, whole, atol=1e-5, rtol=1e-4)
