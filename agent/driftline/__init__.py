"""Driftline: an eBPF runtime drift detection agent for containers."""

__version__ = "0.1.0"
