import re

import numpy as np
import pytest

from makeyourvideo.world.captions import ADJECTIVES, GENERIC, NOUNS, SIDES, STYLE_PHRASES, caption
from makeyourvideo.world.floors import FLOORS
from makeyourvideo.world.geometry import FAMILIES, HELD_OUT_FAMILIES
from makeyourvideo.world.scene import WorldConfig, sample_scene
from makeyourvideo.world.styles import STYLES


def test_a_full_caption_names_every_object_floor_and_sky():
    config = WorldConfig(floors=("grass",), skies=("sunset",), styles={"realistic": 1})
    for seed in range(30):
        scene = sample_scene(seed, config)
        words = caption(scene, full=True)
        assert "grass" in words or "meadow" in words
        assert "sunset" in words
        assert ("hills" in words) == bool(scene.hills)
        for thing in scene.things:
            assert thing.color is None or thing.color in words
            assert thing.finish == "plain" or any(word in words for word in ADJECTIVES[thing.finish])
            assert any(noun in words for noun in NOUNS[thing.family])


@pytest.mark.parametrize("style", [name for name in STYLES if name != "realistic"])
def test_a_style_is_always_named_and_no_other_is(style):
    config = WorldConfig(styles={style: 1})
    for seed in range(20):
        named = {
            name
            for name, phrases in STYLE_PHRASES.items()
            if any(phrase and phrase in caption(sample_scene(seed, config)) for phrase in phrases)
        }
        assert named == {style}


def test_everything_in_the_world_has_words():
    assert set(NOUNS) == set(FAMILIES)
    assert set(STYLE_PHRASES) == set(STYLES)
    assert {family for family, nouns in NOUNS.items() if not nouns} == set(HELD_OUT_FAMILIES)
    for floor in FLOORS:
        assert "on " in caption(sample_scene(1, WorldConfig(floors=(floor,))), full=True)


def test_shapes_held_out_of_training_are_never_named_or_drawn():
    drawn = [thing.family for seed in range(200) for thing in sample_scene(seed).things]
    assert not set(drawn) & set(HELD_OUT_FAMILIES)
    scene = sample_scene(3, WorldConfig(families=dict.fromkeys(HELD_OUT_FAMILIES, 1.0)))
    assert any(word in caption(scene) for word in GENERIC)


def test_wordings_vary_and_are_reproducible():
    scene = sample_scene(5)
    wordings = [caption(scene, wording) for wording in range(12)]
    assert len(set(wordings)) > 4
    assert wordings == [caption(sample_scene(5), wording) for wording in range(12)]


def test_partial_captions_leave_floor_or_sky_out():
    config = WorldConfig(floors=("wooden",), finishes={"plain": 1})
    captions = [caption(sample_scene(seed, config)) for seed in range(120)]
    assert 0.03 < sum("wooden" not in words for words in captions) / 120 < 0.3


def side_in(words: str) -> int | None:
    """Which of `SIDES` a caption has the light come from, by number."""
    found = re.search(
        rf"backlit|(?:lit|light) from ({'|'.join(sorted(SIDES, key=len, reverse=True))})", words
    )
    return found and SIDES.index(found[1] or "behind")


def test_a_full_caption_says_where_the_light_comes_from():
    config = WorldConfig(skies=("clear blue", "night"), styles={"realistic": 1, "pencil": 1})
    told = set()
    for seed in range(80):
        scene = sample_scene(seed, config)
        words, others = (caption(scene, full=True, light=light) for light in (True, False))
        assert others in words
        assert side_in(others) is None
        side = side_in(words)
        across, along = scene.sun
        off = np.angle((across + 1j * along) * np.exp(-1j * side * np.pi / 4))
        assert abs(off) <= np.pi / (8 if side % 2 else 4) + 1e-6
        told.add(side)
    assert told == set(range(len(SIDES)))


@pytest.mark.parametrize("world", [{"skies": ("overcast",)}, {"styles": {"neon": 1}}])
def test_no_caption_says_where_light_comes_from_that_nobody_sees(world):
    scenes = [sample_scene(seed, WorldConfig(**world)) for seed in range(20)]
    assert all(side_in(caption(scene, full=True)) is None for scene in scenes)


def test_partial_captions_often_leave_the_light_out():
    config = WorldConfig(skies=("sunset",), styles={"realistic": 1})
    told = [side_in(caption(sample_scene(seed, config))) is not None for seed in range(120)]
    assert 0.4 < np.mean(told) < 0.8


def test_articles_agree():
    config = WorldConfig(colors=("orange",), finishes={"plain": 1}, objects={1: 1})
    assert all("a orange" not in caption(sample_scene(seed, config)) for seed in range(20))
