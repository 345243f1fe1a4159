"""Eager operators beside PyTorch."""
