"use strict";
// Line charts in SVG: one pixel of the picture is one pixel of the screen, so that text keeps its size.

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 210, LEFT = 52, RIGHT = 10, TOP = 10, BOTTOM = 36;
const COLOURS = 7;

/** An element of SVG (or, with html, of HTML) with attributes and content. */
function element(name, attributes = {}, content = [], html = false) {
  const made = html ? document.createElement(name) : document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...[content].flat());
  return made;
}

const html = (name, attributes, content) => element(name, attributes, content, true);

/** Round numbers that cover low..high in about `count` steps. */
function ticks(low, high, count) {
  const rough = (high - low) / count || 1;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].find(of => of * unit >= rough) * unit;
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + 1e-9 * step; at++) found.push(at * step);
  return found;
}

/** A number in few letters: 12 000 as 12k. */
function brief(number) {
  const size = Math.abs(number);
  for (const [unit, letter] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (size >= unit) return `${Number((number / unit).toPrecision(3))}${letter}`;
  }
  return String(Number(number.toPrecision(3))).replace("-", "−");
}

const percent = share => `${Number((100 * share).toFixed(1))} %`;

function colourOf(line) {
  if (line.order === undefined) return `var(--c${line.look % COLOURS})`;
  return `color-mix(in oklab, var(--accent) ${Math.round(100 * line.order)}%, var(--none))`;
}

/** The ends of the axes: of all that is drawn, with a little room. */
function range(spec) {
  const lines = spec.lines, real = values => values.filter(value => value !== null);
  const xs = lines.flatMap(line => real(line.x));
  const ys = lines.flatMap(line => [...real(line.y), ...real(line.low || []), ...real(line.high || [])]);
  if (spec.level && spec.level.y !== null) ys.push(spec.level.y);
  if (spec.zero) ys.push(0);
  let [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  if (left === right) [left, right] = [left - 1, right + 1];
  const room = 0.05 * (high - low || Math.abs(high) || 1);
  [low, high] = [low - (spec.zero && low === 0 ? 0.02 * (high || 1) : room), high + room];
  if (spec.share) high = Math.min(high, 1.02);
  return { left, right, low, high };
}

/** What a chart says, for those who hear it. */
function spoken(spec) {
  const show = spec.share ? percent : brief;
  const ends = spec.lines.filter(line => !line.faint && line.y.some(y => y !== null)).map(line => {
    const there = line.y.map((y, at) => [line.x[at], y]).filter(([, y]) => y !== null);
    const [first, last] = [there[0], there[there.length - 1]];
    return `${line.name}: ${show(first[1])} at ${brief(first[0])}, ${show(last[1])} at ${brief(last[0])}`;
  });
  return `${spec.title}. Horizontal: ${spec.x}. ${ends.join("; ")}.`;
}

/** A figure that draws itself again whenever its width changes. */
function chart(spec) {
  const figure = html("figure", { class: "chart" }, [html("figcaption", {}, spec.title), legend(spec)]);
  const plot = element("svg", { class: "plot", role: "img", "aria-label": spoken(spec), height: HEIGHT });
  const tip = html("div", { class: "tip", hidden: "" });
  figure.append(plot, tip);
  let place = null;
  new ResizeObserver(([entry]) => {
    const width = Math.round(entry.contentRect.width);
    if (width > 80 && (!place || place.width !== width)) place = draw(plot, spec, width);
  }).observe(figure);
  plot.addEventListener("pointermove", event => place && point(plot, tip, spec, place, event));
  plot.addEventListener("pointerleave", () => { tip.hidden = true; mark(plot, null, place); });
  return figure;
}

function legend(spec) {
  const items = spec.lines.filter(line => !line.faint).map(line => [line.name, colourOf(line), ""]);
  if (spec.level) items.push([spec.level.name, "var(--soft)", "5 3"]);
  return html("ul", { class: "legend", "aria-hidden": "true" }, items.map(([name, stroke, dash]) => {
    const sample = element("line", { x1: 0, x2: 16, y1: 4, y2: 4, "stroke-width": 2.4, "stroke-dasharray": dash });
    sample.style.stroke = stroke;
    return html("li", {}, [element("svg", { width: 16, height: 8 }, sample), name]);
  }));
}

function draw(plot, spec, width) {
  const { left, right, low, high } = range(spec);
  const place = {
    width,
    x: value => LEFT + (value - left) / (right - left) * (width - LEFT - RIGHT),
    y: value => TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM),
  };
  plot.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  plot.replaceChildren(...axes(spec, place, { left, right, low, high }));
  if (spec.level && spec.level.y !== null) {
    const y = place.y(spec.level.y);
    plot.append(element("line", { class: "level", x1: LEFT, x2: width - RIGHT, y1: y, y2: y }));
  }
  for (const line of spec.lines) plot.append(...drawLine(line, place));
  return place;
}

function axes(spec, place, { left, right, low, high }) {
  const floor = HEIGHT - BOTTOM, end = place.width - RIGHT, parts = [];
  for (const value of ticks(low, high, 4)) {
    const y = place.y(value), name = spec.share ? percent(value) : brief(value);
    parts.push(element("line", { class: "rule", x1: LEFT, x2: end, y1: y, y2: y }));
    parts.push(element("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, name));
  }
  const across = ticks(left, right, Math.max(2, Math.floor(place.width / 80)));
  for (const value of across.filter(value => !spec.whole || Number.isInteger(value))) {
    parts.push(element("text", { x: place.x(value), y: floor + 14, "text-anchor": "middle" }, brief(value)));
    parts.push(element("path", { class: "axis", d: `M${place.x(value)} ${floor}v4` }));
  }
  parts.push(element("path", { class: "axis", d: `M${LEFT} ${floor}H${end}` }));
  parts.push(element("text", { x: (LEFT + end) / 2, y: HEIGHT - 5, "text-anchor": "middle" }, spec.x));
  return parts;
}

/** The path through the points that are there; a gap where one is not. */
function path(xs, ys, place) {
  let d = "", pen = "M";
  ys.forEach((y, at) => {
    if (y === null || xs[at] === null) { pen = "M"; return; }
    d += `${pen}${place.x(xs[at]).toFixed(1)} ${place.y(y).toFixed(1)}`;
    pen = "L";
  });
  return d;
}

function drawLine(line, place) {
  const parts = [], colour = colourOf(line);
  if (line.low) {
    const back = path([...line.x].reverse(), [...line.low].reverse(), place).replace("M", "L");
    const band = element("path", { d: `${path(line.x, line.high, place)}${back}Z`, "fill-opacity": 0.16 });
    band.style.fill = colour;
    parts.push(band);
    if (line.x.length === 1) parts.push(element("path", { d: path([line.x[0], line.x[0]], [line.low[0], line.high[0]], place), "stroke-width": 1.4 }));
  }
  const stroke = element("path", { d: path(line.x, line.y, place), fill: "none", "stroke-linejoin": "round" });
  stroke.setAttribute("stroke-width", line.faint ? 0.8 : 1.8);
  stroke.setAttribute("stroke-opacity", line.faint ? 0.4 : 1);
  parts.push(stroke);
  for (const part of parts) if (!part.style.fill) part.style.stroke = colour;
  if (line.dots) parts.push(...line.y.flatMap((y, at) => y === null || line.x[at] === null ? [] : dot(line.x[at], y, colour, place)));
  return parts;
}

function dot(x, y, colour, place) {
  const made = element("circle", { cx: place.x(x), cy: place.y(y), r: 2.6 });
  made.style.fill = colour;
  return made;
}

/** Say the values at the x nearest to the pointer. */
function point(plot, tip, spec, place, event) {
  const box = plot.getBoundingClientRect(), wanted = event.clientX - box.left;
  const xs = [...new Set(spec.lines.flatMap(line => line.x))].filter(x => x !== null);
  const nearest = xs.reduce((best, x) => Math.abs(place.x(x) - wanted) < Math.abs(place.x(best) - wanted) ? x : best, xs[0]);
  const show = spec.share ? percent : brief;
  const rows = spec.lines.filter(line => !line.faint).flatMap(line => {
    const at = line.x.indexOf(nearest);
    return at < 0 || line.y[at] === null ? [] : [html("div", {}, [`${line.name} `, html("b", {}, show(line.y[at]))])];
  });
  tip.replaceChildren(html("div", {}, html("b", {}, `${spec.x.replace(/ \(.*/, "")} ${brief(nearest)}`)), ...rows);
  tip.hidden = false;
  const x = place.x(nearest), right = x > place.width / 2;
  tip.style.left = `${x + (right ? -tip.offsetWidth - 4 : 22)}px`;
  tip.style.top = `${box.top - plot.parentElement.getBoundingClientRect().top + TOP}px`;
  mark(plot, nearest, place);
}

function mark(plot, x, place) {
  plot.querySelector(".at")?.remove();
  if (x !== null && place) plot.append(element("path", { class: "at", d: `M${place.x(x)} ${TOP}V${HEIGHT - BOTTOM}` }));
}
