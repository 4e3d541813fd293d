/** Spans count Unicode code points, strings count UTF-16 units: from one to the other, and the text around a span. */

/** The UTF-16 index of each of some code-point offsets, which ascend. */
export function utf16(text, ...offsets) {
  let at = 0;
  let point = 0;
  return offsets.map((offset) => {
    for (; point < offset && at < text.length; point += 1) at += text.codePointAt(at) > 0xffff ? 2 : 1;
    return at;
  });
}

/** Where to cut some way before `index`: where a line begins, if one does nearby. */
export function before(text, index, far) {
  const from = index - far;
  if (from <= 0) return 0;
  const line = text.indexOf("\n", from);
  return line >= 0 && line < Math.min(index, from + 500) ? line + 1 : whole(text, from);
}

/** Where to cut some way after `index`: where a line ends, if one does nearby. */
export function after(text, index, far) {
  const to = index + far;
  if (to >= text.length) return text.length;
  const line = text.lastIndexOf("\n", to);
  return line > Math.max(index, to - 500) ? line : whole(text, to);
}

/** Never between the two halves of one character. */
function whole(text, index) {
  const unit = text.charCodeAt(index);
  return unit >= 0xdc00 && unit <= 0xdfff ? index - 1 : index;
}
