"""Evaluation: features, metrics, suites and the report."""
