from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from muniment.kernel.model import Model, Time


class Moment(Model):
    at: Time


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"])
def test_a_time_that_utc_has_not_is_refused(at: str) -> None:
    with pytest.raises(ValidationError, match="years 1 to 9999"):
        Moment(at=at)


def test_a_time_is_in_utc() -> None:
    moment = Moment.model_validate_json('{"at": "2026-01-01T01:00:00+01:00"}')
    assert moment.at == datetime(2026, 1, 1, tzinfo=UTC)
    assert moment.model_dump_json() == '{"at":"2026-01-01T00:00:00Z"}'
