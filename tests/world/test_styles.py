import numpy as np

from makeyourvideo.world.colors import COLORS, linear_to_srgb
from makeyourvideo.world.styles import COLORLESS, STYLES

ALBEDO = np.stack([np.asarray(color, np.float32) for color in COLORS.values()])


def test_in_full_light_a_realistic_style_shows_the_albedo() -> None:
    np.testing.assert_allclose(STYLES["realistic"].flat(ALBEDO), ALBEDO)


def test_styles_without_colours_show_none_and_a_cartoon_more() -> None:
    def colorful(style: str) -> float:
        return float(np.ptp(linear_to_srgb(STYLES[style].flat(ALBEDO)), axis=1).mean())

    assert all(colorful(style) < 0.03 for style in COLORLESS)
    assert colorful("cartoon") > colorful("realistic") > 0.3
