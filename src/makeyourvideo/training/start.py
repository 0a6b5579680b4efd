"""Starting a stage from a model that is there already: its tensors are taken over wherever they fit."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from makeyourvideo.errors import unreadable_unless
from makeyourvideo.model_folder import load_network

_TOKEN_TABLE = "token_embedding.weight"


def take_over(network: nn.Module, model: Path, part: str, only: frozenset[str] | None = None) -> None:
    """Copy what `part` of the folder `model` has under the same name and of the same shape.

    Args:
        network: what is going to be trained.
        model: the model folder.
        part: one of `NETWORKS`.
        only: names to take; all by default.

    Raises:
        InputError: the part cannot be loaded.
    """
    found = load_network(model, part, torch.float32).state_dict()
    take_fitting(network, {name: found[name] for name in found.keys() & (found if only is None else only)})


def take_fitting(network: nn.Module, found: Mapping[str, Tensor]) -> None:
    """Copy those of the tensors that `network` has under the same name and of the same shape."""
    own = network.state_dict()
    fitting = {
        name: tensor for name, tensor in found.items() if name in own and own[name].shape == tensor.shape
    }
    network.load_state_dict(fitting, strict=False)


def take_over_tokens(encoder: CLIPTextModel, tokenizer: CLIPTokenizer, model: Path, first: int = 0) -> None:
    """Of an encoder's table of tokens, take those over that both vocabularies have.

    Args:
        encoder: what is going to be trained.
        tokenizer: its own.
        model: the model folder.
        first: the number from which on tokens are taken.

    Raises:
        InputError: the part cannot be loaded.
    """
    theirs, ours = _token_table(load_network(model, "text_encoder", torch.float32)), _token_table(encoder)
    with unreadable_unless(model / "tokenizer", "a tokenizer"):
        before: Mapping[str, int] = CLIPTokenizer.from_pretrained(model / "tokenizer").get_vocab()
    with torch.no_grad():
        for token, number in tokenizer.get_vocab().items():
            if number >= first and token in before:
                ours[number] = theirs[before[token]]


def _token_table(encoder: nn.Module) -> Tensor:
    (table,) = (tensor for name, tensor in encoder.named_parameters() if name.endswith(_TOKEN_TABLE))
    return table
