"""Quiet hours: which messages are held until the morning, and what their summary says."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

MOST_LISTED = 20
ALWAYS_AT_ONCE = frozenset({"critical"})


@dataclass(frozen=True)
class QuietHours:
    """When a contact wants to be left alone, in the contact's own time zone."""

    start: time
    end: time
    zone: ZoneInfo

    def hold_until(self, moment: datetime, severity: str, shipment_class: str) -> datetime | None:
        """The time at which a message is delivered, or None to deliver it at once.

        An excursion of the class pharma is never held, whatever its severity says.
        """
        if severity in ALWAYS_AT_ONCE or shipment_class == "pharma":
            return None
        local = moment.astimezone(self.zone)
        if not self._covers(local.time()):
            return None
        end = local.replace(hour=self.end.hour, minute=self.end.minute, second=0, microsecond=0)
        return end if end > local else end + timedelta(days=1)

    def _covers(self, now: time) -> bool:
        if self.start <= self.end:
            return self.start <= now < self.end
        return now >= self.start or now < self.end


def summary(messages: list[str]) -> str:
    """One text for all held messages: the first twenty, and how many were left out."""
    listed = "\n".join(f"- {message}" for message in messages[:MOST_LISTED])
    left_out = len(messages) - MOST_LISTED
    return f"{listed}\nand {left_out} more" if left_out > 0 else listed
