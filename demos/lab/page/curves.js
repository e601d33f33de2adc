// The curves: losses with the balance, divergences, modes. Lines differ in colour and in dashes.

import { short } from "./numbers.js";
import { colours, prepared } from "./palette.js";

const KEPT = 3000; // rows; beyond that, every second one of the older half goes
const CURVES = {
  losses: {
    title: "Losses",
    lines: [["D", "ink", []], ["G", "fake", []]],
    also: "dashed: a D that cannot tell",
  },
  divergences: {
    title: "Distance to the data [nats]",
    lines: [["KL(data ‖ fakes)", "ink", []], ["Jensen-Shannon", "real", [6, 4]]],
    fromZero: true,
  },
  coverage: {
    title: "Modes",
    lines: [["share found", "ink", []], ["share of high quality", "real", [6, 4]]],
    fromZero: true,
  },
};

export class Curves {
  constructor(section) {
    this.figures = {};
    for (const [name, { title, lines, also }] of Object.entries(CURVES)) {
      const figure = document.createElement("figure");
      const caption = document.createElement("figcaption");
      caption.textContent = title;
      for (const line of lines) caption.append(key(...line));
      if (also) caption.append(Object.assign(document.createElement("span"), { className: "key", textContent: also }));
      const canvas = document.createElement("canvas");
      canvas.setAttribute("role", "img");
      figure.append(caption, canvas);
      section.append(figure);
      this.figures[name] = figure;
    }
  }

  begin(game) {
    this.game = game;
    this.rows = Object.fromEntries(Object.keys(CURVES).map((name) => [name, []]));
    this.figures.coverage.hidden = !game.has_modes;
  }

  add(rows) {
    for (const [name, found] of Object.entries(rows)) {
      for (const [step, a, b] of found) {
        this.rows[name].push(name === "coverage" ? [step, a / this.game.modes, b] : [step, a, b]);
      }
      if (this.rows[name].length > KEPT) {
        this.rows[name] = this.rows[name].filter((_, i) => i % 2 || i > KEPT / 2);
      }
    }
  }

  // The latest values, for the line of text above.
  last(name) {
    return this.rows[name][this.rows[name].length - 1];
  }

  show() {
    const { game } = this;
    this.draw("losses", game.balance === null ? [] : game.balance);
    this.draw("divergences", []);
    if (game.has_modes) this.draw("coverage", [1]);
  }

  draw(name, balance) {
    const { lines, fromZero } = CURVES[name];
    const canvas = this.figures[name].querySelector("canvas");
    const rows = this.rows[name].filter((row) => row[1] !== null && row[2] !== null);
    const { context, width, height } = prepared(canvas);
    const size = parseFloat(getComputedStyle(canvas).fontSize) * 0.8;
    context.font = `${size}px system-ui, sans-serif`;
    const frame = { left: 3.6 * size, right: width - 8, top: 6, bottom: height - 1.8 * size };
    const [low, high] = limits(rows, balance, fromZero);
    const end = rows.length ? Math.max(rows[rows.length - 1][0], 1) : 1;
    const x = (step) => frame.left + (step / end) * (frame.right - frame.left);
    const y = (value) => frame.bottom - ((value - low) / (high - low)) * (frame.bottom - frame.top);
    axes(context, frame, { low, high, end, x, y });
    context.setLineDash([3, 4]);
    balance.forEach((value, i) => {
      line(context, [[0, value], [end, value]], 1, colours()[lines[i][1]], x, y);
    });
    lines.forEach(([, colour, dashes], i) => {
      context.setLineDash(dashes);
      line(context, rows, i + 1, colours()[colour], x, y, 2);
    });
    context.setLineDash([]);
    const words = lines.map(([label], i) => `${label} ${rows.length ? short(rows[rows.length - 1][i + 1]) : "–"}`);
    canvas.setAttribute("aria-label", `${CURVES[name].title}: ${words.join(", ")}`);
  }
}

// The middle 98 % of the values fit in: one wild loss does not flatten all others.
function limits(rows, balance, fromZero) {
  const values = rows.flatMap((row) => row.slice(1)).sort((a, b) => a - b);
  if (!values.length) return [0, 1];
  const cut = Math.floor(0.01 * values.length);
  const low = fromZero ? 0 : Math.min(values[cut], ...balance);
  const high = Math.max(values[values.length - 1 - cut], ...balance, low + 1e-3);
  const margin = 0.05 * (high - low);
  return [fromZero ? 0 : low - margin, high + margin];
}

function axes(context, frame, { low, high, end, x, y }) {
  context.strokeStyle = colours().line;
  context.fillStyle = colours().soft;
  context.beginPath();
  context.moveTo(frame.left, frame.top);
  context.lineTo(frame.left, frame.bottom);
  context.lineTo(frame.right, frame.bottom);
  context.stroke();
  context.textBaseline = "middle";
  context.textAlign = "right";
  for (const share of [0.05, 0.5, 0.95]) {
    const value = low + share * (high - low);
    context.fillText(tick(value, high - low), frame.left - 4, y(value));
  }
  context.textBaseline = "top";
  context.textAlign = "left";
  context.fillText("step 0", frame.left, frame.bottom + 4);
  context.textAlign = "right";
  context.fillText(end.toLocaleString("en"), x(end), frame.bottom + 4);
}

// With as many digits as the range needs.
function tick(value, range) {
  if (range >= 1e4 || range < 1e-3) return short(value);
  return value.toFixed(Math.max(0, 1 - Math.floor(Math.log10(range)))).replace("-", "−");
}

function line(context, rows, column, colour, x, y, width = 1) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.beginPath();
  for (const row of rows) context.lineTo(x(row[0]), y(column < row.length ? row[column] : row[1]));
  context.stroke();
  context.lineWidth = 1;
}

function key(label, colour, dashes) {
  const span = Object.assign(document.createElement("span"), { className: "key" });
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 28 8");
  svg.setAttribute("aria-hidden", "true");
  const stroke = document.createElementNS(svg.namespaceURI, "path");
  for (const [name, value] of Object.entries({
    d: "M0 4H28", stroke: `var(--${colour})`, "stroke-width": 3, "stroke-dasharray": dashes.join(" "),
  })) stroke.setAttribute(name, value);
  svg.append(stroke);
  span.append(svg, label);
  return span;
}
