"""The bundled model's own byte-level byte-pair encoding, so that no word breaks it."""

import json
from collections.abc import Iterable, Sequence

import torch
from tokenizers import pre_tokenizers
from tokenizers.trainers import BpeTrainer
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

_START, _END, _PAD = "<|startoftext|>", "<|endoftext|>", "<|pad|>"
_SUFFIX = "</w>"


def tokens_of(tokenizer: CLIPTokenizer, prompts: Sequence[str]) -> Tensor:
    """Prompts as tokens `(b, n)`, each filled up or cut to the model's length."""
    found = tokenizer(list(prompts), padding="max_length", truncation=True, return_tensors="pt").input_ids
    assert isinstance(found, Tensor)
    return found


@torch.no_grad()
def context_of(encoder: CLIPTextModel, tokenizer: CLIPTokenizer, prompts: Sequence[str]) -> Tensor:
    """Prompts as a text encoder that is not trained gives them, `(b, n, d)`."""
    found = encoder(tokens_of(tokenizer, prompts).to(encoder.device)).last_hidden_state
    assert isinstance(found, Tensor)
    return found


def train_tokenizer(captions: Iterable[str], vocabulary_size: int, max_length: int) -> CLIPTokenizer:
    """Learn merges from captions in CLIP's layout: lower case, words end in `</w>`.

    Every byte stands in the vocabulary, inside a word and at its end, so any text can be encoded. They are
    given to the trainer as fixed tokens, because it would number those it meets in no fixed order.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    learner = CLIPTokenizer(pad_token=_PAD).backend_tokenizer
    trainer = BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=[_START, _END, _PAD, *(byte + _SUFFIX for byte in alphabet)],
        initial_alphabet=alphabet,
        end_of_word_suffix=_SUFFIX,
        show_progress=False,
    )
    learner.train_from_iterator(captions, trainer)
    learnt = json.loads(learner.to_str())["model"]
    return CLIPTokenizer(
        vocab=learnt["vocab"],
        merges=[tuple(merge) for merge in learnt["merges"]],
        pad_token=_PAD,
        model_max_length=max_length,
    )


def with_words(tokenizer: CLIPTokenizer, words: Iterable[str]) -> CLIPTokenizer:
    """Give words that are read in several pieces a token each, numbered on from the last one.

    Pieces are joined from the end on, after all joins that there are already: so other words are read in the
    pieces that they always were, but for those of several pieces that end alike.
    """
    model = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    vocabulary, merges = dict(model["vocab"]), [tuple(merge) for merge in model["merges"]]
    pad, longest = tokenizer.pad_token, tokenizer.model_max_length
    for word in words:
        while len(pieces := tokenizer.tokenize(word)) > 1:
            merges.append(tuple(pieces[-2:]))
            vocabulary.setdefault("".join(pieces[-2:]), len(vocabulary))
            tokenizer = CLIPTokenizer(
                vocab=vocabulary, merges=merges, pad_token=pad, model_max_length=longest
            )
    return tokenizer
