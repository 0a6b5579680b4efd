"""CLIP's tokenizer, made from the list of merges inside the package."""

import gzip
from importlib import resources

from transformers import CLIPTokenizer

_MARKS = ("<|startoftext|>", "<|endoftext|>")


def clip_tokenizer(vocabulary_size: int = 49408, model_max_length: int = 77) -> CLIPTokenizer:
    """Make the tokenizer that OpenCLIP's text towers were trained with; it pads with id 0, "!".

    A smaller vocabulary is the same list cut short.
    """
    merges = _merges(vocabulary_size - 2 * 256 - len(_MARKS))
    letters = _byte_letters()
    words = [*letters, *(f"{letter}</w>" for letter in letters), *map("".join, merges), *_MARKS]
    return CLIPTokenizer(
        {word: index for index, word in enumerate(words)},
        merges,
        pad_token="!",
        split_special_tokens=True,  # or every "!" of a prompt would count as padding
        model_max_length=model_max_length,
    )


def _merges(count: int) -> list[tuple[str, ...]]:
    packed = resources.files("makeyourvideo").joinpath("data/clip_merges.txt.gz").read_bytes()
    lines = gzip.decompress(packed).decode().split("\n")
    return [tuple(line.split()) for line in lines[1 : 1 + count]]  # the first line is a heading


def _byte_letters() -> list[str]:
    """One visible character for each byte, in CLIP's order: printable bytes first, as themselves."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), 256)]
    return [*map(chr, printable), *(chr(256 + rest) for rest in range(256 - len(printable)))]
