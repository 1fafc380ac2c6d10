// The search itself: sections and terms, best first, with a piece of their text.

import MiniSearch, { type Query } from "minisearch";
import { cut, forms, parts, whole } from "./words";

export interface Section {
  title: string;
  page: string;
  link: string;
  text: string;
}

export interface Hit extends Section {
  piece: string;
}

export function engine(sections: Section[]): (query: string) => Hit[] {
  const index = new MiniSearch<Section & { id: number }>({
    fields: ["title", "text", "page"],
    tokenize: cut,
    processTerm: forms,
  });
  index.addAll(sections.map((section, id) => ({ ...section, id })));
  const options = {
    boost: { title: 6, page: 2 },
    prefix: (word: string) => word.length > 2,
    fuzzy: (word: string) => (word.length > 4 ? 0.15 : false),
    tokenize: (word: string) => [word],
    processTerm: whole,
  };
  const standing = ({ title, link }: Section, query: string) =>
    (title.toLowerCase() === query.toLowerCase() ? 3 : title.includes(",") ? 0.7 : 1) *
    (link.includes("#term-") ? 1.6 : link.includes("solutions/") ? 0.6 : 1);
  return (query) => {
    const words = cut(query);
    if (!words.length) return [];
    const boostDocument = (id: number) => standing(sections[id], query);
    // A word, or all that it is made of.
    const queries = words.map((word): Query => {
      const own = parts(word);
      return own.length > 1
        ? { combineWith: "OR", queries: [word, { combineWith: "AND", queries: own }] }
        : word;
    });
    // All words together where that finds anything, else any of them.
    for (const combineWith of ["AND", "OR"] as const) {
      const found = index.search({ combineWith, queries }, { ...options, boostDocument });
      if (found.length) {
        return found.slice(0, 12).map(({ id, terms }) => ({
          ...sections[id], piece: piece(sections[id].text, terms),
        }));
      }
    }
    return [];
  };
}

/** Some 150 letters of a text, from shortly before the first of the words. */
export function piece(text: string, words: string[]): string {
  const wanted = new Set(words);
  let from = 0;
  for (const found of text.matchAll(/[\p{L}\p{N}]+(?:[._'-][\p{L}\p{N}]+)*/gu)) {
    if (forms(found[0].normalize("NFKC")).some((form) => wanted.has(form))) {
      from = found.index;
      break;
    }
  }
  const start = from > 60 ? text.lastIndexOf(" ", from - 40) + 1 : 0;
  const end = start + 150 < text.length ? text.lastIndexOf(" ", start + 150) : text.length;
  return (start ? "… " : "") + text.slice(start, end) + (end < text.length ? " …" : "");
}
