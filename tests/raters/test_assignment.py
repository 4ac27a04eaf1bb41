from itertools import pairwise

from tasks.raters import assignment
from tests.support.rating_server import made_texts


def test_each_rater_has_all_texts_in_an_order_of_their_own_that_is_the_same_again() -> None:
    texts = made_texts(10, 6)
    orders = {rater: assignment.order(texts, 1, rater) for rater in ("anna", "ben", "cleo")}
    assert all(sorted(order) == sorted(text.id for text in texts) for order in orders.values())
    assert len({tuple(order) for order in orders.values()}) == 3
    assert orders["anna"] == assignment.order(list(reversed(texts)), 1, "anna") != assignment.order(texts, 2, "anna")


def test_completions_of_one_prompt_are_half_a_round_apart_at_least() -> None:
    texts = made_texts(10, 6)
    prompt = {text.id: text.prompt_id for text in texts}
    for rater in map(str, range(50)):
        prompts = [prompt[id] for id in assignment.order(texts, 1, rater)]
        places = {name: [at for at, other in enumerate(prompts) if other == name] for name in set(prompts)}
        assert min(b - a for at in places.values() for a, b in pairwise(at)) > 5


def test_a_prompt_with_few_texts_is_spread_over_the_rounds() -> None:
    texts = [text for text in made_texts(4, 8) if text.prompt_id != "prompt-0"] + made_texts(1, 2)
    firsts = [assignment.order(texts, 1, str(rater)) for rater in range(40)]
    few = {text.id for text in texts if text.prompt_id == "prompt-0"}
    late = sum(max(order.index(id) for id in few) >= len(order) // 2 for order in firsts)
    assert 20 < late < 40


def test_items_come_once_in_every_so_many_ratings_and_not_always_at_the_same_place() -> None:
    def places(rater: str) -> list[int]:
        counts = [assignment.due(15, done, 1, rater, "repeat") for done in range(121)]
        return [done for done in range(1, 121) if counts[done] > counts[done - 1]]

    for rater in map(str, range(30)):
        found = places(rater)
        assert 8 <= len(found) <= 9
        assert all(number * 15 - 5 <= at <= number * 15 for number, at in enumerate(found, 1))
    assert len({tuple(places(str(rater))) for rater in range(30)}) > 20


def test_every_attention_item_comes_before_one_comes_again() -> None:
    shown = [assignment.attention_item(number, 5, 1, "anna") for number in range(10)]
    assert sorted(shown[:5]) == sorted(shown[5:]) == [0, 1, 2, 3, 4]


def test_a_repeat_is_an_earlier_text_and_no_text_comes_three_times() -> None:
    rated = [f"text-{number}" for number in range(20)]
    before: list[str] = []
    while again := assignment.repeated(rated, before, 8, 1, "anna"):
        assert again in rated[:12]
        before.append(again)
    assert sorted(before) == sorted(rated[:12])
    assert assignment.repeated(rated[:3], [], 8, 1, "anna") is None
