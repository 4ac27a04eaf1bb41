"""A small sequence-classification model with random weights, saved as transformers saves a real one."""

from pathlib import Path

LABELS = {"toxic": "TOXICITY", "threat": "THREAT"}


def save_classifier(
    folder: Path, vocabulary: list[str], hidden: int = 32, layers: int = 2, positions: int = 128
) -> None:
    """A BERT with the labels clean, toxic, insult and threat, and a tokenizer that knows the vocabulary."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *vocabulary, *map(chr, range(33, 127))]
    tokens += [f"##{char}" for char in map(chr, range(33, 127))]
    (folder / "vocab.txt").write_text("\n".join(dict.fromkeys(tokens)), "utf-8")
    BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=positions).save_pretrained(folder)
    names = ("clean", "toxic", "insult", "threat")
    config = BertConfig(
        vocab_size=len(dict.fromkeys(tokens)),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        intermediate_size=4 * hidden,
        max_position_embeddings=positions,
        id2label=dict(enumerate(names)),
        label2id={name: i for i, name in enumerate(names)},
        initializer_range=0.3,  # wide, so that texts get different scores
    )
    torch.manual_seed(0)
    BertForSequenceClassification(config).save_pretrained(folder)
