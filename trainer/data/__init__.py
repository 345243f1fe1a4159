"""Data: read it, check it, split it, prepare it, deal it in batches. Arrays in, arrays out."""

from trainer.data.archive import read_npz
from trainer.data.builtin import digits, iris
from trainer.data.dataset import Dataset, Task, split
from trainer.data.idx import read_idx, read_idx_array
from trainer.data.loader import Loader
from trainer.data.sources import read
from trainer.data.table import Table, read_table

__all__ = [
    "Dataset",
    "Task",
    "split",
    "read",
    "read_table",
    "read_npz",
    "read_idx",
    "read_idx_array",
    "Table",
    "iris",
    "digits",
    "Loader",
]
