"""Which rows a step reads: the same ones in the same order, however many processes share it."""

from collections.abc import Iterator
from typing import Any

import datasets
import torch
from transformers.trainer_pt_utils import get_length_grouped_indices


class Filled(torch.utils.data.Dataset[Any]):
    """The rows, and as many blank ones (None) as fill the last step of `batch` rows.

    So every process has as many micro-batches as the others; accelerate would train twice on rows of the beginning.
    """

    def __init__(self, rows: datasets.Dataset, batch: int) -> None:
        self.rows, self.batch = rows, batch
        self.blank = -len(rows) % batch

    def __len__(self) -> int:
        return len(self.rows) + self.blank

    def __getitem__(self, place: int) -> Any:
        return self.rows[place] if place < len(self.rows) else None


class Order(torch.utils.data.Sampler[int]):
    """The places of `rows`, in another order each epoch: steps of rows of like length, blank ones last.

    Its generator is its own. The Trainer's sampler draws from torch's, which a model's dropout moves on in each process
    by as much as that process has read: then some rows are read twice and others never.
    """

    def __init__(self, rows: Filled, seed: int) -> None:
        self._rows, self._lengths = rows, list(rows.rows["length"])
        self._numbers = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[int]:
        torch.empty((), dtype=torch.int64).random_(generator=self._numbers)  # as a DataLoader takes for its workers
        places = get_length_grouped_indices(  # type: ignore[no-untyped-call]
            self._lengths, self._rows.batch, generator=self._numbers
        )
        return iter([*places, *range(len(places), len(self))])
