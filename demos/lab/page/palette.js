// The colours of the style sheet, for canvases; and a canvas that is as sharp as the screen.

const NAMES = ["paper", "ink", "soft", "line", "real", "fake", "says-real", "says-fake"];
let known = null;

export function colours() {
  if (known === null) {
    const style = getComputedStyle(document.documentElement);
    known = Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  }
  return known;
}

// Call `redraw` whenever light becomes dark or the window another size.
export function onNewLook(redraw) {
  const changed = () => { known = null; redraw(); };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
  addEventListener("resize", changed);
  document.getElementById("theme").addEventListener("change", (event) => {
    document.documentElement.dataset.theme = event.target.value;
    changed();
  });
}

export function rgb(colour) {
  const digits = colour.replace("#", "");
  return [0, 2, 4].map((i) => parseInt(digits.slice(i, i + 2), 16));
}

// The colour between orange, the paper and blue for a number from −1 to 1.
export function between(number, low, middle, high) {
  const [end, share] = number < 0 ? [low, -number] : [high, number];
  return middle.map((value, i) => value + (end[i] - value) * Math.min(share, 1));
}

export function prepared(canvas) {
  const ratio = devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}
