// Chapter 7's two layers: a dictionary of k keys, looked up by k queries.

import { leaky, softmaxAll } from "./attention";

type Parameters = Record<string, number[]>;

export interface LookupFile {
  keys: number;
  start: number[]; // the values of the keys in the printed figure
  width: number;
  slope: number;
  models: { GAT: Parameters; GATv2: Parameters };
}

export interface Lookup {
  weights: number[][]; // alpha [query, key]
  answers: number[]; // the class that the model gives to each query
}

const sum = (values: number[]) => values.reduce((total, v) => total + v, 0);
const elu = (v: number) => (v > 0 ? v : Math.expm1(v));

/** What a model makes of a dictionary in which key j has the value `values[j]`. */
export function look(file: LookupFile, name: "GAT" | "GATv2", values: number[]): Lookup {
  const { keys, width, slope } = file;
  const p = file.models[name];
  const weight = p["layer.weight"];
  const columns = weight.length / (2 * keys);
  const features = [...Array(width).keys()];
  // A row of x has one or two ones: the number of the key, and its value.
  const times = (ones: number[], first: number) =>
    features.map((f) => sum(ones.map((row) => weight[row * columns + first + f])));
  const sources = values.map((value, j) => times([j, keys + value], 0));
  const targets = values.map((_, i) => times([i], name === "GAT" ? 0 : width));
  const score = (target: number[], source: number[]) =>
    name === "GAT"
      ? leaky(
        sum(target.map((v, f) => v * p["layer.att_dst"][f])) +
          sum(source.map((v, f) => v * p["layer.att_src"][f])),
        slope,
      )
      : sum(target.map((v, f) => leaky(v + source[f], slope) * p["layer.att"][f]));
  const weights = targets.map((target) =>
    softmaxAll(sources.map((source) => score(target, source))),
  );
  const answers = weights.map((row) => {
    const heard = features.map((f) =>
      elu(sum(row.map((w, j) => w * sources[j][f])) + p["layer.bias"][f]),
    );
    const logits = values.map((_, c) =>
      sum(heard.map((v, f) => v * p["decide.weight"][c * width + f])) +
        p["decide.bias"][c],
    );
    return logits.indexOf(Math.max(...logits));
  });
  return { weights, answers };
}
