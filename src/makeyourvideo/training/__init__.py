"""Training: data, stages, the loop and its resumable state."""
