"""Captions: what a person might write of a scene, with synonyms, word orders and things left out."""

from collections.abc import Sequence

import numpy as np

from makeyourvideo.world.geometry import FAMILIES, HELD_OUT_FAMILIES
from makeyourvideo.world.scene import Scene, Thing

NOUNS: dict[str, tuple[str, ...]] = {
    **{family: (family,) for family in FAMILIES},
    "ball": ("ball", "ball", "sphere"),
    "cube": ("cube", "cube", "box"),
    "ring": ("ring", "torus"),
    "capsule": ("capsule", "pill"),
    "blob": ("blob", "pebble"),
    "triangular prism": ("triangular prism", "prism"),
    "hexagonal prism": ("hexagonal prism", "hexagon"),
    "cross": ("cross", "plus sign"),
    "stairs": ("staircase", "flight of stairs"),
    "sofa": ("sofa", "couch"),
    "mug": ("mug", "cup"),
    "rock": ("rock", "boulder"),
    "lantern": ("lantern", "stone lantern"),
    "teddy bear": ("teddy bear", "toy bear"),
    **dict.fromkeys(HELD_OUT_FAMILIES, ()),
}
GENERIC = ("object", "shape", "thing")
ADJECTIVES: dict[str, tuple[str, ...]] = {
    "plain": ("", "", "", "plain"),
    "striped": ("striped",),
    "checkered": ("checkered",),
    "dotted": ("dotted", "polka dot", "spotted"),
    "wooden": ("wooden", "wood"),
    "stone": ("stone",),
    "metal": ("metal", "metallic", "steel"),
    "brick": ("brick",),
}
STYLE_PHRASES: dict[str, tuple[str, ...]] = {
    "realistic": ("", "", "", "", "a photo of"),
    "clay": ("a clay model of", "claymation of", "clay style"),
    "cartoon": ("a cartoon of", "cartoon style"),
    "neon": ("neon night", "neon style", "glowing neon"),
    "pencil": ("a pencil drawing of", "a pencil sketch of", "pencil style"),
}
FLOOR_PHRASES: dict[str, tuple[str, ...]] = {
    "gray": ("a gray floor",),
    "white": ("a white floor",),
    "brown": ("a brown floor",),
    "green": ("a green floor",),
    "checkered": ("a checkered floor", "a tiled floor"),
    "wooden": ("a wooden floor", "wooden planks"),
    "grass": ("grass", "green grass", "a meadow"),
    "sand": ("sand", "a sandy floor"),
    "stone": ("a stone floor", "paving stones"),
    "snow": ("snow", "a snowy floor"),
    "water": ("water", "a water surface"),
    "brick": ("a brick floor", "a floor of bricks"),
}
HILL_PHRASES = ("with hills behind", "among hills", "with hills in the background")
SKY_PHRASES: dict[str, tuple[str, ...]] = {
    "clear blue": ("under a clear blue sky", "on a sunny day", "under a blue sky"),
    "sunset": ("at sunset", "under a sunset sky"),
    "dawn": ("at dawn", "at sunrise", "under a dawn sky"),
    "night": ("at night", "under a night sky"),
    "overcast": ("under an overcast sky", "on an overcast day", "under a cloudy sky"),
}
LIGHT_PHRASES = ("lit from", "with light from")
SIDES = (
    "the right",
    "the back right",
    "behind",
    "the back left",
    "the left",
    "the front left",
    "the front",
    "the front right",
)
"""Where light comes from, an eighth of a circle each, from the right on through what is behind the scene."""


def article(phrase: str) -> str:
    """Put a or an before a phrase."""
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def _name(rng: np.random.Generator, thing: Thing, full: bool) -> str:
    """Name a thing; unless `full`, now and then without its looks, or by a word that fits anything."""
    words = [thing.color or "", str(rng.choice(ADJECTIVES[thing.finish]))]
    if not full and rng.random() < 0.12:
        words[rng.integers(2)] = ""
    if all(words) and rng.random() < 0.4:
        words.reverse()
    nouns = NOUNS[thing.family]
    noun = str(rng.choice(GENERIC if not nouns or (not full and rng.random() < 0.06) else nouns))
    return article(" ".join(word for word in [*words, noun] if word))


def _join(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _light(rng: np.random.Generator, scene: Scene) -> str:
    """Say which side the light comes from, to an eighth of a circle or to a quarter."""
    across, along = scene.sun
    step = int(rng.choice([1, 2]))
    eighths = np.arctan2(along, across) / (np.pi / 4)
    side = SIDES[round(eighths / step) * step % len(SIDES)]
    if side == "behind" and rng.random() < 0.3:
        return "backlit"
    return f"{rng.choice(LIGHT_PHRASES)} {side}"


def caption(scene: Scene, seed: int = 0, full: bool = False, light: bool = True) -> str:
    """Describe a scene; another `seed` words it differently.

    Args:
        scene: what to describe.
        seed: which wording.
        full: leave nothing out (otherwise floor, sky, light, looks or a smaller object at times are).
        light: whether it may say where the light comes from, which it never does under an overcast sky or in
            neon style; all else is worded alike.
    """
    rng = np.random.default_rng([scene.seed, seed])
    things = list(scene.things)
    if not full and len(things) > 1 and rng.random() < 0.12:
        things.pop()
    subject = _join([_name(rng, things[place], full) for place in rng.permutation(len(things))])
    style = str(rng.choice(STYLE_PHRASES[scene.style]))
    floor = f"on {rng.choice(FLOOR_PHRASES[scene.floor])}" if full or rng.random() < 0.88 else ""
    if floor and scene.hills and (full or rng.random() < 0.7):
        floor += f" {rng.choice(HILL_PHRASES)}"
    skyless = scene.style == "neon" or not (full or rng.random() < 0.88)
    sky = "" if skyless else str(rng.choice(SKY_PHRASES[scene.sky]))
    order = rng.random()
    if style.endswith("of"):
        subject = f"{style} {subject}"
    if sky and order < 0.15:
        parts = [f"{sky},", subject, floor]
    elif floor and order < 0.25:
        parts = [f"{floor},", subject, sky]
    else:
        parts = [subject, floor, sky]
    sentence = " ".join(part for part in parts if part)
    if style and not style.endswith("of"):
        sentence = f"{style}, {sentence}" if rng.random() < 0.5 else f"{sentence}, {style}"
    seen = light and scene.sky != "overcast" and scene.style != "neon"
    if not seen or not (full or rng.random() < 0.6):
        return sentence
    side = _light(rng, scene)
    return f"{side}, {sentence}" if rng.random() < 0.1 else f"{sentence}, {side}"
