// Slow motion: what happens in this stage of a step, its numbers, and the library's own lines.

import { long } from "./numbers.js";

export class StageView {
  constructor(section) {
    this.section = section;
  }

  show(stage) {
    this.section.hidden = !stage;
    if (!stage) return;
    this.section.querySelector("h2").textContent = stage.title;
    this.section.querySelector("p").textContent = stage.text;
    this.section.querySelector(".formula").textContent = stage.formula;
    const rows = Object.entries(stage.numbers).map(([name, value]) => {
      const row = document.createElement("tr");
      row.append(cell("th", name), cell("td", long(value)));
      return row;
    });
    this.section.querySelector("tbody").replaceChildren(...rows);
    this.section.querySelector(".code").replaceChildren(...stage.code.flatMap(listing));
  }
}

function cell(kind, text) {
  return Object.assign(document.createElement(kind), { textContent: text });
}

// A function with the lines that are at work marked.
function listing({ name, file, lines, marked }) {
  const title = cell("p", `${name} in ${file}`);
  const code = document.createElement("pre");
  lines.forEach((line, i) => {
    code.append(marked.includes(i) ? cell("mark", line || " ") : cell("span", `${line}\n`));
  });
  return [title, code];
}
