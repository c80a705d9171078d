"use strict";
// Pictures of one puzzle, as trm_lab/puzzles has them: cells, cubes, texts. Units of a drawing: CELL to a cell.

const SVG = "http://www.w3.org/2000/svg";
const CELL = 20, FULL = 127, NOT_SCORED = -128;

/** An element of SVG (or, with html, of HTML) with attributes and content. */
function element(name, attributes = {}, content = [], html = false) {
  const node = html ? document.createElement(name) : document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...[content].flat());
  return node;
}

const html = (name, attributes, content) => element(name, attributes, content, true);

const bytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
const tokensOf = (example, text) => example.wide ? new Uint16Array(bytes(text).buffer) : bytes(text);
const signedBytes = text => new Int8Array(bytes(text).buffer);

function svg(width, height, name) {
  return element("svg", { class: "board", viewBox: `-1 -1 ${width + 2} ${height + 2}`, role: "img", "aria-label": name });
}

const rectangle = (x, y, side) => `M${x} ${y}h${side}v${side}h${-side}z`;

/** One path for all cells of a colour; `colourAt` gives null where nothing is drawn. */
function fills(rows, columns, colourAt) {
  const paths = new Map();
  for (let row = 0; row < rows; row++) for (let column = 0; column < columns; column++) {
    const colour = colourAt(row, column);
    if (colour) paths.set(colour, (paths.get(colour) || "") + rectangle(column * CELL, row * CELL, CELL));
  }
  return [...paths].map(([colour, d]) => {
    const node = element("path", { d, "shape-rendering": "crispEdges" });
    node.style.fill = colour;
    return node;
  });
}

function gridLines(rows, columns, boxes) {
  const [high, wide] = [rows * CELL, columns * CELL];
  const lines = (down, across) => {
    let d = "";
    for (let row = 0; row <= rows; row += down) d += `M0 ${row * CELL}H${wide}`;
    for (let column = 0; column <= columns; column += across) d += `M${column * CELL} 0V${high}`;
    return d;
  };
  const thin = element("path", { d: lines(1, 1), "stroke-width": Math.max(rows, columns) > 16 ? 0.5 : 0.8 });
  thin.style.stroke = "var(--grid)";
  if (!boxes) return [thin];
  const thick = element("path", { d: lines(...boxes), "stroke-width": 1.8, fill: "none", "stroke-linecap": "square" });
  thick.style.stroke = "var(--ink)";
  return [thin, thick];
}

function write(row, column, sign, colour, size, bold) {
  const place = { x: (column + 0.5) * CELL, y: (row + 0.5) * CELL, "font-size": size * CELL };
  const node = element("text", bold ? { ...place, "font-weight": 700 } : place, sign);
  node.style.fill = colour;
  return node;
}

/** The size of what is shown of a canvas: all of a board, the used corner of an ARC canvas. */
function extents(drawing, example) {
  if (!drawing.cut) return { question: [drawing.side, drawing.side], answer: [drawing.side, drawing.side], whole: [drawing.side, drawing.side] };
  const [question, answer] = [example.qe, example.ae];
  return { question, answer, whole: [Math.max(question[0], answer[0]), Math.max(question[1], answer[1])] };
}

/** A board. marks: {wrong, changed}, tests of a token's place. */
function cells(drawing, example, tokens, part, name, marks = {}) {
  const size = extents(drawing, example), [rows, columns] = size[part], [high, wide] = size.whole;
  const side = drawing.side || Math.sqrt(tokens.length), at = (row, column) => row * side + column;
  const question = tokensOf(example, example.q), picture = svg(wide * CELL, high * CELL, name);
  picture.append(...fills(rows, columns, (row, column) => cellColour(drawing, tokens, question, at(row, column), row + column)));
  picture.append(...gridLines(rows, columns, drawing.boxes));
  for (let row = 0; row < rows; row++) for (let column = 0; column < columns; column++) {
    const place = at(row, column), token = tokens[place];
    const sign = signOf(drawing, token), letter = drawing.marks?.[token];
    if (marks.changed?.(place)) picture.append(frame(row, column));
    if (marks.wrong?.(place)) picture.append(ring(row, column, sign));
    if (sign) picture.append(write(row, column, sign, ...inkOf(drawing, tokens, question, place)));
    if (letter && question[place] === token) picture.append(write(row, column, letter, "#ffffff", side > 12 ? 1.3 : 0.7, true));
  }
  return picture;
}

function cellColour(drawing, tokens, question, place, parity) {
  const token = tokens[place];
  if (drawing.checker) return token === 1 || token === 2 ? drawing.checker[parity % 2] : drawing.colours[0];
  if (drawing.colours) return drawing.colours[token < drawing.colours.length ? token : 0];
  return question[place] > drawing.blank ? "var(--given)" : "var(--cell)";
}

function signOf(drawing, token) {
  if (!drawing.signs || token === drawing.blank) return "";
  return drawing.signs[token] ?? drawing.other ?? "";
}

/** Colour, size and weight of a sign: what is given is dark, what was found blue. */
function inkOf(drawing, tokens, question, place) {
  const given = drawing.checker ? question[place] === tokens[place] : question[place] > drawing.blank;
  if (drawing.checker) return [given ? "#000000" : "#0072b2", 0.86, false];
  return [given ? "var(--ink)" : "var(--found)", 0.62, given];
}

function ring(row, column, sign) {
  const node = element("circle", { cx: (column + 0.5) * CELL, cy: (row + 0.5) * CELL, r: (sign ? 0.41 : 0.17) * CELL, "stroke-width": 1.5 });
  node.style.fill = sign ? "var(--paper)" : "#ffffff";
  node.style.stroke = sign ? "var(--bad)" : "#000000";
  return node;
}

function frame(row, column) {
  const node = element("path", { class: "changed", d: rectangle(column * CELL + 1.3, row * CELL + 1.3, CELL - 2.6), fill: "none", "stroke-width": 2 });
  node.style.stroke = "var(--changed)";
  return node;
}

/** The colour of a margin's byte, over the page's own paper. */
function heatColour(level) {
  if (level === NOT_SCORED) return "var(--none)";
  const share = Math.round(100 * Math.abs(level) / FULL);
  return `color-mix(in srgb, var(${level < 0 ? "--below" : "--above"}) ${share}%, var(--paper))`;
}

function heatCells(drawing, example, levels, name) {
  const size = extents(drawing, example), [rows, columns] = size.answer, [high, wide] = size.whole;
  const side = drawing.side || Math.sqrt(levels.length), picture = svg(wide * CELL, high * CELL, name);
  picture.append(...fills(rows, columns, (row, column) => heatColour(levels[row * side + column])));
  picture.append(...gridLines(rows, columns));
  return picture;
}

/** Margins of an answer's slots, with the answer's signs in them. */
function heatSlots(levels, signs, name) {
  const inLine = 8, rows = Math.ceil(signs.length / inLine), columns = Math.min(inLine, signs.length);
  const picture = svg(inLine * CELL, rows * CELL, name), slot = (row, column) => row * inLine + column;
  picture.append(...fills(rows, columns, (row, column) => slot(row, column) < signs.length ? heatColour(levels[slot(row, column)]) : null));
  signs.forEach((sign, at) => picture.append(write(Math.floor(at / inLine), at % inLine, sign, "var(--ink)", 0.5, false)));
  return picture;
}

/** An unfolded cube, and below it an answer's moves. answer: null for the question. */
function cube(drawing, tokens, answer, name, changed) {
  const inLine = 6, lines = answer ? Math.ceil(answer.moves.length / inLine) : 0;
  const picture = svg(8 * CELL, (6.3 + 1.25 * lines) * CELL, name);
  tokens.forEach((token, at) => {
    const [row, column] = drawing.places[at], [face, colour, dark] = drawing.stickers[token] || ["", "var(--none)", false];
    const sticker = element("path", { d: rectangle(column * CELL, row * CELL, CELL), stroke: "#222222" });
    sticker.style.fill = colour;
    picture.append(sticker, write(row, column, face, dark ? "#ffffff" : "#333333", 0.5, false));
  });
  (answer ? answer.moves : []).forEach((move, at) => {
    const row = 6.3 + 1.25 * Math.floor(at / inLine), column = at % inLine * 8 / inLine + 0.17;
    const colour = answer.over[at] ? "var(--soft)" : answer.wrong[at] ? "var(--bad)" : "var(--ink)";
    if (changed?.(at)) picture.append(frame(row, column));
    picture.append(write(row, column, move, colour, 0.62, false));
  });
  return picture;
}

/** The parts of an example at one step: [caption, picture] for question, answer and, where there is one, margin. */
function parts(set, example, step, shown) {
  const { drawing } = set, steps = example.k.length;
  const kinds = { cells: cellParts, cube: cubeParts, text: textParts };
  const pictures = kinds[drawing.kind](drawing, example, step, shown);
  const titles = { question: "question", now: `after step ${step + 1} of ${steps}`, margin: "advantage margin", answer: "solution" };
  return Object.entries(pictures).map(([name, picture]) => [titles[name], picture]);
}

function cellParts(drawing, example, step, shown) {
  const preds = tokensOf(example, example.p), length = preds.length / example.k.length;
  const answer = tokensOf(example, example.a), unscored = example.u ? bytes(example.u) : null;
  const now = preds.subarray(step * length, (step + 1) * length), before = step ? preds.subarray((step - 1) * length, step * length) : now;
  const wrong = place => shown.wrong && !unscored?.[place] && now[place] !== answer[place];
  const changed = place => shown.changed && now[place] !== before[place];
  const pictures = { question: cells(drawing, example, tokensOf(example, example.q), "question", "question") };
  pictures.now = cells(drawing, example, now, "answer", `answer after step ${step + 1}, ${example.w[step]} cells wrong`, { wrong, changed });
  if (example.g && shown.margin) pictures.margin = heatCells(drawing, example, marginOf(example, step), "advantage margin of each cell");
  pictures.answer = cells(drawing, example, answer, "answer", "solution");
  return pictures;
}

function cubeParts(drawing, example, step, shown) {
  const one = answer => [bytes(answer.t), answer], now = example.p[step], before = example.p[Math.max(0, step - 1)];
  const changed = at => shown.changed && now.moves[at] !== before.moves[at];
  const marked = shown.wrong ? now : { ...now, wrong: now.moves.map(() => 0) };
  const pictures = { question: cube(drawing, tokensOf(example, example.q), null, "question") };
  pictures.now = cube(drawing, ...one(marked), `moves after step ${step + 1}: ${now.moves.join(" ")}`, changed);
  if (example.g && shown.margin) pictures.margin = heatSlots(marginOf(example, step).subarray(drawing.first), example.a.moves, "advantage margin of each move");
  pictures.answer = cube(drawing, ...one(example.a), "solution");
  return pictures;
}

function textParts(drawing, example, step, shown) {
  const verdict = example.k[step] ? "yes" : "no", changed = shown.changed && step && example.p[step] !== example.p[step - 1];
  const pictures = { question: html("pre", {}, example.q) };
  pictures.now = html("pre", { class: `${shown.wrong ? verdict : ""} ${changed ? "changed" : ""}`.trim() }, example.p[step]);
  if (example.g && shown.margin) pictures.margin = heatSlots(marginOf(example, step).subarray(drawing.first), example.slots, "advantage margin of each character");
  pictures.answer = html("pre", {}, example.a);
  return pictures;
}

function marginOf(example, step) {
  const all = signedBytes(example.g), length = all.length / example.k.length;
  return all.subarray(step * length, (step + 1) * length);
}
