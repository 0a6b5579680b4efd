"""Sampling: guidance, schedules and noise around `predict`; knows no network."""
