from makeyourvideo.world.captions import caption
from makeyourvideo.world.scene import WorldConfig, sample_scene


def test_a_full_caption_names_every_colour_pattern_floor_and_sky():
    config = WorldConfig(floors=("wooden",), skies=("sunset",))
    for seed in range(30):
        scene = sample_scene(seed, config)
        words = caption(scene, full=True)
        assert "wooden" in words
        assert "sunset" in words
        for thing in scene.things:
            assert thing.color in words
            assert thing.pattern == "plain" or thing.pattern in words


def test_wordings_vary_and_are_reproducible():
    scene = sample_scene(5)
    wordings = [caption(scene, wording) for wording in range(12)]
    assert len(set(wordings)) > 4
    assert wordings == [caption(sample_scene(5), wording) for wording in range(12)]


def test_partial_captions_leave_floor_or_sky_out():
    config = WorldConfig(floors=("wooden",))
    captions = [caption(sample_scene(seed, config)) for seed in range(120)]
    assert 0.03 < sum("wooden" not in words for words in captions) / 120 < 0.3


def test_articles_agree():
    config = WorldConfig(colors=("orange",), patterns={"plain": 1}, objects={1: 1})
    assert all("a orange" not in caption(sample_scene(seed, config)) for seed in range(20))
