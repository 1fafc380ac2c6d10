// How a text is cut into words for the search, and which words mean the same.

const SAME = new Map(Object.entries({
  alpha: "α", beta: "β", sigma: "σ", theta: "θ", gamma: "γ", tau: "τ",
  neighbor: "neighbour", neighbors: "neighbours", neighborhood: "neighbourhood",
  normalize: "normalise", normalization: "normalisation", color: "colour",
}));

/** Words as they stand: `edge_softmax` and `0.2` are one each. */
export const cut = (text: string): string[] =>
  text.normalize("NFKC").match(/[\p{L}\p{N}]+(?:[._'-][\p{L}\p{N}]+)*/gu) ?? [];

/** What a word is found by: itself, and the words that it is made of. */
export function forms(word: string): string[] {
  const parts = word
    .split(/[._'-]|(?<=\p{Ll})(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})/u)
    .filter((part) => !/^\d+$/.test(part) || part === word);
  const ends = parts.map((_, k) => parts.slice(k).join("")); // of LeakyReLU also ReLU
  const all = [word, ...(parts.length > 1 ? [...parts, ...ends] : [])]
    .map((w) => w.toLowerCase());
  return [...new Set(all.map((w) => SAME.get(w) ?? w))];
}
