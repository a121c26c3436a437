// Numbers as words and pictures: the same text as picture.py, look.py and window.py of minidil/analysis make.

const CLASSES = 6, HOLE = 7, MOST = 1500, GRID = 40, BARS = 100;
const bitLength = (n) => (n < 2 ** 31 ? 32 - Math.clz32(Number(n)) : BigInt(n).toString(2).length);
// [the fewest bits that a number of paths has, how many numbers of bits a class takes]
function scaleOf(numbers) {
  let least = Infinity, most = 0;
  for (const n of numbers) if (n) {
    const bits = bitLength(n);
    if (bits < least) least = bits;
    if (bits > most) most = bits;
  }
  return most ? [least, Math.ceil((most - least + 1) / CLASSES)] : [1, 1];
}
const classOf = (n, [first, bits]) => (n ? Math.ceil((bitLength(n) - first + 1) / bits) : 0);
const grouped = (n) => n.toLocaleString("en-US");
const signed = (text) => String(text).replaceAll("-", "−");
const short = (n) => (n < 1000000n ? grouped(n) : `2^${bitLength(n) - 1}`);

function legendOf(numbers) {
  const scale = scaleOf(numbers), [first, bits] = scale.map(BigInt), words = [];
  let least = null, most = 0n;
  for (const n of numbers) if (n) {
    const value = BigInt(n);
    if (least === null || value < least) least = value;
    if (value > most) most = value;
  }
  for (let c = 1n; c <= classOf(most, scale); c++) {
    const begin = 1n << (first + bits * (c - 1n) - 1n), end = (1n << (first + bits * c - 1n)) - 1n;
    const low = begin > least ? begin : least, high = end < most ? end : most;
    words.push([...new Set([short(low), short(high)])].join("–"));
  }
  return words;
}

function rectangles(classes) {
  const found = {};
  for (let y = 0; y < classes.length; ) {
    const row = classes[y], key = row.join();
    let height = 1;
    while (y + height < classes.length && classes[y + height].join() === key) height++;
    for (let x = 0; x < row.length; ) {
      let width = 1;
      while (x + width < row.length && row[x + width] === row[x]) width++;
      if (row[x]) (found[row[x]] ||= []).push(`M${x} ${y}h${width}v${height}h-${width}z`);
      x += width;
    }
    y += height;
  }
  return found;
}

const drawn = (found) => Object.keys(found).map((c) => `<path class="c${c}" d="${found[c].join("")}"/>`).join("");
const range = (n) => Array.from({ length: n }, (_, i) => i);
const grid = (height, width) =>
  `<path class="grid" d="${range(height + 1).map((y) => `M0 ${y}h${width}`).join("")}${range(width + 1).map((x) => `M${x} 0v${height}`).join("")}"/>`;

// [drawing, how many positions an axis of a square stands for]
function coverageMap(paths, box) {
  const tones = scaleOf(paths.map((row) => [...row]).flat());
  const [[top, bottom], [left, right]] = box.length === 2 ? box : [[0, 1], ...box];
  for (let step = 1; ; step *= 2) {
    const shown = range(Math.ceil(paths.length / step)).map((y) => range(Math.ceil(paths[0].length / step)).map((x) => {
      let least = Infinity;
      for (const row of paths.slice(y * step, (y + 1) * step)) for (const n of row.slice(x * step, (x + 1) * step)) least = Math.min(least, n);
      return least;
    }));
    const classes = shown.map((row) => row.map((n) => classOf(n, tones)));
    for (let y = floorDiv(top, step); y < Math.ceil(bottom / step); y++)
      for (let x = floorDiv(left, step); x < Math.ceil(right / step); x++) classes[y][x] ||= HOLE;
    const found = rectangles(classes);
    if (Object.values(found).reduce((sum, each) => sum + each.length, 0) > MOST) continue;
    const height = paths.length, width = paths[0].length;
    const lines = Math.max(height, width) <= GRID ? grid(height, width) : "";
    const frame = `<rect class="frame" x="${left}" y="${top}" width="${right - left}" height="${bottom - top}"/>`;
    const scale = step > 1 ? ` transform="scale(${step})"` : "";
    return [`<g${scale}>${drawn(found)}</g>${lines}${right > left && bottom > top ? frame : ""}`, step];
  }
}

const mapNote = (step) => {
  const most = step > 1 ? ` Each square stands for ${step} × ${step} positions and shows the fewest paths in it.` : "";
  return `Paths to each position of the input. Frame: from the first position seen to the last.${most}`;
};

// [drawing, viewBox]
function bars(paths, first, size) {
  const low = Math.min(first, 0), high = Math.max(first + paths.length, size), found = {};
  const most = paths.reduce((a, b) => (b > a ? b : a), 0n), scale = scaleOf(paths), units = BigInt(2 * BARS);
  const classes = paths.map((n) => classOf(n, scale) || HOLE);
  for (let i = 0; i < paths.length; ) {
    let outline = `M${first - low + i} ${BARS}`;
    const kind = classes[i];
    while (i < paths.length && classes[i] === kind) {
      let width = 1;
      while (i + width < paths.length && paths[i + width] === paths[i]) width++;
      const height = paths[i] ? (units * paths[i] + most) / (2n * most) || 1n : -12n;
      outline += `V${BARS - Number(height)}h${width}`;
      i += width;
    }
    (found[kind] ||= []).push(`${outline}V${BARS}z`);
  }
  const real = `<rect class="real" x="${-low}" y="${BARS + 16}" width="${size}" height="8"/>`;
  return [drawn(found) + real, `0 0 ${high - low} ${BARS + 24}`];
}

const each = (values) => {
  const words = values.map(signed);
  return new Set(words).size === 1 ? words[0] : words.join(" × ");
};
const ratio = ([a, b]) => (b === 1 ? String(a) : `${a}/${b}`);

function holesIn(seen) {
  if (!seen.holes.some((holes) => holes.length)) return "No holes.";
  const names = seen.holes.length === 2 ? ["rows", "columns"] : ["positions"];
  const parts = seen.holes.map((holes, axis) => {
    const more = holes.length > 8 ? `, … ${signed(holes[holes.length - 1])}` : "";
    return holes.length ? `${names[axis]} ${holes.slice(0, 8).map(signed).join(", ")}${more} (${grouped(holes.length)})` : `no ${names[axis]}`;
  });
  return `Holes at ${parts.join("; ")}.`;
}

function hdc(layers) {
  const k = layers.length ? layers[0][0] : 0, rates = layers.map(([, rate]) => rate);
  if (layers.length < 2 || layers.some(([taps]) => taps !== k)) return "";
  const [published, repaired] = [false, true].map((each) => hdcDistance(rates, k, each)), least = Math.min(...rates);
  const word = (good) => (good ? "accepts" : "refuses");
  const right = least > 1 ? `refuses (smallest rate ${grouped(least)}, not 1)` : `${word(repaired <= k)} (M₂ = ${grouped(repaired)})`;
  return ` HDC as published ${word(published <= k)} (M₂ = ${grouped(published)}, K = ${k}); repaired it ${right}.`;
}

function verdictOf(network, value, seen) {
  const layers = chain(network, value), words = holesIn(seen);
  if (layers === null) return words;
  const gap = layers.map(firstGap).find((found) => found);
  const why = gap
    ? ` A step of ${grouped(gap[0])} passes over what the smaller ones see without a gap, ${grouped(gap[1])}.`
    : " No layer steps further than the smaller ones see without a gap.";
  return words + why + hdc(layers[0]);
}

function factsOf(network, depth, seen) {
  const { within, reached } = seen;
  const tenths = within ? Math.floor((2000 * (within - reached) + within) / (2 * within)) : 0;
  return {
    field: seen.size.map(grouped).join(" × "),
    jump: each(seen.jump.map(ratio)),
    start: each(seen.start),
    reached: `${grouped(reached)} of ${grouped(within)}`,
    unseen: `${Math.floor(tenths / 10)}.${tenths % 10} %`,
    parameters: grouped(seen.parameters),
    output: seen.out.map(grouped).join(" × "),
    verdict: verdictOf(network, network.rows[depth].value, seen),
  };
}

// One layer's window over a small input, along one axis.
function axisOf(size, [kind, kernel, stride, dilation, padding]) {
  const transposed = kind === "spread", span = dilation * (kernel - 1) + 1;
  const [before, after] = padsOf([kind, kernel, stride, dilation, padding]);
  const out = transposed ? (size - 1) * stride + span - before - after : floorDiv(size + before + after - span, stride) + 1;
  return { size, kernel, stride, dilation, before, after, transposed, span, out, step: transposed ? 1 : stride };
}

const leastSize = ({ transposed, span, before, after, stride }) =>
  Math.max(transposed ? 1 - floorDiv(span - before - after - 1, stride) : span - before - after, 1);

function usualSize(axes) {
  const wanted = axes.map((a) => (a.transposed ? 3 : Math.max(5, Math.min(a.span, 12), a.span - a.before - a.after + 2 * a.stride)));
  return Math.max(Math.min(Math.max(...wanted), 24), ...axes.map(leastSize));
}

function cellsOf(a) {
  const apart = a.transposed ? a.stride : 1, before = a.transposed ? a.span - 1 - a.before : a.before;
  const count = a.transposed ? a.span + (a.out - 1) * a.step : a.size + a.before + a.after;
  return range(count).map((i) => (i - before < 0 || i - before > (a.size - 1) * apart ? 3 : (i - before) % apart ? 2 : 1));
}

function equationOf({ size, kernel, stride, dilation, before, after, transposed, out }) {
  const pads = [before, after].map((n) => ` ${n < 0 === transposed ? "+" : "−"} ${Math.abs(n)}`).join("");
  return transposed
    ? `(${size} − 1) · ${stride} + ${dilation} · (${kernel} − 1) + 1${pads} = ${out}`
    : `⌊(${size}${pads} − ${dilation} · (${kernel} − 1) − 1) / ${stride}⌋ + 1 = ${out}`;
}

const windowCells = (classes) => {
  const height = classes.length, width = classes[0].length;
  return drawn(rectangles(classes)).replaceAll('class="c', 'class="w') + (Math.max(height, width) <= 2 * GRID ? grid(height, width) : "");
};

function passOf(axes, frame) {
  const [rows, columns] = axes.length === 2 ? axes : [axisOf(1, ["slide", 1, 1, 1, "none"]), ...axes];
  const at = [floorDiv(frame, columns.out), frame % columns.out];
  const taps = [rows, columns].map((a, i) => new Set(range(a.kernel).map((k) => at[i] * a.step + k * a.dilation)));
  const across = cellsOf(columns);
  let hits = 0;
  const classes = cellsOf(rows).map((row, y) => across.map((column, x) => {
    const kind = Math.max(row, column);
    if (!taps[0].has(y) || !taps[1].has(x)) return kind;
    hits += kind === 1;
    return kind === 1 ? 4 : 5;
  }));
  const outputs = range(rows.out).map((y) => range(columns.out).map((x) => {
    const number = y * columns.out + x;
    return number === frame ? 8 : number < frame ? 7 : 6;
  }));
  const place = axes.length === 2 ? [`(${at.join(", ")})`, `${rows.out} × ${columns.out}`] : [`(${at[1]})`, `${columns.out}`];
  const window = `<rect class="frame" x="${at[1] * columns.step}" y="${at[0] * rows.step}" width="${columns.span}" height="${rows.span}"/>`;
  return {
    over: windowCells(classes) + window, overBox: `0 0 ${classes[0].length} ${classes.length}`,
    made: windowCells(outputs), madeBox: `0 0 ${columns.out} ${rows.out}`,
    equation: equationOf(columns),
    moved: `Output ${place[0]} of ${place[1]}: ${hits} of the ${rows.kernel * columns.kernel} taps fall on the input.`,
  };
}
