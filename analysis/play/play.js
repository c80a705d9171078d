// The page: a question that is set by hand, and its answers by every method that there are weights of.

const SETS = JSON.parse(document.getElementById("data").textContent);
const PLAY_MS = 700, WAIT_MS = 120; // between two steps when they are played; after a change, before the networks start
const LONGER = 4; // times as many supervision steps as trained
const KIND_NAMES = { sudoku: "Sudoku", queens: "Queens", maze: "Maze" };
const percent = share => `${Math.round(100 * share)}\u00a0%`;
const pause = ms => new Promise(done => setTimeout(done, ms));

/** A button with a word on it. */
function button(word, press, attributes = {}) {
  const node = html("button", { type: "button", ...attributes }, word);
  node.addEventListener("click", press);
  return node;
}

function checkbox(word, change, attributes = { checked: "" }) {
  const box = html("input", { type: "checkbox", ...attributes });
  box.addEventListener("change", change);
  return { box, label: html("label", {}, [box, word]) };
}

class Play {
  constructor() {
    this.buildQuestion();
    this.buildAnswers();
    const side = set => Math.sqrt(set.tokens);
    const name = set => `${KIND_NAMES[set.kind]} ${side(set)}×${side(set)}`;
    this.tabs = SETS.map((set, at) => button(name(set), () => this.choose(at)));
    document.getElementById("kinds").append(...this.tabs);
    this.choose(0);
  }

  buildQuestion() {
    this.board = html("div", { class: "board-keys", tabindex: "0", role: "application" });
    this.board.addEventListener("click", event => this.click(event));
    this.board.addEventListener("keydown", event => this.key(event));
    this.brushes = html("div", { class: "row brushes", role: "group", "aria-label": "What a click sets" });
    this.another = button("Another one", () => this.takeNext());
    const clear = button("Clear", () => this.ask(this.question.map(() => this.rules.blank)));
    this.objection = html("p", { class: "objection", role: "status" });
    this.text = html("textarea", { rows: "7", spellcheck: "false", "aria-label": "The question as text" });
    const use = button("Use this text", () => this.readText());
    const asText = html("details", {}, [html("summary", {}, "As text"), this.text, html("div", { class: "row" }, [use])]);
    this.spoken = html("p", { class: "spoken", role: "status" });
    const keys = html("p", { class: "note" }, "Click a cell to set it, again to clear it; or move with the arrow keys and type.");
    document.getElementById("question").append(this.board, this.objection, this.brushes, html("div", { class: "row" }, [this.another, clear]), asText, keys, this.spoken);
  }

  buildAnswers() {
    this.slider = html("input", { type: "range", min: "0", step: "1", "aria-label": "Supervision step" });
    this.slider.addEventListener("input", () => { this.stop(); this.show(Number(this.slider.value)); });
    this.playing = button("Play", () => this.timer ? this.stop() : this.play());
    const back = button("Back", () => { this.stop(); this.show(Math.max(0, this.step - 1)); });
    const forth = button("Step", () => { this.stop(); this.show(Math.min(this.most, this.step + 1)); });
    this.readout = html("p", { class: "readout", role: "status" });
    this.marking = checkbox("mark what breaks the rules", () => this.show(this.step));
    this.shading = checkbox("shade what the network is unsure of", () => this.show(this.step));
    this.longer = checkbox(`take ${LONGER} times as many steps as trained`, () => this.changeLengths(), {});
    this.panels = html("div", { class: "panels" });
    const controls = html("div", { class: "controls" }, [this.playing, back, forth, this.slider]);
    const toggles = html("div", { class: "toggles" }, [this.marking.label, this.shading.label, this.longer.label]);
    document.getElementById("answer").append(controls, this.readout, toggles, this.panels);
  }

  /** Turn to a kind and size of puzzle. */
  choose(at) {
    this.set = SETS[at];
    this.tabs.forEach((tab, number) => tab.setAttribute("aria-pressed", String(number === at)));
    this.rules = new RULES[this.set.kind](this.set.drawing);
    this.networks = this.set.networks ||= this.set.models.map(model => new Network(model));
    this.questions = QUESTIONS[`${this.set.kind} ${this.set.tokens}`] || [];
    this.setLengths();
    this.another.disabled = !this.questions.length;
    this.cursor = 0;
    this.brushes.replaceChildren(...this.rules.brushes.map(([token, word]) => button(word, () => this.brush(token), { "data-token": token })));
    this.brush(this.rules.brushes[0][0]);
    this.panels.replaceChildren(...this.networks.map(network => this.panel(network)));
    document.getElementById("about").replaceChildren(table(this.set.models));
    this.number = -1;
    if (this.questions.length) this.takeNext();
    else this.ask(new Uint8Array(this.set.tokens).fill(this.rules.blank));
  }

  /** How many steps each network takes. */
  setLengths() {
    for (const network of this.networks) network.steps = network.trained_steps * (this.longer.box.checked ? LONGER : 1);
    this.most = Math.max(...this.networks.map(network => network.steps));
    this.slider.max = String(this.most);
  }

  /** Take more steps than before, or fewer; answers that are there stay. */
  changeLengths() {
    this.stop();
    this.setLengths();
    this.show(Math.min(this.step, this.most));
    this.compute();
  }

  panel(network) {
    const parts = { picture: html("div"), verdict: html("p", { class: "verdict" }), readout: html("p", { class: "readout" }) };
    network.panel = parts;
    const words = html("div", { role: "status" }, [parts.verdict, parts.readout]);
    const title = network.title === network.method ? "" : network.title;
    return html("article", { class: "panel" }, [html("h3", {}, network.method), html("p", { class: "title" }, title), parts.picture, words]);
  }

  brush(token) {
    this.painted = token;
    for (const each of this.brushes.children) each.setAttribute("aria-pressed", String(Number(each.dataset.token) === token));
  }

  takeNext() {
    this.number = (this.number + 1) % this.questions.length;
    this.another.textContent = `Another one (${this.number + 1} of ${this.questions.length})`;
    this.ask(this.tokensOf([...this.questions[this.number]]));
  }

  tokensOf(signs) { return Uint8Array.from(signs, sign => this.rules.signs.get(sign)); }

  readText() {
    const signs = this.rules.read(this.text.value), unread = signs.find(sign => !this.rules.signs.has(sign));
    const allowed = [...new Set([...this.rules.signs.keys()].map(sign => sign === " " ? "blank" : sign))].join(" ");
    if (unread !== undefined) this.objection.textContent = `“${unread}” is no sign of this puzzle; allowed: ${allowed}`;
    else if (signs.length !== this.set.tokens) this.objection.textContent = `The text has ${signs.length} cells, and this puzzle has ${this.set.tokens}.`;
    else this.ask(this.tokensOf(signs));
  }

  /** Set a question: draw it, and let every network answer it anew. */
  ask(question) {
    this.stop();
    this.question = question;
    this.text.value = this.asText();
    this.objection.textContent = this.rules.objection([...question]);
    for (const network of this.networks) network.answers = [];
    this.drawQuestion();
    this.show(0);
    this.compute();
  }

  asText() {
    const side = this.rules.side, sign = new Map([...this.rules.signs].reverse().map(([letter, token]) => [token, letter]));
    sign.set(this.rules.blank, ".");
    const line = row => [...this.question.subarray(row * side, (row + 1) * side)].map(token => sign.get(token)).join("");
    return [...Array(side).keys()].map(line).join("\n");
  }

  /** Take the steps of all networks in turn, a little at a time; ends when another question is set. */
  async compute() {
    const run = this.run = {};
    await pause(WAIT_MS);
    for (let step = 1; step <= this.most; step++) for (const network of this.networks) {
      if (this.run !== run) return;
      if (step > network.steps || step <= network.answers.length) continue;
      network.answers.push(network.step(network.answers.at(-1) || network.start(this.question)));
      if (this.step >= step) this.showPanel(network);
      await pause(0);
    }
  }

  drawing(tokens, name, marks) {
    return cells(this.set.drawing, { q: btoa(String.fromCharCode(...this.question)) }, tokens, "answer", name, marks);
  }

  drawQuestion() {
    const side = this.rules.side, picture = this.drawing(this.question, "your question");
    const [row, column] = [Math.floor(this.cursor / side), this.cursor % side];
    picture.append(element("path", { class: "cursor", d: rectangle(column * CELL + 1, row * CELL + 1, CELL - 2) }));
    this.board.replaceChildren(picture);
    this.board.setAttribute("aria-label", `Question, ${side} by ${side} cells; arrow keys move, signs set a cell`);
  }

  show(step) {
    this.step = step;
    this.slider.value = String(step);
    this.slider.setAttribute("aria-valuetext", `step ${step} of ${this.most}`);
    this.readout.textContent = step ? `supervision step ${step} of ${this.most}` : "before the first step";
    for (const network of this.networks) this.showPanel(network);
  }

  showPanel(network) {
    const { picture, verdict, readout } = network.panel, step = Math.min(this.step, network.steps), answer = network.answers[step - 1];
    const calls = `${step * network.calls} of ${network.steps * network.calls} network calls`;
    readout.textContent = `step ${step} of ${network.steps} · ${calls}`;
    if (step && !answer) return void (verdict.textContent = "computing …");
    const tokens = answer ? answer.predictions : this.question, judged = this.rules.judge([...this.question], [...tokens]);
    const marks = answer && this.marking.box.checked ? { wrong: cell => judged.wrong[cell] } : {};
    const board = this.drawing(tokens, `answer of ${network.method} after step ${step}`, marks);
    if (answer && this.shading.box.checked) for (const shade of this.shades(answer.confidence)) board.insertBefore(shade, board.querySelector("text, circle"));
    picture.replaceChildren(board);
    verdict.className = `verdict ${!answer ? "" : judged.solved ? "yes" : "no"}`;
    verdict.textContent = !answer ? "The question; press Play or Step." : judged.solved ? this.sinceWhen(network, step) : `Not solved: ${judged.words}.`;
    if (answer && network.halts) readout.textContent += ` · would halt here: ${percent(1 / (1 + Math.exp(-answer.halt)))}`;
    if (this.step > network.steps) readout.textContent += " · finished";
  }

  /** "Solved", and since which step, after how many network calls. */
  sinceWhen(network, step) {
    const isSolved = answer => this.rules.judge([...this.question], [...answer.predictions]).solved;
    let first = step;
    while (first > 1 && isSolved(network.answers[first - 2])) first--;
    return `Solved after ${plural(first, "step")}, ${first * network.calls} network calls.`;
  }

  /** Squares behind the signs, the darker the less probable the token. */
  shades(confidence) {
    const side = this.rules.side, nodes = [];
    confidence.forEach((share, cell) => {
      if (share > 0.98) return;
      const square = rectangle(cell % side * CELL, Math.floor(cell / side) * CELL, CELL);
      nodes.push(element("path", { class: "unsure", d: square, "fill-opacity": (0.6 * (1 - share)).toFixed(3) }));
    });
    return nodes;
  }

  play() {
    if (this.step === this.most) this.show(0);
    this.playing.textContent = "Pause";
    this.timer = setInterval(() => {
      const ready = this.networks.every(network => network.answers.length >= Math.min(this.step + 1, network.steps));
      if (this.step === this.most) this.stop();
      else if (ready) this.show(this.step + 1);
    }, PLAY_MS);
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.playing.textContent = "Play";
  }

  click(event) {
    const picture = this.board.firstChild.getBoundingClientRect(), side = this.rules.side, scale = (side * CELL + 2) / picture.width;
    const at = (from, to) => Math.min(side - 1, Math.max(0, Math.floor(((from - to) * scale - 1) / CELL)));
    this.cursor = at(event.clientY, picture.top) * side + at(event.clientX, picture.left);
    const again = this.question[this.cursor] === this.painted;
    this.write(this.cursor, again ? this.rules.blank : this.painted);
  }

  key(event) {
    const side = this.rules.side, [row, column] = [Math.floor(this.cursor / side), this.cursor % side];
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }, move = moves[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (move) {
      const inside = place => Math.min(side - 1, Math.max(0, place));
      this.cursor = inside(row + move[0]) * side + inside(column + move[1]);
      this.drawQuestion();
    } else if (event.key === "Delete" || event.key === "Backspace") this.write(this.cursor, this.rules.blank);
    else if (event.key === " " || event.key === "Enter") this.write(this.cursor, this.painted);
    else if (this.rules.signs.has(event.key)) this.write(this.cursor, this.rules.signs.get(event.key));
    else return;
    event.preventDefault();
    const [, name] = this.rules.brushes.find(([token]) => token === this.question[this.cursor]);
    this.spoken.textContent = `row ${Math.floor(this.cursor / side) + 1}, column ${this.cursor % side + 1}: ${name}`;
  }

  /** Set one cell; of S and G there is one each. */
  write(cell, token) {
    const alone = this.rules.alone?.includes(token), question = this.question.map(each => alone && each === token ? this.rules.blank : each);
    question[cell] = token;
    this.ask(question);
  }
}

/** What each model is. */
function table(models) {
  const columns = ["method", "parameters", "supervision steps", "network calls of an answer", "updates trained"];
  const number = value => value.toLocaleString("en");
  const rows = models.map(model => [model.title, ...[model.parameters, model.steps, model.steps * model.calls, model.updates_trained].map(number)]);
  const line = (cell, words) => html("tr", {}, words.map((word, at) => html(at ? cell : "th", at ? {} : { scope: "row" }, word)));
  return html("table", {}, [html("thead", {}, line("th", columns)), html("tbody", {}, rows.map(row => line("td", row)))]);
}

const PLAY = new Play();

document.getElementById("theme").addEventListener("click", () => {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches, root = document.documentElement;
  const now = root.dataset.theme || (dark ? "dark" : "light");
  root.dataset.theme = now === "dark" ? "light" : "dark";
});
