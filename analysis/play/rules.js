// The rules of each kind of puzzle: how a question is written, and what of an answer breaks the rules. Tokens are those
// of trm_lab/puzzles/<kind>/tokens.py; the verdicts are those of its scorer.

const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** A verdict on an answer. wrong: 1 where a cell breaks a rule; words: what is missing, "" where it is solved. */
const verdict = (wrong, words) => ({ wrong, words, solved: words === "" });

/** Cells that some other cell of the same line has the same value as; lines: lists of cells; 0 is no value. */
function repeated(values, lines) {
  const wrong = new Uint8Array(values.length);
  for (const line of lines) for (const cell of line) for (const other of line) {
    if (cell !== other && values[cell] && values[cell] === values[other]) wrong[cell] = 1;
  }
  return wrong;
}

/** The cells for which two numbers that `lineOf` gives are equal, as lists. */
function linesBy(cells, lineOf) {
  const lines = new Map();
  for (let cell = 0; cell < cells; cell++) {
    const line = lineOf(cell);
    lines.set(line, [...(lines.get(line) || []), cell]);
  }
  return [...lines.values()];
}

/** Number of marked cells. */
const countMarks = marks => marks.reduce((total, mark) => total + mark, 0);

class Sudoku {
  constructor(drawing) {
    const side = this.side = drawing.side, [rows, columns] = drawing.boxes, row = cell => Math.floor(cell / side);
    this.blank = 1;
    this.signs = new Map([...Array(side).keys()].map(digit => [String(digit + 1), digit + 2]).concat([[".", 1], ["0", 1], ["_", 1]]));
    this.brushes = [...Array(side).keys()].map(digit => [digit + 2, String(digit + 1)]).concat([[1, "blank"]]);
    this.lines = [row, cell => cell % side, cell => Math.floor(row(cell) / rows) * side + Math.floor(cell % side / columns)].flatMap(of => linesBy(side * side, of));
  }

  read(text) { return [...text.replace(/[\s|+-]/g, "")]; }

  judge(question, answer) {
    const digits = answer.map(token => token > 1 && token <= this.side + 1 ? token : 0), wrong = repeated(digits, this.lines);
    question.forEach((token, cell) => { if (token > 1 && token !== answer[cell]) wrong[cell] = 1; });
    const empty = digits.filter(digit => !digit).length, bad = countMarks(wrong), words = [];
    if (bad) words.push(`${plural(bad, "cell")} ${bad === 1 ? "breaks" : "break"} the rules`);
    if (empty) words.push(`${plural(empty, "cell")} without a digit`);
    return verdict(wrong, words.join(", "));
  }

  /** What is wrong with the question itself, "" if nothing is. */
  objection(question) {
    return countMarks(repeated(question.map(token => token > 1 ? token : 0), this.lines)) ? "Your digits break the rules already: no answer can be right." : "";
  }
}

class Queens {
  constructor(drawing) {
    const side = this.side = drawing.side, row = cell => Math.floor(cell / side), column = cell => cell % side;
    this.blank = 1;
    this.signs = new Map([["Q", 2], ["q", 2], ["1", 2], [".", 1], ["0", 1], ["_", 1]]);
    this.brushes = [[2, "queen"], [1, "empty"]];
    this.lines = [row, column, cell => row(cell) + column(cell), cell => row(cell) - column(cell)].flatMap(of => linesBy(side * side, of));
  }

  read(text) { return [...text.replace(/\s/g, "")]; }

  judge(question, answer) {
    const queens = answer.map(token => token === 2 ? 1 : 0), wrong = repeated(queens, this.lines), count = countMarks(queens), words = [];
    const attacking = countMarks(wrong), moved = question.filter((token, cell) => token === 2 && !queens[cell]).length;
    answer.forEach((token, cell) => { if (token !== 1 && token !== 2 || question[cell] === 2 && !queens[cell]) wrong[cell] = 1; });
    if (count !== this.side) words.push(`${plural(count, "queen")} instead of ${this.side}`);
    if (attacking) words.push(`${attacking} attack each other`);
    if (moved) words.push(`${plural(moved, "given queen")} missing`);
    if (!words.length && countMarks(wrong)) words.push(`${plural(countMarks(wrong), "cell")} neither queen nor empty`);
    return verdict(wrong, words.join(", "));
  }

  objection(question) {
    return countMarks(repeated(question.map(token => token === 2 ? 1 : 0), this.lines)) ? "Your queens attack each other already: no answer can be right." : "";
  }
}

const [WALL, FREE, START, GOAL, PATH] = [1, 2, 3, 4, 5];

class Maze {
  constructor(drawing) {
    this.side = drawing.side;
    this.blank = FREE;
    this.signs = new Map([["#", WALL], [" ", FREE], [".", FREE], ["_", FREE], ["o", FREE], ["S", START], ["s", START], ["G", GOAL], ["g", GOAL]]);
    this.brushes = [[WALL, "wall"], [FREE, "free"], [START, "S"], [GOAL, "G"]];
    this.alone = [START, GOAL];
  }

  /** Lines may have lost the blanks at their ends. */
  read(text) {
    const lines = text.replace(/\r/g, "").split("\n").filter(line => line !== "");
    return [...(lines.length === this.side ? lines.map(line => line.padEnd(this.side)).join("") : lines.join(""))];
  }

  neighbours(cell) {
    const column = cell % this.side, all = [cell - this.side, cell + this.side];
    if (column) all.push(cell - 1);
    if (column < this.side - 1) all.push(cell + 1);
    return all.filter(other => other >= 0 && other < this.side * this.side);
  }

  /** Steps from S to G over cells that are open; Infinity where there is no way. */
  distance(question, open) {
    const from = question.indexOf(START), to = question.indexOf(GOAL), steps = new Map([[from, 0]]), waiting = [from];
    for (const cell of waiting) for (const other of this.neighbours(cell)) {
      if (open(other) && !steps.has(other)) { steps.set(other, steps.get(cell) + 1); waiting.push(other); }
    }
    return steps.get(to) ?? Infinity;
  }

  judge(question, answer) {
    const isEnd = cell => question[cell] === START || question[cell] === GOAL, onPath = cell => answer[cell] === PATH || isEnd(cell);
    const wrong = answer.map((token, cell) => token === question[cell] || (token === PATH && question[cell] === FREE) ? 0 : 1);
    const changed = countMarks(wrong), cells = [...answer.keys()].filter(onPath), words = [];
    const loose = cells.filter(cell => this.neighbours(cell).filter(onPath).length !== (isEnd(cell) ? 1 : 2));
    const along = this.distance(question, onPath), fewest = this.distance(question, cell => question[cell] !== WALL);
    for (const cell of loose) if (!isEnd(cell)) wrong[cell] = 1;
    if (changed) words.push(`${plural(changed, "cell")} of the maze changed`);
    if (loose.length || along !== cells.length - 1) words.push(along === Infinity ? "the path does not reach G" : "the path is not one line");
    else if (along > fewest) words.push(`a way of ${along} steps, and the shortest has ${fewest}`);
    return verdict(wrong, words.join(", "));
  }

  objection(question) {
    const count = token => question.filter(each => each === token).length;
    if (count(START) !== 1 || count(GOAL) !== 1) return "Set one S and one G.";
    return this.distance(question, cell => question[cell] !== WALL) === Infinity ? "There is no way from S to G." : "";
  }
}

const RULES = { sudoku: Sudoku, queens: Queens, maze: Maze };
