// The brush: points become narrow Gaussians, which together are the density of the data. What is
// drawn is shown at once; a game begins when the reader says so.

import { button } from "./controls.js";
import { colours, prepared, rgb } from "./palette.js";

const SIGMA = 0.03; // of one point, in shares of the window
const APART = 0.015; // between two points of a stroke
const DIGITS = 99;

export class Brush {
  constructor(plane, row, begin, done) {
    Object.assign(this, { plane, row, begin, done, most: 0, points: [], active: false, cursor: [0.5, 0.5] });
    this.canvas = plane.querySelector("canvas");
    this.count = Object.assign(document.createElement("output"), { value: "" });
    this.canvas.addEventListener("pointerdown", (event) => this.stroke(event, true));
    this.canvas.addEventListener("pointermove", (event) => event.buttons && this.stroke(event));
    this.canvas.addEventListener("keydown", (event) => this.type(event));
    this.buttons();
  }

  buttons() {
    if (!this.active) {
      this.row.replaceChildren(button("Draw data", () => this.start()));
      return;
    }
    this.row.replaceChildren(
      this.count,
      button("Start with this density", () => this.points.length && this.finish()),
      button("Clear", () => { this.points = []; this.draw(); }),
      button("Cancel", () => this.stop()),
    );
  }

  start() {
    this.active = true;
    this.points = [];
    this.plane.classList.add("drawing");
    this.buttons();
    this.draw();
    this.canvas.focus();
  }

  stop() {
    this.active = false;
    this.plane.classList.remove("drawing");
    this.buttons();
    this.done();
  }

  finish() {
    const digits = (share) => String(Math.round(share * DIGITS)).padStart(2, "0");
    const points = this.points.map(([x, y]) => digits(x) + digits(y)).join(".");
    this.stop();
    this.begin({ data: "drawn", points });
  }

  stroke(event, first = false) {
    if (!this.active) return;
    event.preventDefault();
    const { width, height } = this.canvas.getBoundingClientRect();
    const point = [event.offsetX / width, 1 - event.offsetY / height];
    const [x, y] = this.points[this.points.length - 1] || [9, 9];
    if (first || Math.hypot(point[0] - x, point[1] - y) >= APART) this.put(point);
  }

  // With the keyboard: arrows move a cursor, Enter puts a point.
  type(event) {
    if (!this.active) return;
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (move) this.cursor = this.cursor.map((at, i) => Math.min(Math.max(at + 0.02 * move[i], 0), 1));
    else if (event.key === "Enter") this.put([...this.cursor]);
    else if (event.key === "Escape") this.stop();
    else return;
    event.preventDefault();
    event.stopPropagation();
    if (this.active) this.draw(true);
  }

  put(point) {
    const inside = point.every((share) => share >= 0 && share <= 1);
    if (inside && this.points.length < this.most) this.points.push(point);
    this.draw();
  }

  draw(withCursor = false) {
    const { context, width, height } = prepared(this.canvas);
    const [red, green, blue] = rgb(colours().real);
    for (const [x, y] of this.points) {
      const at = [x * width, (1 - y) * height];
      const glow = context.createRadialGradient(...at, 0, ...at, 3 * SIGMA * width);
      for (const sigmas of [0, 0.5, 1, 1.5, 2, 3]) {
        const share = 0.35 * Math.exp(-(sigmas ** 2) / 2);
        glow.addColorStop(sigmas / 3, `rgba(${red}, ${green}, ${blue}, ${sigmas < 3 ? share : 0})`);
      }
      context.fillStyle = glow;
      context.fillRect(0, 0, width, height);
    }
    if (withCursor) {
      const [x, y] = [this.cursor[0] * width, (1 - this.cursor[1]) * height];
      context.strokeStyle = colours().ink;
      context.strokeRect(x - 6, y - 6, 12, 12);
    }
    this.count.value = `${this.points.length} of at most ${this.most} points: draw on the plane`;
  }
}
