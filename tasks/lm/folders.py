"""Models in a local folder or file: what they lack, and what tells that they are the ones that were meant."""

import hashlib
from pathlib import Path

# any of these makes a tokenizer
TOKENIZERS = (
    ("tokenizer.json",),
    ("tokenizer.model",),
    ("spiece.model",),
    ("tekken.json",),
    ("sentencepiece.bpe.model",),
    ("vocab.txt",),
    ("vocab.json", "merges.txt"),
)
MODEL_FILES = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]  # never .bin, .pt or .py


def lacking(path: Path) -> str | None:
    """What a local model has not that every one needs, in words; None where all of it is there. Reads no weights."""
    if not path.exists():
        return "not found"
    if path.is_file():
        return None if path.suffix == ".gguf" else "expected a folder or a .gguf file"
    if not list(path.glob("*.safetensors")):
        return "no .safetensors in this folder; other weight formats are not loaded"
    if not (path / "config.json").exists():
        return "no config.json in this folder; it stands beside the weights wherever transformers saved them"
    if not any(all((path / name).exists() for name in files) for files in TOKENIZERS):
        names = ", ".join(" with ".join(files) for files in TOKENIZERS)
        return (
            f"no tokenizer in this folder, which is one of: {names}; copy it from the model that this one was made of, "
            "or save it there with tokenizer.save_pretrained"
        )
    return None


def fingerprint(path: Path) -> str:
    """The SHA-256 of a file, or of the names and hashes of the files of a model folder."""
    if path.is_file():
        return sha256(path)
    files = sorted({file for pattern in MODEL_FILES for file in path.glob(pattern)})
    listed = "".join(f"{file.name}\0{sha256(file)}\n" for file in files)
    return hashlib.sha256(listed.encode()).hexdigest()


def sha256(path: Path) -> str:
    """The SHA-256 of a file as hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
