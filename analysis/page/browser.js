// The browser of puzzles: a list with filters, and one puzzle whose steps a slider goes through.

const FILTERS = { all: "all", solved: "solved", unsolved: "unsolved", "fixed-late": "fixed late", "broken-late": "broken late" };
const OF_KIND = {
  all: () => true,
  solved: k => k[k.length - 1],
  unsolved: k => !k[k.length - 1],
  "fixed-late": k => !k[0] && k[k.length - 1],
  "broken-late": k => !k[k.length - 1] && k.slice(0, -1).some(Boolean),
};
const MARKS = {
  cells: "Circles: what differs from the solution. Purple frames: what the step changed.",
  cube: "Purple frames: what the step changed.",
  text: "A purple frame: the step changed the answer.",
};
const PLAY_MS = 800, MANY_STEPS = 8;

class Browser {
  constructor(host, data) {
    this.data = data;
    this.examples = data.sets.flatMap((set, of) => set.examples.map(example => ({ set, of, example })));
    this.state = { filter: "all", at: 0, step: 0, shown: { wrong: true, changed: true, margin: true } };
    this.timer = null;
    host.replaceChildren(this.build());
    this.filter("all");
    this.openHash();
    document.addEventListener("keydown", event => this.key(event));
  }

  build() {
    this.filters = html("div", { class: "filters", role: "group", "aria-label": "Which puzzles" }, Object.keys(FILTERS).map(kind => this.filterButton(kind)));
    this.list = html("ul", { class: "list", role: "listbox", tabindex: "0", "aria-label": "Puzzles" });
    this.list.addEventListener("click", event => {
      const item = event.target.closest("li[data-at]");
      if (item) this.open(Number(item.dataset.at));
    });
    this.stage = html("div", { class: "stage" });
    this.note = html("p", { class: "note" });
    const browser = html("div", { class: "browser" }, [this.filters, html("div", {}, [this.list, this.note]), this.stage]);
    this.buildStage();
    return browser;
  }

  filterButton(kind) {
    const count = this.examples.filter(({ example }) => OF_KIND[kind](example.k)).length;
    const title = this.data.kinds[kind] ? { title: this.data.kinds[kind] } : {};
    const button = html("button", { type: "button", "data-filter": kind, ...title }, [FILTERS[kind], html("span", { class: "count" }, String(count))]);
    button.disabled = !count;
    button.addEventListener("click", () => this.filter(kind));
    return button;
  }

  buildStage() {
    this.title = html("h3", { "aria-live": "polite" });
    this.slider = html("input", { type: "range", min: "1", step: "1", "aria-label": "Supervision step" });
    this.slider.addEventListener("input", () => { this.pause(); this.show(Number(this.slider.value) - 1); });
    this.ticks = html("div", { class: "ticks", "aria-hidden": "true" });
    this.play = html("button", { type: "button", "aria-label": "Play the steps" }, "▶");
    this.play.addEventListener("click", () => this.timer ? this.pause() : this.run());
    this.readout = html("p", { class: "readout", role: "status" });
    this.boards = html("div", { class: "boards" });
    this.scale = html("div", { class: "scale" });
    this.legend = html("p", { class: "note" });
    const toggles = { wrong: "mark what is wrong", changed: "frame what the step changed", margin: "advantage margin" };
    this.toggles = html("div", { class: "toggles" }, Object.entries(toggles).map(([name, text]) => this.toggle(name, text)));
    const keys = html("p", { class: "keys" }, [["←", "→"], " step  ", ["↑", "↓"], " puzzle  ", ["space"], " play"].flatMap(part => typeof part === "string" ? [part] : part.map(key => html("kbd", {}, key))));
    const track = html("div", { class: "track" }, [this.slider, this.ticks]);
    this.stage.append(this.title, html("div", { class: "controls" }, [this.play, track]), this.readout, this.boards, this.toggles, this.scale, this.legend, keys);
  }

  toggle(name, text) {
    const box = html("input", { type: "checkbox" });
    box.checked = this.state.shown[name];
    box.addEventListener("change", () => { this.state.shown[name] = box.checked; this.show(this.state.step); });
    return html("label", { "data-toggle": name }, [box, text]);
  }

  /** Keep the puzzle that is shown where it is of the kind, else go to the first that is. */
  filter(kind) {
    this.state.filter = kind;
    for (const button of this.filters.children) button.setAttribute("aria-pressed", String(button.dataset.filter === kind));
    this.members = this.examples.map((one, at) => at).filter(at => OF_KIND[kind](this.examples[at].example.k));
    this.list.replaceChildren(...this.members.map(at => this.item(at)));
    this.note.replaceChildren(...this.words());
    if (this.members.length) this.open(this.members.includes(this.state.at) ? this.state.at : this.members[0]);
  }

  words() {
    const kind = this.state.filter;
    return this.data.sets.flatMap(set => {
      const counts = set.counts, of = counts[kind === "all" ? "examples" : kind].toLocaleString("en");
      const judged = set.by_scorer ? "solved: by its own scorer" : "solved: equal to the solution";
      const what = kind === "all" ? `${of} examples` : `${of} of ${counts.examples.toLocaleString("en")} examples are ${this.data.kinds[kind]}`;
      return [html("span", {}, `${set.title ? `${set.title}: ` : ""}${what}${set.all_kept ? "" : " among the samples that were kept"} (${judged}). ${set.rule} `)];
    });
  }

  item(at) {
    const { example } = this.examples[at], name = html("span", { class: "name" }, example.n);
    const item = html("li", { role: "option", "data-at": String(at), id: `puzzle-${at}`, "aria-selected": "false" }, [name, dots(example.k)]);
    item.setAttribute("aria-label", `${example.n}, ${example.k[example.k.length - 1] ? "solved" : "not solved"}`);
    return item;
  }

  open(at) {
    this.state.at = at;
    const { set, example } = this.examples[at], last = example.k.length - 1;
    for (const item of this.list.children) item.setAttribute("aria-selected", String(Number(item.dataset.at) === at));
    const item = document.getElementById(`puzzle-${at}`);
    this.list.setAttribute("aria-activedescendant", item ? item.id : "");
    if (item) this.list.scrollTop = Math.min(Math.max(this.list.scrollTop, item.offsetTop + item.offsetHeight - this.list.clientHeight - this.list.offsetTop), item.offsetTop - this.list.offsetTop);
    this.title.textContent = example.n;
    this.slider.max = String(example.k.length);
    this.ticks.replaceChildren(...example.k.map(solved => html("i", { class: solved ? "yes" : "" })));
    this.legend.textContent = `${MARKS[set.drawing.kind]} ${set.signs}`;
    this.toggles.querySelector("[data-toggle=margin]").hidden = !example.g;
    this.scale.replaceChildren(...(example.g ? scale(set.limit) : []));
    this.show(Math.min(this.state.step, last));
  }

  show(step) {
    const { set, example } = this.examples[this.state.at];
    this.state.step = step;
    this.slider.value = String(step + 1);
    this.slider.setAttribute("aria-valuetext", `step ${step + 1} of ${example.k.length}`);
    [...this.ticks.children].forEach((tick, at) => tick.classList.toggle("now", at === step));
    this.readout.replaceChildren(...this.readings(example, step));
    const texts = set.drawing.kind === "text" ? `texts ${example.g && this.state.shown.margin ? "margins" : ""}` : "";
    this.boards.className = `boards ${texts}`.trim();
    this.boards.replaceChildren(...parts(set, example, step, this.state.shown).map(([caption, picture]) =>
      html("figure", {}, [html("figcaption", {}, caption.startsWith("after") ? html("b", {}, caption) : caption), picture])));
    history.replaceState(null, "", `#puzzle=${this.state.at + 1}&step=${step + 1}`);
  }

  readings(example, step) {
    const span = (text, kind) => html("span", kind ? { class: kind } : {}, text);
    const spans = [span(`step ${step + 1} of ${example.k.length}`), span(`${this.data.calls[step].toLocaleString("en")} network calls`)];
    spans.push(example.k[step] ? span("solved", "verdict yes") : span("not solved", "verdict no"));
    spans.push(span(`${example.w[step].toLocaleString("en")} wrong`));
    if (example.c && example.c[step] !== null) spans.push(span(`${this.data.confidence} ${number(example.c[step])}`));
    if (example.m && example.m[step] !== null) spans.push(span(`mean margin ${example.m[step] > 0 ? "+" : ""}${number(example.m[step])}`));
    return spans;
  }

  run() {
    const last = this.examples[this.state.at].example.k.length - 1;
    if (this.state.step >= last) this.show(0);
    this.play.textContent = "❚❚";
    this.play.setAttribute("aria-label", "Pause");
    this.timer = setInterval(() => this.state.step < last ? this.show(this.state.step + 1) : this.pause(), PLAY_MS);
  }

  pause() {
    clearInterval(this.timer);
    this.timer = null;
    this.play.textContent = "▶";
    this.play.setAttribute("aria-label", "Play the steps");
  }

  /** Arrows and space, unless they belong to something else on the page. */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.members.length) return;
    const own = event.target === this.slider ? ["ArrowUp", "ArrowDown"] : ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", " "];
    const busy = event.target.closest("button, summary, a, select, input") && event.target !== this.slider;
    if (!own.includes(event.key) || (busy && event.key === " ") || !inView(this.stage)) return;
    event.preventDefault();
    if (event.key === " ") return this.timer ? this.pause() : this.run();
    this.pause();
    const last = this.examples[this.state.at].example.k.length - 1, place = this.members.indexOf(this.state.at);
    if (event.key === "ArrowLeft") this.show(Math.max(0, this.state.step - 1));
    if (event.key === "ArrowRight") this.show(Math.min(last, this.state.step + 1));
    if (event.key === "ArrowUp") this.open(this.members[Math.max(0, place - 1)]);
    if (event.key === "ArrowDown") this.open(this.members[Math.min(this.members.length - 1, place + 1)]);
  }

  /** The puzzle and step of the address, as `show` writes it. */
  openHash() {
    const [, puzzle, step] = location.hash.match(/^#puzzle=(\d+)&step=(\d+)$/) || [];
    if (!puzzle || puzzle < 1 || puzzle > this.examples.length) return;
    this.open(Number(puzzle) - 1);
    this.show(Math.min(Math.max(1, Number(step)), this.examples[this.state.at].example.k.length) - 1);
  }
}

const number = value => String(Number(value.toPrecision(3))).replace("-", "−");

function dots(k) {
  const many = k.length > MANY_STEPS ? "dots many" : "dots";
  return html("span", { class: many, "aria-hidden": "true" }, k.map(solved => html("i", { class: solved ? "yes" : "" })));
}

function inView(part) {
  const box = part.getBoundingClientRect();
  return box.bottom > 0 && box.top < window.innerHeight;
}

/** The colours of margins from end to end, the limit at the ends. */
function scale(limit) {
  const strip = element("svg", { viewBox: "0 0 101 1", preserveAspectRatio: "none", "aria-hidden": "true" });
  for (let at = 0; at <= 100; at++) {
    const part = element("rect", { x: at, width: 1.05, height: 1 });
    part.style.fill = heatColour(Math.round((at - 50) / 50 * FULL));
    strip.append(part);
  }
  return [`margin ≤ −${number(limit)}`, strip, `≥ +${number(limit)}`];
}
