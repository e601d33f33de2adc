// The settings as a form, made of what Python says of them. What can change in the middle of a
// game is sent at once; all else waits until the reader has agreed to a new game.

import { short } from "./numbers.js";

const GROUPS = {
  "Data and noise": ["data", "noise", "noise_dimension", "batch"],
  "The game": ["objective", "regularizer", "head_start", "seed"],
  "Generator G": ["generator_lr", "generator_steps", "generator_optimizer", "generator_layers", "generator_width"],
  "Discriminator D": ["discriminator_lr", "discriminator_steps", "discriminator_optimizer", "discriminator_layers", "discriminator_width"],
};

export class Controls {
  constructor(form, send, draw) {
    Object.assign(this, { form, send, draw, pending: {} });
    form.addEventListener("submit", (event) => event.preventDefault());
  }

  build(options) {
    this.options = options;
    this.inputs = {};
    this.restart = Object.assign(document.createElement("div"), { id: "restart", hidden: true });
    this.restart.setAttribute("role", "status");
    this.form.replaceChildren(this.restart);
    for (const [title, names] of Object.entries(GROUPS)) {
      const group = document.createElement("fieldset");
      const legend = Object.assign(document.createElement("legend"), { textContent: title });
      group.append(legend, ...names.map((name) => this.row(name)));
      this.form.append(group);
    }
  }

  row(name) {
    const [label, help] = this.options.labels[name];
    const row = Object.assign(document.createElement("div"), { className: "row" });
    const words = Object.assign(document.createElement("label"), { textContent: label, htmlFor: `set-${name}` });
    const note = Object.assign(document.createElement("p"), { className: "help", textContent: help, id: `help-${name}` });
    const input = name in this.options.choices ? this.choice(name) : this.number(name);
    input.id = `set-${name}`;
    input.setAttribute("aria-describedby", note.id);
    this.inputs[name] = { input, row, note };
    row.title = help;
    note.classList.toggle("hidden", !(name in this.options.words));
    row.append(words, input, note);
    if (name.endsWith("_lr")) words.append(" ", document.createElement("output"));
    input.addEventListener(name.endsWith("_lr") ? "input" : "change", () => this.changed(name));
    return row;
  }

  choice(name) {
    const select = document.createElement("select");
    for (const value of this.options.choices[name]) select.add(new Option(value));
    return select;
  }

  number(name) {
    const [min, max] = this.options.limits[name];
    const log = name.endsWith("_lr");
    const range = log ? { min: Math.log10(min), max: Math.log10(max), step: 0.05 } : { min, max, step: 1 };
    return Object.assign(document.createElement("input"), { type: log ? "range" : "number", ...range });
  }

  // The value as Python takes it.
  value(name) {
    const { input } = this.inputs[name];
    if (name.endsWith("_lr")) return Number((10 ** input.value).toPrecision(3));
    return name in this.options.choices ? input.value : Number(input.value);
  }

  put(name, value) {
    const { input, row, note } = this.inputs[name];
    if (document.activeElement !== input || input.type !== "range") {
      input.value = name.endsWith("_lr") ? Math.log10(value) : value;
    }
    const output = row.querySelector("output");
    if (output) {
      output.textContent = short(value);
      input.setAttribute("aria-valuetext", short(value));
    }
    const words = this.options.words[name];
    if (words) note.textContent = words[value] || this.options.labels[name][1];
  }

  // What is pending stays so, as long as the game is the same.
  show(game) {
    if (!this.game || this.game.number !== game.number) this.pending = {};
    this.game = game;
    for (const [name, value] of Object.entries({ ...game.settings, ...this.pending })) this.put(name, value);
    this.offer();
  }

  takeBack() {
    this.pending = {};
    this.show(this.game);
  }

  changed(name) {
    const value = this.value(name);
    this.put(name, value);
    if (this.options.live.includes(name)) {
      this.send({ do: "set", settings: { [name]: value } });
      return;
    }
    if (name === "data" && value === "drawn") {
      this.draw();
      return;
    }
    if (value === this.game.settings[name]) delete this.pending[name];
    else this.pending[name] = value;
    this.offer();
  }

  // What is about to change, and whether to start with it.
  offer() {
    for (const [name, { row }] of Object.entries(this.inputs)) {
      row.classList.toggle("pending", name in this.pending);
    }
    const names = Object.keys(this.pending);
    this.restart.hidden = names.length === 0;
    const text = names.map((name) => `${name.replace(/_/g, " ")}: ${this.pending[name]}`).join(", ");
    const words = Object.assign(document.createElement("p"), {
      textContent: `This starts a new game (${text}). The present one can be called back.`,
    });
    const start = (extra) => () => this.send({ do: "new", settings: { ...this.pending, ...extra } });
    const buttons = [];
    const objective = this.pending.objective || this.game.settings.objective;
    const regularizer = this.pending.regularizer || this.game.settings.regularizer;
    if (this.options.constrained.includes(objective) && regularizer === "none") {
      words.textContent += ` ${objective} needs a regularizer, which keeps D's slope in bounds:`;
      for (const bound of ["clipping", "wgan-gp", "no-leash"]) {
        buttons.push(button(`Start with ${bound}`, start({ regularizer: bound })));
      }
    } else {
      buttons.push(button("Start the new game", start({})));
    }
    buttons.push(button("Go on as before", () => this.takeBack()));
    this.restart.replaceChildren(words, ...buttons);
  }
}

export function button(text, act) {
  const made = Object.assign(document.createElement("button"), { type: "button", textContent: text });
  made.addEventListener("click", act);
  return made;
}
