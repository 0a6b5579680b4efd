"""Captions: what a person might write of a scene, with synonyms, word orders and things left out."""

from collections.abc import Sequence

import numpy as np

from makeyourvideo.world.scene import Scene, Thing

NOUNS: dict[str, tuple[str, ...]] = {
    "ball": ("ball", "ball", "sphere"),
    "cube": ("cube", "cube", "box"),
    "cylinder": ("cylinder",),
    "cone": ("cone",),
    "ring": ("ring", "torus"),
    "capsule": ("capsule", "pill"),
    "pyramid": ("pyramid",),
    "star": ("star",),
    "blob": ("blob", "pebble"),
}
ADJECTIVES: dict[str, tuple[str, ...]] = {
    "plain": ("", "", "plain"),
    "striped": ("striped",),
    "checkered": ("checkered",),
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
}
SKY_PHRASES: dict[str, tuple[str, ...]] = {
    "clear blue": ("under a clear blue sky", "on a sunny day", "under a blue sky"),
    "sunset": ("at sunset", "under a sunset sky"),
    "night": ("at night", "under a night sky"),
    "overcast": ("under an overcast sky", "on an overcast day", "under a cloudy sky"),
}


def article(phrase: str) -> str:
    """Put a or an before a phrase."""
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def _name(rng: np.random.Generator, thing: Thing) -> str:
    words = [thing.color, str(rng.choice(ADJECTIVES[thing.pattern]))]
    if words[1] and rng.random() < 0.4:
        words.reverse()
    return article(" ".join(word for word in [*words, str(rng.choice(NOUNS[thing.family]))] if word))


def _join(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def caption(scene: Scene, seed: int = 0, full: bool = False) -> str:
    """Describe a scene; another `seed` words it differently.

    Args:
        scene: what to describe.
        seed: which wording.
        full: leave nothing out (otherwise floor, sky or a smaller object are sometimes left out).
    """
    rng = np.random.default_rng([scene.seed, seed])
    things = list(scene.things)
    if not full and len(things) > 1 and rng.random() < 0.12:
        things.pop()
    subject = _join([_name(rng, things[place]) for place in rng.permutation(len(things))])
    floor = f"on {rng.choice(FLOOR_PHRASES[scene.floor])}" if full or rng.random() < 0.88 else ""
    sky = str(rng.choice(SKY_PHRASES[scene.sky])) if full or rng.random() < 0.88 else ""
    order = rng.random()
    if sky and order < 0.15:
        parts = [f"{sky},", subject, floor]
    elif floor and order < 0.25:
        parts = [f"{floor},", subject, sky]
    else:
        parts = [subject, floor, sky]
    return " ".join(part for part in parts if part)
