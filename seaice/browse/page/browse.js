"use strict";
// The page of `seaice browse`. Tiles hold numbers, not colours: this colours them, so that a click
// can tell values, in a static copy too.

const LAND = 254, ABSENT = 255;
const find = (id) => document.getElementById(id);
const state = { products: [], shown: null, other: null, cell: null, timer: null };
let index, map, view, layers, edges, net, mark;

const hex = (text) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));
const css = (colour) => `rgb(${colour.join(",")})`;
const layer = () => index.layers[find("layer").value];

// ---- numbers of tiles ------------------------------------------------------------------------

const numbers = new Map(); // address -> promise of pixels, the last few hundred

function pixels(address) {
  if (!numbers.has(address)) {
    if (numbers.size > 400) numbers.delete(numbers.keys().next().value);
    numbers.set(address, load(address));
  }
  return numbers.get(address);
}

async function load(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
  const told = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
  const bitmap = await createImageBitmap(await answer.blob(), told);
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

const address = (product, kind, z, x, y) => `tiles/${product.name}/${kind}/${z}/${x}/${y}.png`;

async function coloured(product, how, [z, x, y]) {
  const told = await pixels(address(product, how.tile, z, x, y));
  // Land is told by concentration alone.
  const land = how.tile === "sic" ? told : await pixels(address(product, "sic", z, x, y));
  const made = new ImageData(told.width, told.height);
  const flags = new Map(product.flags.map(([value, colour]) => [value, hex(colour)]));
  for (let at = 0; at < told.data.length; at += 4) {
    let colour;
    if (how.tile === "flags") colour = flags.get(told.data[at] + 256 * told.data[at + 1]);
    else if (land.data[at] === LAND) colour = index.layers.concentration.table[LAND];
    else colour = how.table[told.data[at + how.band]];
    made.data.set(colour || [255, 0, 255], at);
    made.data[at + 3] = 255;
  }
  return createImageBitmap(made);
}

// ---- the map ---------------------------------------------------------------------------------

function source(product, how) {
  const [left, bottom, right, top] = product.bounds;
  const resolutions = Array.from({ length: product.levels + 1 },
    (_, z) => product.cell * 2 ** (product.levels - z));
  const grid = new ol.tilegrid.TileGrid({
    extent: [left, bottom, right, top], origin: [left, top], resolutions, tileSize: index.side,
  });
  const tiles = new ol.source.ImageTile({
    tileGrid: grid, projection: plane(product), interpolate: false, transition: 0,
    loader: (z, x, y) => coloured(product, how, [z, x, y]),
  });
  tiles.on("tileloadstart", () => waiting(1));
  tiles.on(["tileloadend", "tileloaderror"], () => waiting(-1));
  return tiles;
}

let underway = 0;
function waiting(change) {
  underway = Math.max(0, underway + change);
  find("wait").textContent = underway ? "loading …" : "";
}

const planes = new Map();
function plane(product) {
  if (!planes.has(product.crs)) {
    planes.set(product.crs, new ol.proj.Projection({ code: product.crs, units: "m" }));
  }
  return planes.get(product.crs);
}

function drawn(colour, width) {
  return new ol.style.Style({ stroke: new ol.style.Stroke({ color: colour, width }) });
}

function vectors(style) {
  return new ol.layer.Vector({ source: new ol.source.Vector(), style });
}

function build() {
  layers = [0, 1].map(() => new ol.layer.Tile({}));
  layers[1].on("prerender", ({ context }) => {
    const { width, height } = context.canvas, from = (width * find("swipe").value) / 100;
    context.save();
    context.beginPath();
    context.rect(from, 0, width - from, height);
    context.clip();
  });
  layers[1].on("postrender", ({ context }) => context.restore());
  edges = vectors([drawn("#ffffff90", 3), drawn("#d62728", 1.5)]);
  net = vectors((line) => [
    drawn("#5d6872b0", 0.7),
    new ol.style.Style({
      text: new ol.style.Text({
        text: line.get("label"), placement: "line", font: "11px system-ui, sans-serif",
        fill: new ol.style.Fill({ color: "#3c4650" }),
        stroke: new ol.style.Stroke({ color: "#ffffffd0", width: 3 }),
      }),
    }),
  ]);
  mark = vectors(new ol.style.Style({
    image: new ol.style.Circle({ radius: 6, stroke: new ol.style.Stroke({ color: "#d62728", width: 2.5 }) }),
  }));
  map = new ol.Map({
    target: "map", layers: [...layers, net, edges, mark],
    controls: ol.control.defaults.defaults({ rotate: false, attribution: false })
      .extend([new ol.control.ScaleLine()]),
  });
  map.on("singleclick", ({ coordinate }) => read(coordinate));
}

function look(product) {
  view = new ol.View({
    projection: plane(product), extent: product.bounds, showFullExtent: true, constrainOnlyCenter: true,
    maxResolution: (product.cell * 2 ** product.levels) * 1.5, minResolution: product.cell / 8,
  });
  map.setView(view);
  view.fit(product.bounds, { padding: [10, 10, 10, 10] });
}

const lineCache = new Map();
async function lines(product) {
  if (!lineCache.has(product.name)) {
    lineCache.set(product.name, fetch(`lines/${product.name}.json`).then((answer) => answer.json()));
  }
  return lineCache.get(product.name);
}

async function drawLines(product) {
  const told = await lines(product);
  if (product !== state.shown) return;
  const features = (all, labels = []) => all.map((points, at) =>
    new ol.Feature({ geometry: new ol.geom.LineString(points), label: labels[at] }));
  for (const [target, made] of [[edges, features(told.edge)], [net, features(told.graticule, told.labels)]]) {
    target.getSource().clear();
    target.getSource().addFeatures(made);
  }
}

// ---- what is shown ---------------------------------------------------------------------------

function choosePlace() {
  state.products = index.products.filter((product) => product.place === find("place").value);
  find("day").max = state.products.length - 1;
  find("day").value = state.products.length - 1;
  const names = state.products.map((product) => [product.name, `${product.date}, ${product.methods}`]);
  options("other", [["", "nothing"], ...names]);
  state.cell = null;
  mark.getSource().clear();
  find("cell").textContent = "Click the map, or press Enter on it.";
  look(state.products.at(-1));
  show();
}

function show() {
  const product = state.products[find("day").value];
  state.shown = product;
  state.other = state.products.find(({ name }) => name === find("other").value) || null;
  layers[0].setSource(source(product, layer()));
  layers[1].setSource(state.other ? source(state.other, layer()) : null);
  layers[1].setVisible(Boolean(state.other));
  layers.forEach((each) => each.setExtent(product.bounds));
  find("comparing").hidden = find("swipe-line").hidden = !state.other;
  find("date").textContent = product.date;
  find("day").setAttribute("aria-valuetext", product.date);
  find("about").textContent = [product.status, product.methods, ...product.warnings].join("; ");
  legend(product);
  restyle();
  drawLines(product);
  if (state.cell) read(state.cell);
}

function restyle() {
  const opacity = find("opacity").value / 100;
  layers.forEach((each) => each.setOpacity(opacity));
  edges.setVisible(find("edge").checked);
  net.setVisible(find("net").checked);
  find("swipe-line").style.left = `${find("swipe").value}%`;
  map.render();
}

function legend(product) {
  const how = layer();
  let entries;
  if (how.tile === "flags") entries = product.flags.map(([, colour, says]) => [hex(colour), says]);
  else {
    const steps = how.unit === "%" ? [0, 15, 30, 50, 70, 85, 100] : ramp(how);
    entries = steps.map((byte) => [how.table[byte], `${byte * how.step + how.start} ${how.unit}`]);
    entries.push([index.layers.concentration.table[LAND], "land"], [how.table[ABSENT], "no data"]);
  }
  find("legend").replaceChildren(...entries.map(([colour, says]) => {
    const line = document.createElement("li"), box = document.createElement("i");
    box.style.background = css(colour);
    line.append(box, says);
    return line;
  }));
}

const ramp = (how) => (how.start ? [90, 110, 130, 150, 170, 190, 210, 230] : [0, 20, 40, 60, 80, 100, 120, 140]);

// ---- a cell ----------------------------------------------------------------------------------

function place(product, [x, y]) {
  const [left, , , top] = product.bounds;
  const column = Math.floor((x - left) / product.cell), row = Math.floor((top - y) / product.cell);
  const [rows, columns] = product.shape;
  return row >= 0 && column >= 0 && row < rows && column < columns ? { row, column } : null;
}

async function bytes(product, kind, { row, column }) {
  const side = index.side;
  const told = await pixels(address(product, kind, product.levels, Math.floor(column / side), Math.floor(row / side)));
  const at = 4 * ((row % side) * told.width + (column % side));
  return told.data.slice(at, at + 3);
}

async function read(coordinate) {
  const product = state.shown, where = place(product, coordinate);
  if (!where) {
    tell([["", "outside the map"]], []);
    return;
  }
  state.cell = coordinate;
  const [left, , , top] = product.bounds;
  const middle = [left + (where.column + 0.5) * product.cell, top - (where.row + 0.5) * product.cell];
  mark.getSource().clear();
  mark.getSource().addFeature(new ol.Feature(new ol.geom.Point(middle)));
  const [days, ...numbers] = await Promise.all(
    [series(coordinate), ...["sic", "flags", "tb"].map((kind) => bytes(product, kind, where))]);
  const other = state.other && place(state.other, coordinate);
  const apart = other ? (await bytes(state.other, "sic", other))[0] : null;
  const write = (exact) => {
    if (product !== state.shown || coordinate !== state.cell) return;
    tell(...told(exact, numbers, apart), days);
  };
  write({}); // what the tiles know, at once; then what the product knows
  write(await details(product, where));
}

function told(exact, [sic, flags, tb], apart) {
  const bits = flags[0] + 256 * flags[1];
  const words = Object.entries(index.meanings).filter(([bit]) => bits & bit).map(([, says]) => says);
  const pairs = [
    ["concentration", percent(exact.sic, sic[0])],
    ["uncertainty", `± ${percent(exact.sic_uncertainty, sic[1])}`],
    ["before filters", percent(exact.sic_raw, sic[2])],
    ["89 GHz H, V", `${kelvin(exact.tb89h, tb[0] + 50, tb[0])}, ${kelvin(exact.tb89v, tb[1] + 50, tb[1])}`],
    ["V - H", kelvin(exact.pd, tb[2] / 2, tb[2])],
  ];
  if (exact.latitude !== undefined) {
    pairs.unshift(["place", `${degrees(exact.latitude, "NS")} ${degrees(exact.longitude, "EW")}`]);
  }
  if (apart !== null) pairs.push([`in ${state.other.date}`, percent(undefined, apart)]);
  return [pairs, words.length ? words : ["no flag: nothing unusual"]];
}

async function details(product, { row, column }) {
  try {
    const answer = await fetch(`cell/${product.name}.json?row=${row}&column=${column}`);
    if (!answer.ok) return {}; // a static copy: bytes of tiles will do
    const told = await answer.json();
    return { ...told.values, latitude: told.latitude, longitude: told.longitude };
  } catch { return {}; }
}

const degrees = (angle, sides) => `${Math.abs(angle).toFixed(2)}°${sides[angle < 0 ? 1 : 0]}`;
const percent = (exact, byte) => (typeof exact === "number" ? `${(100 * exact).toFixed(1)} %`
  : byte === LAND ? "land" : byte === ABSENT ? "none" : `${byte} %`);
const kelvin = (exact, value, byte) => (typeof exact === "number" ? `${exact.toFixed(1)} K`
  : byte === ABSENT ? "none" : `${value} K`);

async function series(coordinate) {
  const same = state.products.filter((product) => product.methods === state.shown.methods);
  return Promise.all(same.map(async (product) => {
    const where = place(product, coordinate);
    const value = where ? (await bytes(product, "sic", where))[0] : ABSENT;
    return { date: product.date, value: value <= 100 ? value : null };
  }));
}

function tell(pairs, words, days = []) {
  const list = document.createElement("dl"), reasons = document.createElement("ul");
  for (const [name, value] of pairs) {
    for (const [tag, text] of [["dt", name], ["dd", value]]) {
      list.appendChild(document.createElement(tag)).textContent = text;
    }
  }
  for (const word of words) reasons.appendChild(document.createElement("li")).textContent = word;
  find("cell").replaceChildren(list, reasons, ...(days.length > 1 ? [chart(days)] : []));
}

function chart(days) {
  const made = (tag, told, parent) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(told)) element.setAttribute(name, value);
    return parent ? parent.appendChild(element) : element;
  };
  const svg = made("svg", { viewBox: "0 0 300 110", role: "img" });
  made("title", {}, svg).textContent = days.map(({ date, value }) => `${date} ${value ?? "none"} %`).join(", ");
  const x = (at) => 30 + (260 * at) / (days.length - 1), y = (value) => 85 - 0.75 * value;
  for (const value of [0, 50, 100]) {
    made("line", { x1: 30, x2: 290, y1: y(value), y2: y(value), stroke: "#c8d2dc" }, svg);
    made("text", { x: 26, y: y(value) + 4, "text-anchor": "end", "font-size": 10, fill: "#54626f" }, svg).textContent = value;
  }
  const seen = days.map((day, at) => ({ ...day, at })).filter(({ value }) => value !== null);
  made("polyline", { points: seen.map(({ at, value }) => `${x(at)},${y(value)}`).join(" "), fill: "none", stroke: "#135896" }, svg);
  for (const { at, value, date } of seen) {
    const now = date === state.shown.date;
    made("circle", { cx: x(at), cy: y(value), r: now ? 4 : 2.5, fill: now ? "#d62728" : "#135896" }, svg);
  }
  for (const [at, anchor] of [[0, "start"], [days.length - 1, "end"]]) {
    made("text", { x: x(at), y: 103, "text-anchor": anchor, "font-size": 10, fill: "#54626f" }, svg).textContent = days[at].date;
  }
  return svg;
}

// ---- hands and keys --------------------------------------------------------------------------

function options(id, pairs) {
  find(id).replaceChildren(...pairs.map(([value, text]) => new Option(text, value)));
}

function step(by) {
  const day = find("day"), last = state.products.length;
  day.value = (Number(day.value) + by + last) % last;
  show();
}

function play() {
  const on = state.timer === null;
  find("play").setAttribute("aria-pressed", on);
  find("play").textContent = on ? "stop" : "play";
  if (!on) clearInterval(state.timer);
  state.timer = on ? setInterval(() => step(1), 900) : null;
}

function keys(event) {
  const writing = event.target.tagName === "SELECT" || event.ctrlKey || event.metaKey || event.altKey;
  if (writing) return;
  const names = Object.keys(index.layers);
  if (event.key === ",") step(-1);
  else if (event.key === ".") step(1);
  else if (names[Number(event.key) - 1]) { find("layer").value = names[Number(event.key) - 1]; show(); }
  else if (event.key === "e") { find("edge").checked = !find("edge").checked; restyle(); }
  else if (event.key === "Enter" && event.target === find("map")) read(view.getCenter());
}

async function start() {
  index = await (await fetch("index.json")).json();
  build();
  options("place", [...new Set(index.products.map(({ place }) => place))].map((name) => [name, name.replace("seaice_sic_", "").replaceAll("_", " ")]));
  options("layer", Object.keys(index.layers).map((name) => [name, name]));
  find("place").addEventListener("change", choosePlace);
  find("day").addEventListener("input", show);
  for (const id of ["layer", "other"]) find(id).addEventListener("change", show);
  for (const id of ["opacity", "edge", "net", "swipe"]) find(id).addEventListener("input", restyle);
  find("before").addEventListener("click", () => step(-1));
  find("after").addEventListener("click", () => step(1));
  find("play").addEventListener("click", play);
  document.addEventListener("keydown", keys);
  choosePlace();
}

start().catch((error) => { find("wait").textContent = `the page cannot be shown: ${error.message}`; });
