// The model as a picture: noise → G → fake → D ← real, layer by layer, with what flows through it.

import { short } from "./numbers.js";

const NS = "http://www.w3.org/2000/svg";
const [WIDTH, GAP, HEIGHT, TOP] = [68, 20, 46, 28];

// Which edges a stage of slow motion sets in motion: network and direction.
const AT_WORK = {
  fake: [["G", "forward"], ["D", "forward"]], real: [["real", "forward"], ["D", "forward"]],
  D: [["D", "backward"]], "through D": [["D", "backward"]], G: [["G", "backward"]],
};

export class Model {
  constructor(section, open) {
    this.svg = section.querySelector("svg");
    this.findings = section.querySelector("#findings");
    this.open = open;
  }

  begin({ networks, settings, is_critic }) {
    this.svg.replaceChildren();
    this.parts = { G: [], D: [] };
    this.edges = [];
    let x = 4;
    x = this.data(x, "noise z", `${settings.noise}, ${settings.noise_dimension}-d`, "");
    x = this.network(x, "G", networks.G, "generator G");
    this.edge("D", x);
    x = this.data(x, "fake", "G(z)", "fake");
    const joint = x - GAP;
    x = this.network(x, "D", networks.D, "discriminator D");
    this.edge("D", x);
    x = this.data(x, is_critic ? "height" : "real?", "logit", "");
    this.real(joint, settings.data);
    const [width, height] = [x - GAP + 4, TOP + 2 * HEIGHT + 36];
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.style.minWidth = `${0.7 * width}px`;
    this.svg.style.maxHeight = `${1.5 * height}px`;
  }

  network(x, player, layers, title) {
    const start = x;
    layers.forEach((layer, i) => {
      this.edge(player, x);
      const part = this.box(x, TOP, layer.name, `${layer.outputs} out`, "");
      part.setAttribute("role", "button");
      part.setAttribute("tabindex", "0");
      part.dataset.layer = `${player}${i}`;
      const choose = () => this.open(player, i);
      part.addEventListener("click", choose);
      part.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        event.stopPropagation();
        choose();
      });
      const value = this.text(x + WIDTH / 2, TOP + HEIGHT + 12, "", "small value");
      const gradient = this.text(x + WIDTH / 2, TOP + HEIGHT + 25, "", "small gradient");
      this.parts[player].push({ part, value, gradient, layer });
      x += WIDTH + GAP;
    });
    this.text((start + x - GAP) / 2, 14, title, "");
    return x;
  }

  data(x, name, detail, kind) {
    this.box(x, TOP, name, detail, kind);
    return x + WIDTH + GAP;
  }

  box(x, y, name, detail, kind) {
    const part = this.add("g", { class: kind });
    part.append(make("rect", { class: "box", x, y, width: WIDTH, height: HEIGHT, rx: 6 }));
    part.append(make("text", { x: x + WIDTH / 2, y: y + 20 }, name));
    part.append(make("text", { x: x + WIDTH / 2, y: y + 35, class: "small" }, detail));
    return part;
  }

  text(x, y, words, kind) {
    const made = make("text", { x, y, class: kind }, words);
    this.svg.append(made);
    return made;
  }

  add(name, attributes) {
    const made = make(name, attributes);
    this.svg.append(made);
    return made;
  }

  // The pair of edges that leads to the part at x.
  edge(owner, x) {
    for (const [way, y] of [["forward", TOP + 17], ["backward", TOP + 29]]) {
      const ends = way === "forward" ? [x - GAP, x] : [x, x - GAP];
      const path = this.add("path", { class: `edge ${way}`, d: `M${ends[0]} ${y}H${ends[1]}` });
      this.edges.push({ owner, way, path });
    }
  }

  // The real samples come from below, and join where the fakes enter D.
  real(joint, data) {
    const x = joint - WIDTH;
    const y = TOP + HEIGHT + 33;
    this.box(x, y, "real x", data, "real");
    const path = this.add("path", {
      class: "edge forward",
      d: `M${joint} ${y + HEIGHT / 2}h${GAP / 2}V${TOP + 17}`,
    });
    this.edges.push({ owner: "real", way: "forward", path });
  }

  // flow: what Python knows of each layer now. playing: whether everything moves. stage: or a part.
  show({ flow, playing, stage }) {
    if (flow) this.write(flow);
    const moving = stage ? stage.flow.flatMap((name) => AT_WORK[name]) : null;
    for (const { owner, way, path } of this.edges) {
      const on = moving ? moving.some(([o, w]) => o === owner && w === way) : playing;
      path.classList.toggle("on", on);
    }
  }

  write(flow) {
    for (const player of ["G", "D"]) {
      flow[player].layers.forEach((found, i) => {
        const { part, value, gradient, layer } = this.parts[player][i];
        value.textContent = short(found.value);
        gradient.textContent = short(found.gradient) + (found.dead ? `, ${found.dead} dead` : "");
        part.setAttribute("aria-label", `${player}, layer ${i}, ${layer.text}: outputs of size `
          + `${short(found.value)}, gradients of size ${short(found.gradient)}`
          + (found.dead ? `, ${found.dead} dead units` : ""));
        this.thickness(player, i, found);
      });
    }
    const words = ["G", "D"].flatMap((player) => flow[player].findings.map((f) => `${player}: ${f}`));
    if (words.join() === this.words) return;
    this.words = words.join();
    this.findings.replaceChildren(...words.map((text) => {
      return Object.assign(document.createElement("li"), { textContent: text });
    }));
  }

  // Edges are as thick as the logarithm of what flows into the layer and back out of it.
  thickness(player, i, { value, gradient }) {
    const own = this.edges.filter(({ owner }) => owner === player).slice(2 * i, 2 * i + 2);
    for (const { way, path } of own) {
      const size = way === "forward" ? value : gradient;
      const width = size > 0 ? Math.min(Math.max(2.5 + Math.log10(size), 0.7), 5) : 0.7;
      path.setAttribute("stroke-width", width);
    }
  }

  mark(player, position) {
    for (const part of this.svg.querySelectorAll("[data-layer]")) {
      part.classList.toggle("open", part.dataset.layer === `${player}${position}`);
    }
  }
}

function make(name, attributes, text) {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  return made;
}
