"""The house keeps its rules, and each rule sees the breach it is for."""

from pathlib import Path

import pytest

import muniment
from rules import house_rules as rules
from rules.house_rules import Source

HOUSE = rules.sources(Path(muniment.__file__).parent)
CONTRACTS = [Source("alpha/contract.py", ""), Source("beta/contract.py", "")]

PLANTED = {
    rules.walls: [
        [Source("alpha/service.py", "from muniment.beta.service import inner\n")],
        [Source("kernel/x.py", "from muniment.alpha.contract import Alpha\n")],
        [Source("alpha/service.py", "from muniment.app import ROOMS\n")],
        [Source("alpha/service.py", "from . import store\n")],
    ],
    rules.circles: [
        [
            Source("alpha/service.py", "from muniment.beta.contract import Beta\n"),
            Source("beta/service.py", "from muniment.alpha.contract import Alpha\n"),
        ]
    ],
    rules.web: [
        [Source("alpha/service.py", "import httpx\n")],
        [Source("alpha/x.py", "from fastapi import FastAPI\n")],
    ],
    rules.data: [
        [Source("alpha/build.py", 'async def f():\n    ground.database("beta", m)\n')],
        [Source("alpha/store.py", 'Table("t", m)\n'), Source("beta/store.py", 'Table("u", ForeignKey("t.id"))\n')],
    ],
    rules.imports_on_top: [[Source("alpha/service.py", "def f():\n    import json\n")]],
    rules.light_starts: [
        [Source("cli/main.py", "import sqlalchemy\n")],
        [
            Source("cli/main.py", "from muniment.kernel.near import f\n"),
            Source("kernel/near.py", "from muniment.kernel import far\n"),
            Source("kernel/far.py", "from sqlalchemy.ext.asyncio import AsyncEngine\n"),
        ],
    ],
    rules.nothing_at_import: [
        [Source("alpha/service.py", "start()\n")],
        [Source("alpha/service.py", "engine = create_engine('x')\n")],
    ],
    rules.sizes: [
        [Source("alpha/long.py", "x = 1\n" * 401)],
        [Source("alpha/long.py", "def f():\n" + "    x = 1\n" * 60)],
    ],
    rules.catches: [
        [Source("alpha/service.py", "try:\n    f()\nexcept Exception:\n    pass\n")],
        [Source("alpha/service.py", "try:\n    f()\nexcept:\n    pass\n")],
        [Source("alpha/service.py", "try:\n    f()\nexcept (ValueError, BaseException):\n    pass\n")],
    ],
    rules.kernel_words: [
        [Source("kernel/x.py", "collection = 1\n")],
        [Source("kernel/x.py", "x = 'a footnote'\n")],
    ],
    rules.kernel_size: [[Source("kernel/x.py", "x = 1\n" * 2000)]],
}


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_the_rule(rule):
    assert list(rule(HOUSE)) == []


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_the_rule_sees_each_planted_breach(rule):
    for planted in PLANTED[rule]:
        assert list(rule([*CONTRACTS, *planted])), planted
    assert not list(rule(CONTRACTS))


def test_exceptions_are_still_needed():
    at = {source.at for source in HOUSE}
    assert set(rules.WEB_EXCEPTIONS) <= at
    assert set(rules.LONG_FILES) <= at
    assert set(rules.HEAVY_FOR) <= at
