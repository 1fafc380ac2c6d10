// Equations as HTML with MathML for screen readers, one a line: reads JSON
// [TeX, whether it stands alone], writes JSON {html} or {error}.
import { createInterface } from "node:readline";
import katex from "katex";

for await (const line of createInterface({ input: process.stdin })) {
  const [tex, displayMode] = JSON.parse(line);
  let answer;
  try {
    // \htmlClass, by which the book colours the four equations, is all it trusts.
    const trust = ({ command }) => command === "\\htmlClass";
    const strict = (code) => (code === "htmlExtension" ? "ignore" : "error");
    answer = { html: katex.renderToString(tex, { displayMode, strict, trust }) };
  } catch (error) {
    answer = { error: error.message };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
