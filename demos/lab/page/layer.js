// One layer under the magnifying glass: its arrays as heat maps, with a histogram below each.

import { short, unpack } from "./numbers.js";
import { between, colours, rgb } from "./palette.js";

export class LayerView {
  constructor(section, close) {
    this.section = section;
    this.figures = new Map();
    section.querySelector(".close").addEventListener("click", close);
  }

  hide() {
    this.section.hidden = true;
    this.figures.clear();
    this.section.querySelector(".arrays").replaceChildren();
  }

  redraw() {
    if (!this.section.hidden) this.show(this.shown);
  }

  show(message) {
    const { player, position, name, arrays } = message;
    this.shown = message;
    this.section.hidden = false;
    this.section.querySelector("h2").textContent = `${player}, layer ${position}: ${name}`;
    for (const name of this.figures.keys()) {
      if (!(name in arrays)) {
        this.figures.get(name).remove();
        this.figures.delete(name);
      }
    }
    for (const [name, array] of Object.entries(arrays)) this.draw(this.figure(name), name, array);
  }

  figure(name) {
    if (!this.figures.has(name)) {
      const figure = document.createElement("figure");
      const [map, bars] = ["map", "bars"].map((className) => {
        return Object.assign(document.createElement("canvas"), { className });
      });
      figure.append(map, bars, document.createElement("figcaption"));
      this.section.querySelector(".arrays").append(figure);
      this.figures.set(name, figure);
    }
    return this.figures.get(name);
  }

  draw(figure, name, array) {
    const [map, bars] = figure.querySelectorAll("canvas");
    drawMap(map, unpack(array.map));
    drawBars(bars, array.counts);
    const shape = array.shape.join(" × ");
    const words = `${name}, ${shape}: from ${short(array.low)} to ${short(array.high)}, mean `
      + `${short(array.mean)} ± ${short(array.std)}, ${Math.round(100 * array.zeros)} % zeros`
      + (array.broken ? `, ${array.broken} not finite` : "");
    figure.querySelector("figcaption").textContent = words;
    map.setAttribute("role", "img");
    map.setAttribute("aria-label", words);
    bars.setAttribute("aria-hidden", "true");
  }
}

// Orange below zero, blue above.
function drawMap(canvas, { shape: [rows, columns], values }) {
  canvas.width = columns;
  canvas.height = rows;
  const tones = ["fake", "paper", "real"].map((name) => rgb(colours()[name]));
  const largest = values.reduce((size, value) => Math.max(size, Math.abs(value)), 1e-30);
  const pixels = new ImageData(columns, rows);
  values.forEach((value, i) => pixels.data.set([...between(value / largest, ...tones), 255], 4 * i));
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

function drawBars(canvas, counts) {
  canvas.width = 4 * counts.length;
  canvas.height = canvas.width / 4;
  const context = canvas.getContext("2d");
  context.fillStyle = colours().soft;
  const most = Math.max(...counts, 1);
  counts.forEach((count, i) => {
    const height = (count / most) * canvas.height;
    context.fillRect(4 * i, canvas.height - height, 3, height);
  });
}
