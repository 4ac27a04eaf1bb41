"""What a model's memory is reckoned from: its dimensions, by config.json or, before it is fetched, by the table below.

Imports no torch, so that `palms models` answers at once.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.runtime.errors import InputError


@dataclass(frozen=True)
class Shape:
    """The dimensions of a decoder; `heads` and `kv_heads` are of `head_dim` each."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocabulary: int
    tied: bool = False  # whether the output layer is the embedding
    gated: bool = True  # whether the MLP has a third matrix, as Llama's
    positions: int = 0  # learned embeddings of positions, as GPT-2's

    @property
    def matrices(self) -> list[tuple[int, int]]:
        """Inputs and outputs of each matrix of one layer."""
        queries, keys = self.heads * self.head_dim, self.kv_heads * self.head_dim
        mlp = [(self.hidden, self.intermediate)] * (2 if self.gated else 1) + [(self.intermediate, self.hidden)]
        return [(self.hidden, queries), (self.hidden, keys), (self.hidden, keys), (queries, self.hidden), *mlp]

    @property
    def parameters(self) -> int:
        """Weights without biases and norms, which are less than two in a thousand."""
        embeddings = self.vocabulary * (1 if self.tied else 2) + self.positions
        return embeddings * self.hidden + self.layers * sum(rows * columns for rows, columns in self.matrices)

    def adapters(self, rank: int) -> int:
        """Weights of LoRA adapters at every matrix of the layers."""
        return self.layers * rank * sum(rows + columns for rows, columns in self.matrices)


def of_config(config: Mapping[str, Any]) -> Shape:
    """The shape that a config.json describes. Raises KeyError for one of another kind."""
    config = config.get("text_config") or config
    if config["model_type"] == "gpt2":
        hidden, heads = config["n_embd"], config["n_head"]
        inner = config.get("n_inner") or 4 * hidden
        size = config["vocab_size"]
        positions = config["n_positions"]
        return Shape(hidden, config["n_layer"], heads, heads, hidden // heads, inner, size, True, False, positions)
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    neox = config["model_type"] == "gpt_neox"
    return Shape(
        hidden=hidden,
        layers=config["num_hidden_layers"],
        heads=heads,
        kv_heads=config.get("num_key_value_heads") or heads,
        head_dim=config.get("head_dim") or hidden // heads,
        intermediate=config["intermediate_size"],
        vocabulary=config["vocab_size"],
        tied=config.get("tie_word_embeddings", config["model_type"].startswith("gemma")),
        gated=not neox,
    )


def of_folder(folder: Path) -> Shape | None:
    """The shape of a model on disk; None where there is none, or one of a kind that is not known here."""
    try:
        return of_config(json.loads((folder / "config.json").read_text("utf-8")))
    except (OSError, KeyError, TypeError, AttributeError):
        return None
    except ValueError as error:
        raise InputError(f"{folder / 'config.json'}: no JSON: {error}; get the model again") from None


def of_name(name: str) -> Shape | None:
    """The shape of a published model by its hub id or file name, whatever follows its size: `-Instruct`, `.gguf`."""
    match = re.match(r".*?\d+(\.\d+)?[mb](?![a-z0-9])", name.rpartition("/")[2].lower())
    return PUBLISHED.get(match[0]) if match else None


# by the models' own configurations
PUBLISHED = {
    "smollm2-135m": Shape(576, 30, 9, 3, 64, 1536, 49152, tied=True),
    "smollm2-360m": Shape(960, 32, 15, 5, 64, 2560, 49152, tied=True),
    "smollm2-1.7b": Shape(2048, 24, 32, 32, 64, 8192, 49152, tied=True),
    "smollm3-3b": Shape(2048, 36, 16, 4, 128, 11008, 128256, tied=True),
    "pythia-70m": Shape(512, 6, 8, 8, 64, 2048, 50304, gated=False),
    "pythia-160m": Shape(768, 12, 12, 12, 64, 3072, 50304, gated=False),
    "pythia-410m": Shape(1024, 24, 16, 16, 64, 4096, 50304, gated=False),
    "pythia-1b": Shape(2048, 16, 8, 8, 256, 8192, 50304, gated=False),
    "pythia-1.4b": Shape(2048, 24, 16, 16, 128, 8192, 50304, gated=False),
    "pythia-2.8b": Shape(2560, 32, 32, 32, 80, 10240, 50304, gated=False),
    "pythia-6.9b": Shape(4096, 32, 32, 32, 128, 16384, 50432, gated=False),
    "pythia-12b": Shape(5120, 36, 40, 40, 128, 20480, 50688, gated=False),
    "qwen2.5-0.5b": Shape(896, 24, 14, 2, 64, 4864, 151936, tied=True),
    "qwen2.5-1.5b": Shape(1536, 28, 12, 2, 128, 8960, 151936, tied=True),
    "qwen2.5-7b": Shape(3584, 28, 28, 4, 128, 18944, 152064),
    "qwen2.5-14b": Shape(5120, 48, 40, 8, 128, 13824, 152064),
    "qwen2.5-32b": Shape(5120, 64, 40, 8, 128, 27648, 152064),
    "qwen3-0.6b": Shape(1024, 28, 16, 8, 128, 3072, 151936, tied=True),
    "qwen3-1.7b": Shape(2048, 28, 16, 8, 128, 6144, 151936, tied=True),
    "qwen3-4b": Shape(2560, 36, 32, 8, 128, 9728, 151936, tied=True),
    "qwen3-8b": Shape(4096, 36, 32, 8, 128, 12288, 151936),
    "qwen3-14b": Shape(5120, 40, 40, 8, 128, 17408, 151936),
    "olmo-2-0425-1b": Shape(2048, 16, 16, 16, 128, 8192, 100352),
    "olmo-2-1124-7b": Shape(4096, 32, 32, 32, 128, 11008, 100352),
    "olmo-2-1124-13b": Shape(5120, 40, 40, 40, 128, 13824, 100352),
    "mistral-7b": Shape(4096, 32, 32, 8, 128, 14336, 32768),
    "granite-3.3-2b": Shape(2048, 40, 32, 8, 64, 8192, 49159, tied=True),
    "gemma-3-270m": Shape(640, 18, 4, 1, 256, 2048, 262144, tied=True),
    "gemma-3-1b": Shape(1152, 26, 4, 1, 256, 6912, 262144, tied=True),
}
