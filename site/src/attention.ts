// The layer of chapter 1, equations (1) to (4), for a graph of a few nodes.

export interface Layer {
  weight: number[][]; // W [F, F']
  dst: number[]; // the half of a that meets the target, [F']
  src: number[]; // the half that meets the source, [F']
  slope: number; // of LeakyReLU below zero
}

export interface Attention {
  z: number[][]; // (1) [N, F']
  scores: number[][]; // (2) e [N, N], row = target
  weights: number[][]; // (3) alpha [N, N], zero outside the neighbourhood
  sums: number[][]; // the sums of (4), before the activation [N, F']
  outputs: number[][]; // (4) h' [N, F']
}

const dot = (a: number[], b: number[]) => a.reduce((sum, v, k) => sum + v * b[k], 0);
export const leaky = (v: number, slope: number) => (v >= 0 ? v : slope * v);
const elu = (v: number) => (v > 0 ? v : Math.expm1(v));

/** Applies the layer; `heard[i][j]` says whether target i listens to source j. */
export function attend(x: number[][], heard: boolean[][], layer: Layer): Attention {
  const width = layer.dst.length;
  const columns = [...Array(width).keys()];
  const z = x.map((h) => columns.map((c) => dot(h, layer.weight.map((row) => row[c]))));
  const scores = z.map((zi) =>
    z.map((zj) => leaky(dot(layer.dst, zi) + dot(layer.src, zj), layer.slope)),
  );
  const weights = scores.map((row, i) => softmax(row, heard[i]));
  const sums = weights.map((row) =>
    columns.map((c) => row.reduce((sum, w, j) => sum + w * z[j][c], 0)),
  );
  return { z, scores, weights, sums, outputs: sums.map((row) => row.map(elu)) };
}

/** Softmax over all entries; NaN where none is finite, as the formula has it. */
export function softmaxAll(scores: number[]): number[] {
  const largest = Math.max(...scores);
  const raised = scores.map((e) => Math.exp(e - largest));
  const total = raised.reduce((sum, v) => sum + v, 0);
  return raised.map((v) => v / total);
}

/** Softmax over the entries that are allowed; zeros where none is. */
export function softmax(scores: number[], allowed: boolean[]): number[] {
  const largest = Math.max(...scores.filter((_, j) => allowed[j]));
  const raised = scores.map((e, j) => (allowed[j] ? Math.exp(e - largest) : 0));
  const total = raised.reduce((sum, v) => sum + v, 0);
  return raised.map((v) => (total > 0 ? v / total : 0));
}
