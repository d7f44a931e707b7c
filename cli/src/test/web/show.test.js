import assert from "node:assert/strict";
import { test } from "node:test";
import { colour, label, painted, rgb, scale } from "./main/colour.js";
import { number, percent, tokenLabel, visible } from "./main/dom.js";
import { csv, escape } from "./main/save.js";
import { order, SITES, siteName } from "./main/sites.js";

test("numbers are as short as they may be", () => {
  const cases = [[0, "0"], [1234567, "1,234,567"], [0.12345, "0.123"], [1e-7, "1.0e-7"], [-250000.5, "-2.5e+5"], [null, "–"], [undefined, "–"], [NaN, "NaN"], [-Infinity, "-Infinity"], ["x", "x"]];
  for (const [x, words] of cases) assert.equal(number(x), words);
  assert.equal(number(0.123456, 5), "0.12346");
  assert.equal(percent(0.12345), "12.3 %");
  assert.equal(percent(null), "–");
});

test("no text hides, turns others around or acts", () => {
  assert.equal(visible("a\nb\tc\r\u0000\u001b[2J"), "a⏎b⇥c␍␀␛[2J");
  assert.equal(visible("\u202eevil\u2066\u200b\ud800"), "\\u{202e}evil\\u{2066}\\u{200b}\\u{d800}");
  assert.equal(visible("\u{1f600}é漢"), "\u{1f600}é漢");
  assert.equal(visible("x".repeat(10000), 60), "x".repeat(60) + "…");
  assert.equal(visible("<script>"), "<script>");
  assert.equal(tokenLabel("  the "), "␣␣the␣");
  assert.equal(tokenLabel(""), "∅");
  for (let code = 0; code <= 0x10ffff; code += 1) {
    if (code === 0x20) continue;
    assert.ok(!/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u.test(visible(String.fromCodePoint(code))), code.toString(16));
  }
});

test("tables are RFC 4180, and no cell is a formula", () => {
  assert.equal(csv([["a", "b"], [1.5, null], ['say "x"', "two\nlines"], ["=1+1", "-2"], [-2, "@x"], ["a,b", "\tx"], [undefined, "+"]]),
    'a,b\r\n1.5,\r\n"say ""x""","two\nlines"\r\n\'=1+1,\'-2\r\n-2,\'@x\r\n"a,b",\'\tx\r\n,\'+\r\n');
});

test("texts within a drawing are XML", () => {
  assert.equal(escape('<a b="c">&\u0000\ud800x\udc00\u{1f600}'), "&lt;a b=&quot;c&quot;&gt;&amp;\ufffd\ufffdx\ufffd\u{1f600}");
});

test("scales run from the least to the largest value that is a number", () => {
  const { share, least, largest } = scale([3, null, 1, NaN, 5, Infinity, "x"]);
  assert.deepEqual([least, largest], [1, 5]);
  assert.deepEqual([share(1), share(3), share(5), share(null), share(Infinity)], [0, 0.5, 1, null, 1]);
  const log = scale([0, 1, 10, 100], { log: true });
  assert.deepEqual([log.share(1), log.share(10), log.share(100), log.share(0)], [0, 0.5, 1, 0]);
  assert.equal(scale([2, 2]).share(2), 0.5);
  const fixed = scale([0.2], { least: 0, largest: 1 });
  assert.equal(fixed.share(0.25), 0.25);
});

const luminance = (c) => c.map((x) => x / 255).map((x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4))
  .reduce((sum, x, i) => sum + x * [0.2126, 0.7152, 0.0722][i], 0);

test("the larger is the lighter, and text on every shade has a contrast of 4.5 at least", () => {
  let before = -1;
  for (let i = 0; i <= 255; i++) {
    const back = luminance(rgb(i / 255));
    assert.ok(back >= before - 0.002, String(i));
    before = back;
    const ink = painted(i / 255).color === "#ffffff" ? 1 : 0;
    assert.ok((Math.max(back, ink) + 0.05) / (Math.min(back, ink) + 0.05) >= 4.5, String(i));
  }
  assert.equal(colour(0), "rgb(0,34,78)");
  assert.deepEqual(rgb(7), rgb(1));
  assert.deepEqual(painted(null), {});
});

test("labels are told without colour", () => {
  assert.deepEqual(label("previous_token").slice(0, 2), ["P", "previous token"]);
  assert.equal(label(null)[0], "?");
});

test("places come in the order of the graph, those of no layer last", () => {
  const places = [[null, "logits"], [1, "attn_norm"], [0, "layer_out"], [0, "query"], [-1, "embedding"]];
  assert.deepEqual(places.toSorted((a, b) => order(...a) - order(...b)), [[-1, "embedding"], [0, "query"], [0, "layer_out"], [1, "attn_norm"], [null, "logits"]]);
  assert.equal(new Set(SITES).size, SITES.length);
  assert.deepEqual([siteName(2, "ffn_out"), siteName(null, "logits"), siteName(-1, "embedding"), siteName(0, null)], ["ffn_out-2", "logits", "embedding", "–"]);
});
