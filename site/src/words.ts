// How a text is cut into words for the search, and which words mean the same.

const SAME = new Map(Object.entries({
  alpha: "α", beta: "β", sigma: "σ", theta: "θ", gamma: "γ", tau: "τ",
  neighbor: "neighbour", neighbors: "neighbours", neighborhood: "neighbourhood",
  normalize: "normalise", normalization: "normalisation", color: "colour",
}));

/** Words as they stand: `edge_softmax`, `0.2` and 2,708 are one each. */
export const cut = (text: string): string[] =>
  text.normalize("NFKC").replace(/(\d),(?=\d{3})/g, "$1")
    .match(/[\p{L}\p{N}]+(?:[._'-][\p{L}\p{N}]+)*/gu) ?? [];

/** A word in the form in which it is kept. */
export const whole = (word: string): string => {
  const small = word.toLowerCase();
  return SAME.get(small) ?? small;
};

/** The words that a word is made of: of `edge_softmax` two, of LeakyReLU three. */
export function parts(word: string): string[] {
  return word
    .replace(/(\p{Ll})(\p{Lu})/gu, "$1 $2")
    .replace(/(\p{Lu})(\p{Lu}\p{Ll})/gu, "$1 $2")
    .split(/[\s._'-]+/)
    .filter((part) => part !== "" && !/^\d+$/.test(part));
}

/** What a word is found by: itself, its parts, and its ends, as ReLU in LeakyReLU. */
export function forms(word: string): string[] {
  const own = parts(word);
  const more = own.length > 1 ? [...own, ...own.map((_, k) => own.slice(k).join(""))] : [];
  return [...new Set([word, ...more].map(whole))];
}
