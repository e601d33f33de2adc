// The page: messages from Python (or from a recording) go to the parts of the page, and what the
// reader does goes to Python.

import { Brush } from "./brush.js";
import { Connection } from "./connection.js";
import { Controls } from "./controls.js";
import { Curves } from "./curves.js";
import { LayerView } from "./layer.js";
import { Model } from "./model.js";
import { short, unpack } from "./numbers.js";
import { onNewLook } from "./palette.js";
import { Plane } from "./plane.js";
import { Recorder } from "./recorder.js";
import { StageView } from "./stage.js";
import { Timeline } from "./timeline.js";

const KEYS = { " ": "play", s: "both", d: "D", g: "G", m: "slow", r: "again", u: "undo" };
const READING_TIME = 8; // seconds
const find = (selector) => document.querySelector(selector);

let connection = null;
let timeline = null;
let options = null;
let game = null;
let moment = null; // what is shown: the latest frame, unpacked
let pictures = 0; // that were drawn
let heldUntil = 0; // the time until which a sentence stays
let opened = null; // the layer under the magnifying glass

const send = (command) => connection && connection.send(command);
const redraw = () => { if (moment && !brush.active) draw(); };

const plane = new Plane(find("#plane"), redraw);
const curves = new Curves(find("#curves"));
const stage = new StageView(find("#stage"));
const model = new Model(find("#model"), openLayer);
const layer = new LayerView(find("#layer"), () => openLayer(null));
const brush = new Brush(find("#plane"), find("#brush"), begin, () => { controls.show(game); redraw(); });
const controls = new Controls(find("#controls"), send, () => brush.start());
const recorder = new Recorder(find("#record"), tell);
onNewLook(() => { redraw(); layer.redraw(); });

// What Python tells ---------------------------------------------------------------------------

const told = {
  options(message) {
    options = message;
    controls.build(message);
    brush.most = message.most_points;
    find("#scene").replaceChildren(new Option("choose a game", ""));
    for (const { name, title } of message.scenes) find("#scene").add(new Option(title, name));
  },

  game(message) {
    const same = game && game.number === message.number && !timeline;
    game = { ...message, real: unpack(message.real), density: unpack(message.density) };
    controls.show(message);
    showScene(message.scene);
    find('[data-do="undo"]').disabled = !message.undo;
    if (!timeline) history.replaceState(null, "", message.link ? `#${message.link}` : location.pathname);
    if (same) return;
    curves.begin(message);
    model.begin(message);
    openLayer(null);
  },

  frame(message) {
    curves.add(message.rows);
    const arrays = ["fake", "mesh", "logits", "push", "verdict"];
    const unpacked = Object.fromEntries(arrays.map((name) => [name, unpack(message[name])]));
    const real = message.real ? unpack(message.real) : game.real;
    if (message.density) game.fakes = unpack(message.density);
    const densities = { realDensity: game.density, density: game.fakes };
    moment = { ...message, ...unpacked, ...densities, real, isCritic: game.is_critic };
  },

  layer(message) {
    if (opened) layer.show(message);
  },

  say(message) {
    say(message.text);
  },
};

function show(message, last = true) {
  recorder.take(message);
  told[message.kind](message);
  if (message.kind === "frame" && last) draw();
}

function draw() {
  if (!brush.active) plane.show(moment);
  // Curves move slowly: while the game plays, every fourth picture draws them.
  if (!moment.playing || timeline || pictures++ % 4 === 0) curves.show();
  model.show(moment);
  stage.show(moment.stage);
  write(find('[data-do="play"]'), moment.playing ? "Pause" : "Play");
  write(find("#status"), status());
  find("#status").ariaLive = moment.playing ? "off" : "polite"; // not twenty times a second
  if (moment.message || performance.now() > heldUntil) say(moment.message);
}

// Nothing is laid out again where nothing has changed.
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// The line of text that a screen reader reads, and everybody else.
function status() {
  const words = [`Step ${moment.step.toLocaleString("en")}`];
  if (moment.waiting) words.push(`${moment.waiting.toLocaleString("en")} steps of the head start are left`);
  if (moment.rate) words.push(`${short(moment.rate)} steps a second`);
  const [distance, modes] = [curves.last("divergences"), curves.last("coverage")];
  if (distance) words.push(`KL ${short(distance[1])}, Jensen-Shannon ${short(distance[2])} nats`);
  if (modes) {
    words.push(`${Math.round(modes[1] * game.modes)} of ${game.modes} modes, `
      + `${Math.round(100 * modes[2])} % of high quality`);
  }
  return words.join(" · ");
}

function say(text) {
  const place = find("#message");
  if (place.textContent === text && place.hidden === !text) return;
  place.textContent = text;
  place.hidden = !text;
}

// A sentence of the page itself, for long enough to read it.
function tell(text) {
  heldUntil = performance.now() + 1000 * READING_TIME;
  say(text);
}

function showScene(name) {
  find("#scene").value = name;
  const scene = options.scenes.find((one) => one.name === name);
  find("#lesson").hidden = !scene;
  if (scene) find("#lesson").textContent = scene.text;
}

// What the reader does ------------------------------------------------------------------------

function act(name) {
  if (timeline) {
    if (name === "play") timeline.toggle();
    return;
  }
  if (name === "play") send({ do: moment && moment.playing ? "pause" : "play" });
  else if (["both", "D", "G"].includes(name)) send({ do: "step", player: name });
  else send({ do: name });
}

function begin(settings) {
  send({ do: "new", settings });
}

function openLayer(player, position) {
  const same = opened && opened.player === player && opened.position === position;
  opened = player === null || same ? null : { player, position };
  if (!opened) layer.hide();
  model.mark(opened ? player : null, position);
  send(opened ? { do: "magnify", player, position } : { do: "magnify" });
}

// A scene, or all settings, from the part of the address behind "#".
function followLink() {
  const found = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  if ("scene" in found) send({ do: "new", scene: found.scene });
  else send({ do: "new", settings: found, whole: true });
}

function listen() {
  for (const button of document.querySelectorAll("#transport [data-do]")) {
    button.addEventListener("click", () => act(button.dataset.do));
  }
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, textarea, button, summary, [role=button]");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || brush.active) return;
    if (!(event.key.toLowerCase() in KEYS)) return;
    event.preventDefault();
    act(KEYS[event.key.toLowerCase()]);
  });
  find("#speed").addEventListener("change", (event) => {
    send({ do: "pace", speed: Number(event.target.value) });
  });
  find("#scene").addEventListener("change", (event) => {
    if (event.target.value) send({ do: "new", scene: event.target.value });
  });
  find("#share").addEventListener("click", async () => {
    const text = location.hash || "#"; // without the address: it holds this lab's token
    const copied = await navigator.clipboard.writeText(text).then(() => "Copied", () => "Copy this");
    tell(`${copied}: ${text} belongs behind the address of any lab.`);
  });
  addEventListener("hashchange", followLink);
}

listen();
const recording = find("#recording");
const messages = recording ? JSON.parse(recording.textContent) : null;
if (recording) {
  document.body.classList.add("recorded");
  told.options(messages.find((message) => message.kind === "options"));
  timeline = new Timeline(find("#timeline"), messages, show);
} else {
  connection = new Connection(show, () => tell("The connection to Python is lost: is lab.py running? Load this page again."));
  connection.socket.addEventListener("open", () => location.hash.length > 1 && followLink());
}
