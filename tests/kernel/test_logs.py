"""Logs name the request and keep what people wrote to themselves."""

import json
import logging
import subprocess
import sys

PROGRAM = """
import asyncio
from muniment.kernel.caller import Caller, calling_as
from muniment.kernel.guard import only_problems
from muniment.kernel.logs import configure_logs, get_logger
from muniment.kernel.problems import Internal

async def main():
    document_text = "the secret recipe"
    try:
        async with only_problems("Kitchen.cook"):
            raise KeyError(len(document_text))
    except Internal:
        pass

configure_logs("info", "json")
with calling_as(Caller(principal="usr_1", name="ada", request_id="req_1")):
    get_logger("kitchen").info("cooked", dishes=2)
    asyncio.run(main())
"""


def test_lines_are_json_with_the_request_and_without_local_variables():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert (lines[0]["event"], lines[0]["dishes"], lines[0]["request_id"]) == ("cooked", 2, "req_1")
    assert lines[1]["what"] == "Kitchen.cook"
    assert "KeyError" in json.dumps(lines[1])
    assert "secret recipe" not in done.stderr
    assert logging.getLevelName(lines[1]["level"].upper()) == logging.ERROR
