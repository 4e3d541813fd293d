"""Offsets of the API count code points, those of a browser UTF-16 units: the span is cut exactly."""

import random

ALPHABET = "ab \n🐘𝔊é👩‍👧\u2028\N{COMBINING ACUTE ACCENT}"
CUT = """async (drawn) => {
  const { utf16, before, after } = await import("/app/spans.js");
  return drawn.map(([text, start, end]) => {
    const [from, to] = utf16(text, start, end);
    return [text.slice(from, to), text.slice(before(text, from, 7), from), text.slice(to, after(text, to, 7))];
  });
}"""


async def test_spans_are_cut_as_python_cuts_them(visit):
    page = await visit(signed_in=False)
    draw = random.Random(20261121)
    drawn = []
    for _ in range(2000):
        text = "".join(draw.choices(ALPHABET, k=draw.randrange(60)))
        start, end = sorted(draw.choices(range(len(text) + 1), k=2))
        drawn.append((text, start, end))
    for (text, start, end), (inside, left, right) in zip(drawn, await page.evaluate(CUT, drawn), strict=True):
        assert inside == text[start:end]
        assert text[:start].endswith(left)
        assert text[end:].startswith(right)
