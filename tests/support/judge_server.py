"""An OpenAI-compatible service of our own, on loopback, whose model always says the same of a text, and which can
misbehave in every way we know of (`analyzer_faults`, and those below)."""

import hashlib
import json
import re
from typing import Any

from tests.support.analyzer_server import AnalyzerServer, Behaviour, Handler, Query

_MARK = re.compile("=== [0-9a-f]{12} ===")


def true_rating(text: str) -> int:
    """What this service's model says of a text, 1 to 5 on people's scale."""
    return 1 + hashlib.sha256(text.encode()).digest()[0] % 5


class JudgeQuery(Query):
    """A query as a judge gets it."""

    @property
    def words(self) -> str:
        return str(self.body["messages"][0]["content"])

    @property
    def text(self) -> str:
        """The completion that is rated: what stands between the last two marks."""
        return _MARK.split(self.words)[4][1:-1]

    @property
    def turned(self) -> bool:
        """Whether the scale runs the other way than people's, on which 5 is best."""
        scale = _MARK.split(self.words)[5]
        return scale.index("best") < scale.index("worst")


class JudgeHandler(Handler):
    """Chat completions; a fault of the model is a fault of the service here."""

    def answer(self, query: Any) -> None:
        wanted = self.server.behaviour.key
        if wanted is not None and query.headers.get("authorization") != f"Bearer {wanted}":
            return self.denied()
        if self.path != "/v1/chat/completions":
            return self.error(404, "Not Found", {})
        if query.body["model"] != "judge-model":
            return self.error(404, f"The model {query.body['model']} does not exist", {"code": "model_not_found"})
        rating = true_rating(query.text)
        self.say(json.dumps({"rating": 6 - rating if query.turned else rating, "reason": "so it is"}))
        self.server.answered.append(query.text)

    def say(self, content: Any, finish: str = "stop", **message: Any) -> None:
        """A completion that says this."""
        choice = {"index": 0, "message": {"role": "assistant", "content": content} | message, "finish_reason": finish}
        usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        self.send(200, {"id": "x", "object": "chat.completion", "model": self.server.model, "choices": [choice],
                        "system_fingerprint": "fp_1", "usage": usage})  # fmt: skip

    def error(self, status: int, message: str, detail: dict[str, Any], **headers: str) -> None:
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": detail.get("code")}
        self.send(status, {"error": error}, **headers)

    def content(self) -> None:
        """A whole completion with this content."""
        self.say(self.argument)

    def cut(self) -> None:
        """Half an answer: the model ran into its longest reply."""
        self.say('{"rating": 4, "reason": "because it', "length")

    def refusal(self) -> None:
        self.say(None, refusal="I cannot help with that.")

    def filtered(self) -> None:
        self.say("", "content_filter")

    def error_in_answer(self) -> None:
        self.send(200, {"error": {"message": "provider is down", "code": 502}})

    def refuse_text(self) -> None:
        """400 of the code that is given."""
        self.error(400, "no", {"code": self.argument})

    def denied(self) -> None:
        """401 that repeats the key."""
        key = str(self.query_headers().get("authorization")).removeprefix("Bearer ")
        self.error(401, f"Incorrect API key provided: {key}", {"code": "invalid_api_key"})

    def echo(self) -> None:
        """A good answer that repeats the key it was asked with."""
        self.say(json.dumps({"rating": 3, "reason": f"asked with {self.query_headers().get('authorization')}"}))

    def query_headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.headers.items()}


class JudgeServer(AnalyzerServer):
    """The service; `model` is what it calls itself."""

    query = JudgeQuery
    handler = JudgeHandler

    def __init__(self, behaviour: Behaviour | None = None, model: str = "judge-model") -> None:
        super().__init__(behaviour)
        self.model = model

    @property
    def base_url(self) -> str:
        return f"{self.url}v1"
