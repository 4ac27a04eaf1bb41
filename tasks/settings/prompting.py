from tasks.runtime.sections import section


@section("prompting")
class Prompting:
    """How a question becomes the text a model sees; the same for training and every evaluation."""

    chat: bool  # use the tokenizer's own chat template where it has one
    template: str  # everywhere else; with {question}, and the answer follows after one space
    stop: tuple[str, ...]  # a completion ends before the first of these

    def __post_init__(self) -> None:
        if self.template.count("{question}") != 1:
            raise ValueError("template: expected {question} in it, once")
