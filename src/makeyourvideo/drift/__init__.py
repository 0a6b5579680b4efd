"""How a video holds over time: drift of its colours, seams between windows, sudden steps."""
