// The plane: D's verdict, G's warped grid, real and fake samples, the gradient at each fake.

import { contour } from "./contours.js";
import { short } from "./numbers.js";
import { between, colours, prepared, rgb } from "./palette.js";

const SWITCHES = {
  real: "real samples", fake: "fakes", verdict: "D's verdict", mesh: "G's grid", push: "gradients",
  density: "densities",
};
const AT_FIRST = ["real", "fake", "verdict", "mesh", "push"];
const LEVELS = [0.1, 0.3, 0.6]; // of the highest density
const ARROWS = 80; // of the fakes have one
const NEAR = 14; // pixels

export class Plane {
  constructor(section, redraw) {
    this.canvas = section.querySelector("canvas");
    this.label = section.querySelector("#pointed");
    this.on = new Set(AT_FIRST);
    this.pointed = null;
    for (const [name, text] of Object.entries(SWITCHES)) {
      const label = document.createElement("label");
      const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: this.on.has(name) });
      box.dataset.shows = name;
      box.addEventListener("change", () => {
        this.on[box.checked ? "add" : "delete"](name);
        redraw();
      });
      label.append(box, ` ${text}`);
      section.querySelector("#switches").append(label);
    }
    this.canvas.addEventListener("pointermove", (event) => this.pointAt(event));
    this.canvas.addEventListener("pointerleave", () => this.point(null));
    this.canvas.addEventListener("keydown", (event) => this.walk(event));
  }

  // Where a point of the window, in shares of it, lies on the canvas.
  place(values, i) {
    return [values[2 * i] * this.width, (1 - values[2 * i + 1]) * this.height];
  }

  show(moment) {
    this.moment = moment;
    const { context, width, height } = prepared(this.canvas);
    Object.assign(this, { context, width, height });
    const shows = (part) => this.on.has(part) && (!moment.stage || moment.stage.shows.includes(part));
    if (shows("verdict")) this.drawVerdict(moment.verdict);
    if (shows("mesh")) this.drawMesh(moment.mesh);
    if (this.on.has("density")) {
      this.drawDensity(moment.realDensity, colours().real, []);
      this.drawDensity(moment.density, colours().fake, [4, 3]);
    }
    if (shows("real")) this.drawDots(moment.real, colours().real, 2.6);
    if (shows("fake")) this.drawDots(moment.fake, colours().fake, 2.2);
    if (shows("push")) this.drawArrows(moment);
    if (this.pointed !== null) this.point(this.pointed);
  }

  drawVerdict({ shape: [rows, columns], values }) {
    const small = new OffscreenCanvas(columns, rows);
    const pixels = new ImageData(columns, rows);
    const tones = ["says-fake", "paper", "says-real"].map((name) => rgb(colours()[name]));
    for (let i = 0; i < values.length; i++) {
      const row = rows - 1 - Math.floor(i / columns); // the first row is the lowest
      const colour = between(values[i], ...tones);
      pixels.data.set([...colour, 255], 4 * (row * columns + (i % columns)));
    }
    small.getContext("2d").putImageData(pixels, 0, 0);
    // The values belong to points on the border, not to pixels inside: half a pixel hangs over.
    const [dx, dy] = [this.width / (columns - 1), this.height / (rows - 1)];
    this.context.drawImage(small, -dx / 2, -dy / 2, this.width + dx, this.height + dy);
  }

  // Each cell holds the same probability: the smaller it is, the darker.
  drawMesh({ shape, values }) {
    const { context } = this;
    context.strokeStyle = context.fillStyle = colours().fake;
    if (shape.length === 2) {
      context.globalAlpha = 0.6;
      context.beginPath();
      for (let i = 0; i < shape[0]; i++) context.lineTo(...this.place(values, i));
      context.stroke();
    } else {
      const n = shape[0];
      for (let row = 0; row + 1 < n; row++) {
        for (let column = 0; column + 1 < n; column++) this.drawCell(values, row * n + column, n);
      }
    }
    context.globalAlpha = 1;
  }

  drawCell(values, i, n) {
    const corners = [i, i + 1, i + n + 1, i + n].map((k) => this.place(values, k));
    let area = 0;
    corners.forEach(([x, y], k) => {
      const [nextX, nextY] = corners[(k + 1) % 4];
      area += (x * nextY - nextX * y) / 2;
    });
    const share = Math.abs(area) / (this.width * this.height);
    const alpha = Math.min(0.0006 / Math.max(share, 1e-9), 0.5);
    if (alpha < 0.004) return;
    this.context.beginPath();
    for (const corner of corners) this.context.lineTo(...corner);
    this.context.closePath();
    this.context.globalAlpha = alpha;
    this.context.fill();
    this.context.globalAlpha = alpha / 2;
    this.context.stroke();
  }

  drawDensity(density, colour, dashes) {
    if (!density) return;
    this.context.strokeStyle = colour;
    this.context.lineWidth = 1.5;
    this.context.setLineDash(dashes);
    this.context.beginPath();
    for (const [x, y, endX, endY] of LEVELS.flatMap((level) => contour(density, level))) {
      this.context.moveTo(...this.place([x, y], 0));
      this.context.lineTo(...this.place([endX, endY], 0));
    }
    this.context.stroke();
    this.context.setLineDash([]);
    this.context.lineWidth = 1;
  }

  drawDots({ shape, values }, colour, size) {
    const radius = size * Math.max(1, this.width / 600);
    this.context.fillStyle = colour;
    this.context.beginPath();
    for (let i = 0; i < shape[0]; i++) {
      const [x, y] = this.place(values, i);
      this.context.moveTo(x + radius, y);
      this.context.arc(x, y, radius, 0, 2 * Math.PI);
    }
    this.context.fill();
  }

  // In proportion to the gradients; the longest tenth all are a fifteenth of the window.
  drawArrows({ fake, push }) {
    const lengths = [];
    for (let i = 0; i < push.shape[0]; i++) {
      lengths.push(Math.hypot(push.values[2 * i], push.values[2 * i + 1]));
    }
    const longest = [...lengths].sort((a, b) => a - b)[Math.floor(0.9 * lengths.length)];
    if (!longest) return;
    for (let i = 0; i < Math.min(ARROWS, lengths.length); i++) this.drawArrow(fake, push, i, longest);
  }

  drawArrow(fake, push, i, longest) {
    const { context } = this;
    const [x, y] = this.place(fake.values, i);
    const [dx, dy] = [push.values[2 * i], -push.values[2 * i + 1]];
    const size = Math.hypot(dx, dy);
    const length = (this.width / 15) * Math.min(size / longest, 1);
    if (length < 2) return;
    const [endX, endY] = [x + (dx / size) * length, y + (dy / size) * length];
    context.strokeStyle = colours().ink;
    context.lineWidth = 1.2 * Math.max(1, this.width / 600);
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(endX, endY);
    const angle = Math.atan2(dy, dx);
    for (const side of [-0.5, 0.5]) {
      context.moveTo(endX, endY);
      context.lineTo(endX - 5 * Math.cos(angle + side), endY - 5 * Math.sin(angle + side));
    }
    context.stroke();
    context.lineWidth = 1;
  }

  // One fake: what D says of it, and where G's gradient pushes it -------------------------------

  pointAt(event) {
    if (!this.moment) return;
    const [x, y] = [event.offsetX, event.offsetY];
    let [best, nearest] = [null, NEAR];
    for (let i = 0; i < this.moment.fake.shape[0]; i++) {
      const [fakeX, fakeY] = this.place(this.moment.fake.values, i);
      const distance = Math.hypot(fakeX - x, fakeY - y);
      if (distance < nearest) [best, nearest] = [i, distance];
    }
    this.point(best);
  }

  walk(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step || !this.moment || this.canvas.closest(".drawing")) return;
    const count = this.moment.fake.shape[0];
    this.point(this.pointed === null ? 0 : (this.pointed + step + count) % count);
    event.preventDefault();
  }

  point(i) {
    this.pointed = i;
    this.label.hidden = i === null;
    if (i === null) return;
    const { fake, logits, push, isCritic } = this.moment;
    const [x, y] = this.place(fake.values, i);
    const logit = logits.values[i];
    const [dx, dy] = [push.values[2 * i], push.values[2 * i + 1]];
    const says = isCritic ? `height ${short(logit)}` : `D = ${short(1 / (1 + Math.exp(-logit)))}`;
    const where = `${dy >= 0 ? "up" : "down"} and ${dx >= 0 ? "right" : "left"}`;
    this.label.textContent = `fake ${i + 1}: ${says}\nG's gradient pushes it ${where},\n`
      + `by (${short(dx)}, ${short(dy)})`;
    const right = x > this.width / 2;
    this.label.style.left = right ? "" : `${x + 12}px`;
    this.label.style.right = right ? `${this.width - x + 12}px` : "";
    this.label.style.top = `${Math.min(Math.max(y, 0), this.height - 60)}px`;
  }
}
