// A trained network's attention, from the two numbers that each node has in each head.

import { leaky, softmaxAll } from "./attention";

export interface NetworkFile {
  name: string;
  classes: string[];
  labels: string;
  predicted?: string;
  start?: number; // the node that is shown first
  heads: number[]; // of each layer
  slope: number;
  degrees: string; // uint16 [N]
  sources: string; // uint16 [E], target by target
  halves: string; // float32 [K, 2, N]
}

export interface Network {
  file: NetworkFile;
  count: number; // of nodes
  starts: Uint32Array; // [N + 1], where each target's sources begin
  sources: Uint16Array;
  halves: Float32Array;
}

function bytes(text: string): ArrayBuffer {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
}

export function unpack(file: NetworkFile): Network {
  const degrees = new Uint16Array(bytes(file.degrees));
  const starts = new Uint32Array(degrees.length + 1);
  degrees.forEach((degree, i) => (starts[i + 1] = starts[i] + degree));
  return {
    file,
    count: degrees.length,
    starts,
    sources: new Uint16Array(bytes(file.sources)),
    halves: new Float32Array(bytes(file.halves)),
  };
}

export const sourcesOf = (net: Network, i: number): number[] =>
  [...net.sources.subarray(net.starts[i], net.starts[i + 1])];

/** Equations (2) and (3) for target `i` in a head, counted through all layers. */
export function weightsOf(net: Network, i: number, head: number): number[] {
  const [dst, src] = [2 * head * net.count, (2 * head + 1) * net.count];
  const mine = net.halves[dst + i];
  return softmaxAll(
    sourcesOf(net, i).map((j) => leaky(mine + net.halves[src + j], net.file.slope)),
  );
}

/** The mean of several heads' weights. */
export function meanWeights(net: Network, i: number, heads: number[]): number[] {
  const all = heads.map((head) => weightsOf(net, i, head));
  return all[0].map((_, k) => all.reduce((sum, w) => sum + w[k], 0) / heads.length);
}

/** Nats; zero for one weight of 1. */
export const entropy = (weights: number[]): number =>
  -weights.reduce((sum, w) => sum + (w > 0 ? w * Math.log(w) : 0), 0);
