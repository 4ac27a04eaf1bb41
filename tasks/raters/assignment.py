"""Who rates what, and in which order: random by rater, seeded, with the completions of one prompt far apart."""

import random
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from tasks.raters.texts import Text


def order(texts: Iterable[Text], seed: int, rater: str) -> list[str]:
    """The ids of the texts in a rater's own order.

    Each prompt comes at most once a round, and the same prompts stay in a round's first half, in an order of its own
    each time: between two completions of one prompt there is always the other half, or more.
    """
    draw = random.Random(f"order {seed} {rater}")
    by_prompt: dict[str, list[str]] = defaultdict(list)
    for text in texts:
        by_prompt[text.prompt_id].append(text.id)
    rounds = max(map(len, by_prompt.values()), default=0)
    turns = {}  # prompt -> round -> text
    for prompt in sorted(by_prompt):
        ids = sorted(by_prompt[prompt])
        draw.shuffle(ids)
        turns[prompt] = dict(zip(sorted(draw.sample(range(rounds), len(ids))), ids, strict=True))
    prompts = sorted(turns)
    draw.shuffle(prompts)
    halves = [prompts[: len(prompts) // 2], prompts[len(prompts) // 2 :]]
    made = []
    for number in range(rounds):
        for half in halves:
            draw.shuffle(half)
            made += [turns[prompt][number] for prompt in half if number in turns[prompt]]
    return made


def due(every: int, done: int, seed: int, rater: str, what: str) -> int:
    """How many items of a kind a rater should have seen after `done` ratings: one in each `every`, a third of that
    earlier or not, so that nobody knows when."""
    draw = random.Random(f"{what} {seed} {rater}")
    return sum(number * every - draw.randrange(every // 3 + 1) <= done for number in range(1, done // every + 2))


def attention_item(number: int, items: int, seed: int, rater: str) -> int:
    """Which of the attention items is a rater's `number`th, from 0; all come before one comes again."""
    draw = random.Random(f"items {seed} {rater} {number // items}")
    return draw.sample(range(items), items)[number % items]


def repeated(rated: Sequence[str], before: Collection[str], every: int, seed: int, rater: str) -> str | None:
    """Which text comes a second time, of those a rater has rated (in this order): none that came twice `before`, nor
    one of the latest `every`, which people remember. None if there is no such text."""
    choices = sorted(set(rated[:-every]) - set(before))
    return random.Random(f"repeat {seed} {rater} {len(before)}").choice(choices) if choices else None
