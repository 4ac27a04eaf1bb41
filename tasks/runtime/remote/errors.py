"""How a query can fail."""

LIMITED = "RATE_LIMITED"


class TransientError(Exception):
    """A failure that may pass: worth another attempt. `wait` is how long the service asks to wait, in seconds."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.reason, self.wait = reason, wait


class PermanentError(Exception):
    """The service refuses this query for good; `detail` is why, in its words.

    `of_text`: it refuses the text itself, for instance as too long, and not how it was asked.
    """

    def __init__(self, reason: str, detail: str, of_text: bool) -> None:
        super().__init__(reason)
        self.reason, self.detail, self.of_text = reason, detail, of_text
