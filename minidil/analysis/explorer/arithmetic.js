"use strict";
// What follows from the windows of a network; minidil/analysis has the same in Python, and the tests hold the two together.
// A network: size per axis, steps [read, ...], a read [source, maps], a map per axis; value 0 is the input, value n step n - 1.
// A map: ["slide" | "spread", kernel, stride, dilation, padding], or one that cannot be changed, with its sizes.

const RULES = {
  half: (reach) => [Math.floor(reach / 2), reach - Math.floor(reach / 2)],
  none: () => [0, 0],
  causal: (reach) => [reach, 0],
  full: (reach) => [reach, reach],
};
const padsOf = (map) => (typeof map[4] === "string" ? RULES[map[4]](map[3] * (map[1] - 1)) : map[4]);
const floorDiv = (a, b) => Math.floor(a / b);
const product = (numbers) => numbers.reduce((a, b) => a * b, 1);

// How many positions a map makes of n; null where it takes as many as the others have.
function outOf(map, n) {
  const [kind, a, b] = map;
  if (kind === "same") return n;
  if (kind === "slide" || kind === "spread") {
    const [, k, s, d] = map, [before, after] = padsOf(map), span = d * (k - 1) + 1;
    return kind === "slide" ? floorDiv(n + before + after - span, s) + 1 : (n - 1) * s + span - before - after;
  }
  if (kind === "repeated") return null;
  if (kind === "whole" && a === b) return n;
  if (kind === "whole" || kind === "regions") return b;
  if (n !== a) throw new Error(`something here takes ${a} positions, and there are ${n}`);
  return b;
}

// The number of positions of every value, per axis.
function sizesOf(network) {
  const sizes = [network.size];
  network.steps.forEach((reads, number) => {
    const here = network.size.map((_, axis) => {
      const found = reads.map(([source, maps]) => outOf(maps[axis], sizes[source][axis])).filter((n) => n !== null);
      if (new Set(found).size > 1) throw new Error(`the branches that meet in step ${number + 1} have ${found.join(" and ")} positions`);
      if (!found.length) throw new Error("nothing tells how many positions there are");
      if (found[0] < 1) throw new Error(`the window of step ${number + 1} is larger than what it slides over`);
      return found[0];
    });
    sizes.push(here);
  });
  return sizes;
}

// The positions of an axis of n that position `at` of an axis of `out` reads, one for each tap.
function read(map, n, out, at) {
  const kind = map[0], found = [];
  if (kind === "same") return [at];
  if (kind === "slide" || kind === "fixed") {
    const [k, s, d] = kind === "slide" ? map.slice(1) : map.slice(3);
    const before = kind === "slide" ? padsOf(map)[0] : map[6];
    for (let i = 0; i < k; i++) found.push(at * s + i * d - before);
  } else if (kind === "spread") {
    const [, k, s, d] = map, before = padsOf(map)[0];
    for (let i = 0; i < k; i++) if ((at + before - i * d) % s === 0) found.push((at + before - i * d) / s);
  } else if (kind === "part") {
    const i = at - map[3];
    if (i >= 0 && i < n) found.push(i);
  } else if (kind === "regions") {
    for (let i = floorDiv(at * n, out); i < -floorDiv(-(at + 1) * n, out); i++) found.push(i);
  } else if (kind === "resized") {
    return resized(map, n, out, at);
  } else if (at >= 0 && at < out) { // whole, repeated
    for (let i = 0; i < (kind === "whole" ? n : 1); i++) found.push(i);
  }
  return found;
}

function resized([, , , mode, scale, corners], n, out, at) {
  const real = at >= 0 && at < out, clip = (i) => (real ? Math.min(Math.max(i, 0), n - 1) : i);
  if (mode === "nearest") return [clip(scale === null ? floorDiv(at * n, out) : Math.floor(at / scale))];
  let centre = corners ? (out > 1 ? at * ((n - 1) / (out - 1)) : 0) : (at + 0.5) * (scale === null ? n / out : 1 / scale) - 0.5;
  if (mode === "linear") centre = clip(centre);
  const before = Math.floor(centre);
  if (centre === before) return [clip(before)];
  return (mode === "linear" ? [0, 1] : [0, -1, 1, 2]).map((step) => clip(before + step));
}

// Back from a value to the input: state at the value, through the maps of every read, joined where branches meet.
function back(network, value, start, through, join) {
  const here = new Map([[value, start]]);
  for (let number = value; number > 0; number--) {
    if (!here.has(number)) continue;
    const state = here.get(number);
    here.delete(number);
    for (const [source, maps] of network.steps[number - 1]) {
      const found = through(state, maps, source, number);
      here.set(source, here.has(source) ? join(here.get(source), found) : found);
    }
  }
  return here.get(0);
}

const ordered = (numbers) => [...numbers].sort((a, b) => a - b);

// The positions of the input, padding included, that one position of a value depends on along an axis, in order.
function positions(network, sizes, value, axis, at) {
  const through = (state, maps, source, number) => {
    if (maps[axis][0] === "same") return state;
    const found = new Set();
    for (const o of state) for (const i of read(maps[axis], sizes[source][axis], sizes[number][axis], o)) found.add(i);
    return found;
  };
  return ordered(back(network, value, new Set([at]), through, (a, b) => new Set([...a, ...b])) || []);
}

// From how many combinations of taps each is reached: [first, numbers from there to the last].
function paths(network, sizes, value, axis, at) {
  const through = (state, maps, source, number) => {
    if (maps[axis][0] === "same") return state;
    const found = new Map();
    for (const [o, count] of state)
      for (const i of read(maps[axis], sizes[source][axis], sizes[number][axis], o)) found.set(i, (found.get(i) || 0n) + count);
    return found;
  };
  const join = (a, b) => {
    const sum = new Map(a);
    for (const [i, count] of b) sum.set(i, (sum.get(i) || 0n) + count);
    return sum;
  };
  const found = back(network, value, new Map([[at, 1n]]), through, join) || new Map();
  const where = ordered(found.keys());
  if (!where.length) return [0, []];
  const numbers = [];
  for (let i = where[0]; i <= where[where.length - 1]; i++) numbers.push(found.get(i) || 0n);
  return [where[0], numbers];
}

// Paths to each position of the real input, none through padding: rows of numbers. An axis that is not there has one position.
function counted(network, sizes, value, at) {
  const wide = (shape) => (shape.length === 1 ? [1, ...shape] : shape);
  const through = (state, maps, source, number) => {
    const all = maps.length === 1 ? [["same"], ...maps] : maps;
    const [from, to] = [wide(sizes[number]), wide(sizes[source])];
    let rows = state;
    if (all[0][0] !== "same") {
      rows = Array.from({ length: to[0] }, () => new Float64Array(from[1]));
      state.forEach((row, o) => {
        if (!row.some((n) => n)) return;
        for (const i of read(all[0], to[0], from[0], o)) if (i >= 0 && i < to[0]) row.forEach((n, x) => { rows[i][x] += n; });
      });
    }
    if (all[1][0] === "same") return rows;
    const taps = Array.from({ length: from[1] }, (_, o) => read(all[1], to[1], from[1], o).filter((i) => i >= 0 && i < to[1]));
    return rows.map((row) => {
      const found = new Float64Array(to[1]);
      row.forEach((n, o) => { if (n) for (const i of taps[o]) found[i] += n; });
      return found;
    });
  };
  const [height, width] = wide(sizes[value]), [y, x] = at.length > 1 ? at : [0, at[0]];
  const start = Array.from({ length: height }, () => new Float64Array(width));
  start[y][x] = 1;
  const join = (a, b) => a.map((row, i) => row.map((n, j) => n + b[i][j]));
  const [h, w] = wide(network.size);
  return back(network, value, start, through, join) || Array.from({ length: h }, () => new Float64Array(w));
}

const gcd = (a, b) => (b ? gcd(b, a % b) : a);
const fraction = (a, b) => [a / gcd(a, b), b / gcd(a, b)];

function jumpOf(map, n, out) {
  const kind = map[0];
  if (kind === "slide") return [map[2], 1];
  if (kind === "fixed") return [map[4], 1];
  if (kind === "spread") return [1, map[2]];
  if (kind === "whole") return [n, 1];
  if (kind === "repeated") return [0, 1];
  if (kind === "regions") return fraction(n, out);
  if (kind !== "resized") return [1, 1];
  if (map[5] && map[3] !== "nearest") return fraction(n - 1, Math.max(out - 1, 1));
  if (map[4] === null) return fraction(n, out);
  let below = 1; // a factor is a whole number of halves, quarters, ...
  while (!Number.isInteger(map[4] * below)) below *= 2;
  return fraction(below, map[4] * below);
}

// For every value, per axis, how far apart the fields of two neighbours are: [numerator, denominator].
function jumpsOf(network, sizes) {
  const found = [network.size.map(() => [1, 1])];
  network.steps.forEach((reads, number) => {
    found.push(network.size.map((_, axis) => {
      const each = reads.map(([source, maps]) => {
        const [a, b] = found[source][axis], [c, d] = jumpOf(maps[axis], sizes[source][axis], sizes[number + 1][axis]);
        return a * c ? fraction(a * c, b * d) : [0, 1];
      });
      return each.reduce((most, one) => (one[0] * most[1] > most[0] * one[1] ? one : most));
    }));
  });
  return found;
}

// Per axis, from the first to the last position that the middle of a value depends on, and where the field of 0 begins.
function extent(network, sizes, value) {
  const size = [], start = [];
  network.size.forEach((_, axis) => {
    const seen = positions(network, sizes, value, axis, floorDiv(sizes[value][axis], 2));
    const zero = positions(network, sizes, value, axis, 0);
    size.push(seen.length ? seen[seen.length - 1] - seen[0] + 1 : 0);
    start.push(zero.length ? zero[0] : 0);
  });
  return { size, start };
}

function parametersOf(network, depth) {
  let total = network.rows[depth].fixed;
  for (const row of network.rows.slice(0, depth + 1))
    if (row.step !== null && row.taps) total += row.taps * product(network.steps[row.step][0][1].map((map) => map[1]));
  return total;
}

// All about one output of a row: by default the middle one.
function look(network, depth, at) {
  const value = network.rows[depth].value, sizes = sizesOf(network), out = sizes[value];
  const place = at ? at.map((i, axis) => Math.min(i, out[axis] - 1)) : out.map((n) => floorDiv(n, 2));
  const found = place.map((i, axis) => paths(network, sizes, value, axis, i));
  const map = counted(network, sizes, value, place);
  const box = found.map(([first, numbers], axis) => {
    const n = network.size[axis];
    return [Math.min(Math.max(first, 0), n), Math.max(Math.min(first + numbers.length, n), 0)];
  });
  return {
    at: place, out, ...extent(network, sizes, value),
    jump: jumpsOf(network, sizes)[value],
    first: found.map(([first]) => first),
    paths: found.map(([, numbers]) => numbers),
    counted: map, box,
    within: product(box.map(([first, end]) => Math.max(end - first, 0))),
    reached: map.reduce((sum, row) => sum + row.reduce((n, count) => n + (count > 0), 0), 0),
    holes: found.map(([first, numbers]) => numbers.map((n, i) => (n ? null : first + i)).filter((i) => i !== null)),
    parameters: parametersOf(network, depth),
  };
}

// Per axis, [taps, rate] of the windows up to a value, those of one tap left out; null if it is made by anything else.
function chain(network, value) {
  const layers = network.size.map(() => []), jumps = network.size.map(() => 1), steps = [];
  for (let number = value; number; ) {
    const reads = network.steps[number - 1];
    if (reads.length !== 1) return null;
    number = reads[0][0];
    steps.unshift(reads[0][1]);
  }
  for (const maps of steps)
    for (const [axis, map] of maps.entries()) {
      if (map[0] === "same") continue;
      const [k, s, d] = map[0] === "slide" ? map.slice(1) : map.slice(3);
      if ((map[0] !== "slide" && map[0] !== "fixed") || s < 1) return null;
      if (k > 1) layers[axis].push([k, d * jumps[axis]]);
      jumps[axis] *= s;
    }
  return layers;
}

// [r, R] of the first layer in the order of rates that steps further than the smaller ones see without a gap; null if none does.
function firstGap(layers) {
  let seen = 1;
  for (const [taps, rate] of [...layers].sort((a, b) => a[1] - b[1])) {
    if (rate > seen) return [rate, seen];
    seen += (taps - 1) * rate;
  }
  return null;
}

// M_2 of the rule of hybrid dilated convolution (Wang et al. 2018), as published or repaired.
function hdcDistance(rates, taps, repaired) {
  const order = repaired ? [...rates].sort((a, b) => a - b) : rates;
  let distance = order[order.length - 1];
  for (const rate of order.slice(1, -1).reverse())
    distance = repaired
      ? Math.max(distance - (taps - 1) * rate, rate)
      : Math.max(distance - 2 * rate, distance - 2 * (distance - rate), rate);
  return distance;
}
