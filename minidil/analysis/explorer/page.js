// The page: what somebody changes goes into `state`, and `show` puts everything that follows into its place.

const $ = (id) => document.getElementById(id);
const given = JSON.parse($("network").textContent);
const copy = (value) => JSON.parse(JSON.stringify(value));
const fresh = () => ({ network: copy(given), depth: given.depth, layer: given.layer, at: null, inputs: null, frame: null });
let state = fresh(), timer = null;

const two = given.size.length === 2;
const mapsOf = (row) => state.network.steps[state.network.rows[row].step][0][1];
const movable = () => state.network.rows.map((row, i) => (row.step === null ? null : i)).filter((i) => i !== null);
const own = new Map(given.rows.map((row, i) => [i, row.step === null ? [] : given.steps[row.step][0][1].map((map) => copy(map[4]))]));
const put = (id, html) => { if ($(id).innerHTML !== html) $(id).innerHTML = html; };
const text = (id, words) => { if ($(id).textContent !== words) $(id).textContent = words; };

function set(id, value, least, most) {
  const field = $(id);
  if (least !== undefined) field.min = least;
  if (most !== undefined) field.max = most;
  field.value = value;
  if (field.type === "range") field.closest("label").querySelector("output").textContent = field.value;
}

function legend(id, words) {
  const items = words.map((word, i) => `<span><i class="c${i + 1}"></i>${word}</span>`);
  put(id, `${items.join("")}<span><i class="c7"></i>hole</span>`);
}

function layerRows() {
  const sizes = sizesOf(state.network), jumps = jumpsOf(state.network, sizes);
  return state.network.rows.map((row, i) => {
    const { size, start } = extent(state.network, sizes, row.value);
    const setting = (place) => (row.step === null ? "–" : each(mapsOf(i).map((map) => map[place])));
    const kind = row.step !== null && given.schedule && mapsOf(i)[0][0] === "spread" ? row.kind.replace("Conv", "ConvTranspose") : row.kind;
    const facts = [setting(1), setting(2), setting(3), each(sizes[row.value]), each(size), each(jumps[row.value].map(ratio)), each(start)];
    return `<tr${i > state.depth ? ' class="beyond"' : ""}${i === state.depth ? ' aria-current="true"' : ""}><th scope="row">${escaped(row.name)}</th><td>${kind}</td>${facts.map((fact) => `<td>${fact}</td>`).join("")}</tr>`;
  }).join("");
}

const escaped = (word) => word.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

function showSeen() {
  const seen = look(state.network, state.depth, state.at), facts = factsOf(state.network, state.depth, seen);
  for (const [id, words] of Object.entries(facts)) text(id, words);
  text("said", `Layer ${state.network.rows[state.depth].name}: field ${facts.field}, ${facts.reached} positions reached, ${facts.unseen} unseen. ${facts.verdict}`);
  const [map, step] = coverageMap(seen.counted, seen.box);
  put("map", map);
  text("map-note", mapNote(step));
  legend("map-legend", legendOf(seen.counted.map((row) => [...row]).flat()));
  put("strips", seen.paths.map((paths, axis) => strip(axis, paths, seen.first[axis])).join(""));
  set("row", two ? seen.at[0] : 0, 0, two ? seen.out[0] - 1 : 0);
  set("column", seen.at[seen.at.length - 1], 0, seen.out[seen.out.length - 1] - 1);
  state.at = state.at && seen.at;
  return seen;
}

function strip(axis, paths, first) {
  const name = two ? ["Rows", "Columns"][axis] : "Positions", [drawing, box] = bars(paths, first, state.network.size[axis]);
  const low = Math.min(first, 0), high = Math.max(first + paths.length, state.network.size[axis]) - 1;
  const most = paths.reduce((a, b) => (b > a ? b : a), 0n);
  return `<figure><svg class="strip" role="img" aria-label="Paths along the ${name.toLowerCase()}" viewBox="${box}" preserveAspectRatio="none">${drawing}</svg><p class="ends"><span>${signed(low)}</span><span>${signed(high)}</span></p><figcaption>${name} ${signed(first)} to ${signed(first + paths.length - 1)}: up to ${short(most)} path${most === 1n ? "" : "s"}; grey, the real input; orange, holes</figcaption></figure>`;
}

function showLayer() {
  const rows = movable();
  $("window").hidden = !rows.length;
  if (!rows.length) return;
  const maps = mapsOf(state.layer), [kind, kernel, stride, dilation, padding] = maps[maps.length - 1];
  set("layer", state.layer);
  set("kernel", kernel, 1, Math.max(11, kernel));
  set("dilation", dilation, 1, Math.max(32, dilation));
  set("stride", stride, 1, Math.max(4, stride));
  set("padding", typeof padding === "string" ? padding : "own");
  $("transposed").checked = kind === "spread";
  text("layer-name", state.network.rows[state.layer].name);
  const trial = maps.map((map) => axisOf(5, map));
  const least = Math.max(...trial.map(leastSize));
  const inputs = Math.max(state.inputs === null ? usualSize(trial) : state.inputs, least);
  set("inputs", inputs, least, Math.max(24, inputs));
  const axes = maps.map((map) => axisOf(inputs, map)), count = product(axes.map((a) => a.out));
  const frame = state.frame === null ? middle(axes) : Math.min(state.frame, count - 1);
  set("frame", frame, 0, count - 1);
  const pass = passOf(axes, frame);
  for (const id of ["over", "made"]) {
    put(id, pass[id]);
    $(id).setAttribute("viewBox", pass[`${id}Box`]);
    $(id).style.setProperty("--n", pass[`${id}Box`].split(" ")[2]);
  }
  $("pass").style.setProperty("--m", Math.max(...["over", "made"].map((id) => Number(pass[`${id}Box`].split(" ")[2]))));
  text("equation", pass.equation);
  text("moved", pass.moved);
}

const middle = (axes) => axes.reduce((at, a) => at * a.out + floorDiv(a.out, 2), 0);
const outputs = () => mapsOf(state.layer).map((map) => axisOf(Number($("inputs").value), map).out);

function show() {
  set("depth", state.depth + 1, 1, state.network.rows.length);
  text("depth-now", `${state.network.rows[state.depth].name} (${state.depth + 1} of ${state.network.rows.length})`);
  if (given.schedule && document.activeElement !== $("dilations"))
    $("dilations").value = range(state.depth + 1).map((i) => each(mapsOf(i).map((map) => map[3]))).join(" ");
  showLayer();
  try {
    showSeen();
    put("layers", layerRows());
    $("error").hidden = true;
  } catch (error) {
    text("error", `No numbers: ${error.message}.`);
    $("error").hidden = false;
  }
}

// Settings of one layer, or of all.
function change(place, value) {
  for (const row of $("all").checked ? movable() : [state.layer])
    mapsOf(row).forEach((map, axis) => {
      if (place === 0 && !(state.network.rows[row].kind.startsWith("Conv"))) return;
      map[place] = value === "own" ? copy(own.get(row)[axis]) : value;
    });
  state.frame = null;
  show();
}

function changeDilations(words) {
  const dilations = (words.match(/\d+/g) || []).map(Number).filter((d) => d >= 1 && d <= 999).slice(0, state.network.rows.length);
  if (!dilations.length) return;
  dilations.forEach((d, row) => mapsOf(row).forEach((map) => { map[3] = d; }));
  Object.assign(state, { depth: dilations.length - 1, at: null, layer: Math.min(state.layer, dilations.length - 1), frame: null, inputs: null });
  show();
}

function step(by) {
  const count = product(outputs());
  state.frame = (Number($("frame").value) + by + count) % count;
  state.inputs = Number($("inputs").value);
  showLayer();
}

function play(on) {
  clearInterval(timer);
  timer = on ? setInterval(() => step(1), 600) : null;
  text("play", on ? "Pause" : "Play");
  $("play").setAttribute("aria-pressed", String(on));
  $("moved").setAttribute("aria-live", on ? "off" : "polite"); // said when it is stepped, not when it runs
}

// #k=3&d=1,2,4&s=1&p=half&t=0&depth=3&layer=2&at=4,4&i=7&f=3: one number for all layers, or one each
function fromAddress() {
  const asked = new URLSearchParams(location.hash.slice(1));
  state = fresh();
  const listed = (key) => (asked.get(key) || "").split(",").filter((word) => word);
  const rows = movable();
  for (const [key, place, read] of [["k", 1, Number], ["s", 2, Number], ["d", 3, Number], ["p", 4, String], ["t", 0, (t) => (t === "1" ? "spread" : "slide")]]) {
    const values = listed(key).map(read).filter((value) => (typeof value === "string" ? value in RULES || place === 0 : value >= 1 && Number.isInteger(value)));
    if (values.length) rows.forEach((row, i) => mapsOf(row).forEach((map) => { map[place] = values.length === 1 ? values[0] : values[i] ?? map[place]; }));
    if (key === "d" && given.schedule && values.length > 1) state.depth = Math.min(values.length, rows.length) - 1;
  }
  const whole = (key, least, most) => { const n = Number(asked.get(key) || NaN); return Number.isInteger(n) && n >= least && n <= most ? n : null; };
  const depth = whole("depth", 1, given.rows.length), layer = whole("layer", 1, given.rows.length);
  if (depth !== null) state.depth = depth - 1;
  if (layer !== null && given.rows[layer - 1].step !== null) state.layer = layer - 1;
  const at = listed("at").map(Number);
  if (at.length === given.size.length && at.every((n) => Number.isInteger(n) && n >= 0)) state.at = at;
  state.inputs = whole("i", 1, 64);
  state.frame = whole("f", 0, 4096);
  show();
}

function place(axis, by) {
  const ids = two ? ["row", "column"] : ["column"], id = ids[axis];
  if (!id) return;
  const at = ids.map((each) => Number($(each).value)), most = Number($(id).max);
  at[axis] = Math.min(Math.max(at[axis] + by, 0), most);
  state.at = at;
  show();
}

const ARROWS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [1, -1], ArrowRight: [1, 1] };

function arrows(id, act) {
  $(id).addEventListener("keydown", (event) => {
    const arrow = ARROWS[event.key];
    if (!arrow || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    act(...arrow);
  });
}

$("controls").addEventListener("submit", (event) => event.preventDefault());
$("depth").addEventListener("input", (event) => { Object.assign(state, { depth: Number(event.target.value) - 1, at: null }); show(); });
$("dilations").addEventListener("input", (event) => changeDilations(event.target.value));
document.querySelectorAll(".presets button").forEach((button) => button.addEventListener("click", () => changeDilations(button.textContent)));
$("layer").addEventListener("change", (event) => { Object.assign(state, { layer: Number(event.target.value), frame: null, inputs: null }); show(); });
for (const [id, at] of [["kernel", 1], ["stride", 2], ["dilation", 3]]) $(id).addEventListener("input", (event) => change(at, Number(event.target.value)));
$("padding").addEventListener("change", (event) => change(4, event.target.value));
$("transposed").addEventListener("change", (event) => change(0, event.target.checked ? "spread" : "slide"));
for (const id of ["row", "column"]) $(id).addEventListener("input", () => place(two && id === "row" ? 0 : two ? 1 : 0, 0));
$("reset").addEventListener("click", () => { play(false); state = fresh(); show(); });
$("play").addEventListener("click", () => play(timer === null));
$("back").addEventListener("click", () => { play(false); step(-1); });
$("next").addEventListener("click", () => { play(false); step(1); });
$("frame").addEventListener("input", (event) => { play(false); state.frame = Number(event.target.value); state.inputs = Number($("inputs").value); showLayer(); });
$("inputs").addEventListener("input", (event) => { state.inputs = Number(event.target.value); state.frame = null; showLayer(); });
arrows("map", (axis, by) => place(two ? axis : axis - 1, by));
arrows("pass", (axis, by) => { play(false); step(axis ? by : by * outputs()[outputs().length - 1]); });
addEventListener("hashchange", fromAddress);
if (matchMedia("(prefers-reduced-motion: reduce)").matches) $("play").hidden = true;
document.querySelectorAll(".schedule").forEach((element) => { element.hidden = !given.schedule; });
document.querySelectorAll(".plane").forEach((element) => { element.hidden = !two; });
fromAddress();
