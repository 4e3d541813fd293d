"""Logs: one JSON object a line on stderr, or readable lines on a terminal; each names its request."""

import logging
import sys
from typing import Literal

import structlog
from structlog.typing import EventDict, WrappedLogger

from muniment.kernel.caller import caller_or_none

LogFormat = Literal["auto", "json", "console"]

# Local variables stay out: they may hold what people wrote, or a secret.
_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module. Events are short fixed words; what varies goes into fields; secrets go nowhere."""
    return structlog.stdlib.get_logger(name)


def configure_logs(level: str, form: LogFormat) -> None:
    """Set up logging for this process, the standard library's loggers included."""
    as_json = form == "json" or (form == "auto" and not sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        _request_of_the_caller,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    ends: list[structlog.typing.Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if as_json:
        ends += [_TRACEBACKS, structlog.processors.JSONRenderer()]
    else:
        ends += [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    handler = logging.StreamHandler()
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=ends))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for chatty in ("aiosqlite", "alembic", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _request_of_the_caller(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    who = caller_or_none()
    if who is not None:
        event.setdefault("request_id", who.request_id)
        event.setdefault("principal", who.principal)
    return event
