"""A model folder that is not whole is refused in one line that names the part at fault."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from makeyourvideo import MakeYourVideoPipeline
from makeyourvideo.errors import InputError

UNET_WEIGHTS = Path("unet/diffusion_pytorch_model.safetensors")


@pytest.fixture
def folder(model_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(model_folder, tmp_path / "copy"))


def without_a_tensor(folder: Path) -> None:
    tensors = load_file(folder / UNET_WEIGHTS)
    del tensors["conv_in.bias"]
    save_file(tensors, folder / UNET_WEIGHTS, metadata={"format": "pt"})


def with_a_tensor_too_many(folder: Path) -> None:
    tensors = load_file(folder / UNET_WEIGHTS)
    tensors["conv_in.extra"] = tensors["conv_in.bias"].clone()
    save_file(tensors, folder / UNET_WEIGHTS, metadata={"format": "pt"})


def with_a_wrong_shape(folder: Path) -> None:
    tensors = load_file(folder / UNET_WEIGHTS)
    tensors["conv_in.bias"] = tensors["conv_in.bias"][:7].clone()
    save_file(tensors, folder / UNET_WEIGHTS, metadata={"format": "pt"})


def without_a_text_tensor(folder: Path) -> None:
    file = folder / "text_encoder" / "model.safetensors"
    tensors = load_file(file)
    del tensors["final_layer_norm.weight"]
    save_file(tensors, file, metadata={"format": "pt"})


def cut_short(folder: Path) -> None:
    content = (folder / UNET_WEIGHTS).read_bytes()
    (folder / UNET_WEIGHTS).write_bytes(content[: len(content) // 2])


def no_weights(folder: Path) -> None:
    (folder / UNET_WEIGHTS).unlink()


def no_vae(folder: Path) -> None:
    shutil.rmtree(folder / "vae")


def no_index(folder: Path) -> None:
    (folder / "model_index.json").unlink()


def broken_index(folder: Path) -> None:
    (folder / "model_index.json").write_text('{"unet": ')


def another_unet(folder: Path) -> None:
    index = json.loads((folder / "model_index.json").read_text())
    index["unet"] = ["diffusers", "UNet2DConditionModel"]
    (folder / "model_index.json").write_text(json.dumps(index))


def broken_config(folder: Path) -> None:
    (folder / "unet" / "config.json").write_text('{"block_out_channels": [33]}')


def no_tokenizer_files(folder: Path) -> None:
    for file in (folder / "tokenizer").iterdir():
        file.unlink()


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (without_a_tensor, "unet: .*exactly the tensors .*conv_in.bias missing"),
        (with_a_tensor_too_many, "unet: .*exactly the tensors .*conv_in.extra surplus"),
        (with_a_wrong_shape, "unet: expected the weights of a VideoUNet, found .*conv_in.bias"),
        (without_a_text_tensor, "text_encoder: .*exactly the tensors .*final_layer_norm.weight missing"),
        (cut_short, "unet.*: expected .*, found"),
        (no_weights, "unet: expected .*weights.*, found"),
        (no_vae, "vae: expected a folder, found nothing there"),
        (no_index, "copy: expected a model folder with a model_index.json, found a folder without one"),
        (broken_index, "model_index.json: expected a diffusers model index in JSON"),
        (another_unet, "model_index.json: expected unet of class VideoUNet .*UNet2DConditionModel"),
        (broken_config, "unet.*: expected .*VideoUNet, found"),
        (no_tokenizer_files, "tokenizer: expected a tokenizer.json or vocab.json, found neither"),
    ],
)
def test_what_is_wrong_is_named(folder: Path, spoil: Callable[[Path], None], complaint: str) -> None:
    spoil(folder)
    with pytest.raises(InputError, match=complaint) as caught:
        MakeYourVideoPipeline.from_pretrained(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("spoil", [cut_short, no_weights, no_vae, no_index, another_unet, broken_config])
def test_planning_finds_it_without_loading_weights(folder: Path, spoil: Callable[[Path], None]) -> None:
    spoil(folder)
    with pytest.raises(InputError):
        MakeYourVideoPipeline.without_weights(folder)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing there"):
        MakeYourVideoPipeline.from_pretrained(tmp_path / "nowhere")
