"""How a video holds over time: drift of its colours, seams between windows, sudden steps."""

LEAST_FRAMES = 16
"""Fewer do not tell a drift from chance."""
LEAST_SIDE = 16
"""In pixels: in smaller pictures motion is not found."""
