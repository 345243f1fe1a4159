"""Optimizers, learning rate schedules and gradient clipping."""

from trainer.optim.adam import Adam, AdamW
from trainer.optim.base import Optimizer
from trainer.optim.clipping import clip_by_global_norm, global_norm
from trainer.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "clip_by_global_norm", "global_norm"]
