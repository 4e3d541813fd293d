"""The files of the page: small, current, of the right type, under a policy that lets nothing else in."""

from pathlib import Path

import httpx
import pytest

import muniment.gateway
from muniment.gateway.pages import APP

PAGES = Path(muniment.gateway.__file__).parent / "pages"
MOST_BYTES = 60_000


async def test_all_of_it_is_under_60_kb():
    sizes = [(PAGES / "home.html").stat().st_size, *((PAGES / "app" / name).stat().st_size for name in APP)]
    assert {path.name for path in (PAGES / "app").iterdir()} == set(APP)
    assert sum(sizes) < MOST_BYTES


async def test_files_have_types_and_are_told_apart_by_their_tags(served):
    async with httpx.AsyncClient(base_url=served.address) as http:
        for path, kind in (
            ("/", "text/html"),
            ("/app/app.js", "text/javascript"),
            ("/app/app.css", "text/css"),
            ("/app/icon.svg", "image/svg+xml"),
        ):
            first = await http.get(path)
            assert first.headers["content-type"].startswith(kind)
            assert first.headers["cache-control"] == "no-cache"
            again = await http.get(path, headers={"if-none-match": first.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")
        assert (await http.get("/app/nothing.js")).status_code == 404


async def test_the_policy_lets_nothing_else_in(served):
    async with httpx.AsyncClient(base_url=served.address) as http:
        policy = (await http.get("/")).headers["content-security-policy"]
    for part in (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ):
        assert part in policy.split("; ")


@pytest.mark.parametrize("script", ["document.body.innerHTML = '<b>x</b>'", "document.body.append(frame())"])
async def test_markup_out_of_text_is_refused_by_the_browser(visit, script):
    page = await visit(signed_in=False)
    frame = "const frame = () => { const f = document.createElement('iframe'); f.srcdoc = '<b>'; return f }"
    refused = await page.evaluate(
        f"() => {{ {frame}; try {{ {script}; return '' }} catch (e) {{ return e.name }} }}"
    )
    assert refused == "TypeError"
