"""Questions: one JSON answer, or server-sent events as the answer grows."""

from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from muniment.gateway.endpoint import Handler, json_answer
from muniment.gateway.reading import Reader
from muniment.kernel.web import EventStream
from muniment.knowledge.contract import Answer, AnswerEvent, Ask, Completed, Knowledge, Noted, Retrieved

_ANSWER: TypeAdapter[Answer] = TypeAdapter(Answer)


def ask_handler(read: Reader[Ask], knowledge: Knowledge) -> Handler:
    """Answers in the form that `Accept` asks for."""

    async def handle(http: Request) -> Response:
        request = await read(http)
        if wants_events(http.headers.get("accept", "")):
            return EventStream(knowledge.answer(request), event_of)
        return json_answer(_ANSWER.dump_json(await knowledge.ask(request)))

    return handle


def wants_events(accept: str) -> bool:
    """Whether events are named in an `Accept` header, and JSON is not preferred to them."""
    weights = dict(_weighed(part) for part in reversed(accept.lower().split(",")))
    events = weights.get("text/event-stream", 0.0)
    return events > 0 and events >= weights.get("application/json", 0.0)


def _weighed(part: str) -> tuple[str, float]:
    kind, *parameters = (piece.strip() for piece in part.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return kind, float(parameter.removeprefix("q="))
            except ValueError:
                return kind, 0.0
    return kind, 1.0


def event_of(event: AnswerEvent) -> tuple[str, bytes]:
    """An event's name and its data, as the public API has them."""
    match event:
        case Retrieved():
            return event.kind, event.model_dump_json(include={"hits"}).encode()
        case Noted(footnote=said):
            return event.kind, said.model_dump_json().encode()
        case Completed(answer=answer):
            return event.kind, _ANSWER.dump_json(answer)
    return event.kind, event.sentence.model_dump_json().encode()
