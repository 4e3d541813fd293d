"""The contracts' schemas as kept in git: `python tests/rules/schemas.py` writes them, and refuses to narrow one.

A contract changes by addition. Narrowing one takes an ADR, whose number is given: `--adr 0007`.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from muniment.app import ROOMS
from muniment.kernel.contract import operations, room_of

KEPT = Path(__file__).parent / "contracts"
DECISIONS = Path(__file__).parents[2] / "docs" / "decisions"
Schema = dict[str, Any]


def schema_of(contract: type) -> Schema:
    """Each operation's request and reply as JSON Schema."""
    return {
        op.name: {
            "stream": op.stream,
            "idempotent": op.idempotent,
            "request": op.request.model_json_schema(mode="validation"),
            "reply": TypeAdapter(op.reply).json_schema(mode="serialization"),
        }
        for op in operations(contract)
    }


def narrowings(old: Schema, new: Schema) -> Iterator[str]:
    """What `new` takes away from `old`: operations, fields, values, or freedom of a request."""
    for name, before in old.items():
        if name not in new:
            yield f"{name} is gone"
            continue
        after = new[name]
        if before["stream"] != after["stream"]:
            yield f"{name} answers otherwise"
        if before["idempotent"] and not after["idempotent"]:
            yield f"{name} may no longer be repeated"
        yield from (f"{name}: {loss}" for loss in _losses(before["request"], after["request"], asked=True))
        yield from (f"{name}: {loss}" for loss in _losses(before["reply"], after["reply"], asked=False))


def _losses(old: Schema, new: Schema, *, asked: bool) -> Iterator[str]:
    before, after = _models(old), _models(new)
    for title, model in before.items():
        if title not in after:
            yield f"{title} is gone"
            continue
        fields, left = model.get("properties", {}), after[title].get("properties", {})
        yield from (f"{title}.{field} is gone" for field in fields if field not in left)
        if asked:
            needed = set(after[title].get("required", ())) - set(model.get("required", ()))
            yield from (f"{title}.{field} is required now" for field in sorted(needed))
        for field in fields.keys() & left.keys():
            lost = set(map(str, fields[field].get("enum", ()))) - set(map(str, left[field].get("enum", ())))
            if lost and asked:
                yield f"{title}.{field} no longer takes {', '.join(sorted(lost))}"


def _models(schema: Schema) -> dict[str, Schema]:
    found = dict(schema.get("$defs", {}))
    found[schema.get("title", "value")] = schema
    return found


def kept(contract: type) -> Schema | None:
    """The schema in git, None for a new contract."""
    path = KEPT / f"{room_of(contract)}.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else None


def main() -> None:
    """Write all schemas, unless one is narrower than before."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--adr", help="the number of the decision that allows a narrowing")
    adr = parser.parse_args().adr
    KEPT.mkdir(exist_ok=True)
    losses = [f"{room_of(c)}: {loss}" for c in ROOMS if (old := kept(c)) for loss in narrowings(old, schema_of(c))]
    if losses and not (adr and list(DECISIONS.glob(f"{adr}-*.md"))):
        sys.exit("a contract is narrowed; write an ADR and give its number with --adr:\n" + "\n".join(losses))
    for contract in ROOMS:
        path = KEPT / f"{room_of(contract)}.json"
        path.write_text(json.dumps(schema_of(contract), indent=1, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    main()
