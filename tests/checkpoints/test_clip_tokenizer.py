"""CLIP's tokenizer from the merges in the package."""

import pytest
from transformers import CLIPTokenizer

from makeyourvideo.checkpoints.clip_tokenizer import clip_tokenizer


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> CLIPTokenizer:
    folder = tmp_path_factory.mktemp("tokenizer")
    clip_tokenizer().save_pretrained(folder)
    return CLIPTokenizer.from_pretrained(folder)


def test_pads_with_zero(tokenizer: CLIPTokenizer) -> None:
    assert tokenizer("", padding="max_length").input_ids == [49406, 49407] + [0] * 75


def test_an_exclamation_mark_is_text(tokenizer: CLIPTokenizer) -> None:
    # OpenCLIP's ids of "wow", "!" and "!?" at a word's end; "!" alone within a word is 0, the padding
    assert tokenizer("wow! so!?").input_ids == [49406, 2781, 256, 706, 6004, 49407]


def test_a_smaller_vocabulary_is_the_same_list_cut_short() -> None:
    small = clip_tokenizer(600, model_max_length=8)
    assert len(small) == 600
    assert small("a").input_ids == [598, 320, 599]
    assert max(small("whatever it says, 你好").input_ids) == 599
