// Numbers from Python: arrays of whole numbers and a scale become floats; floats become text.

export function unpack({ shape, scale, bits, data }) {
  const text = atob(data);
  const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  const whole = bits === 8 ? new Int8Array(bytes.buffer) : new Int16Array(bytes.buffer);
  return { shape, values: Float32Array.from(whole, (number) => number * scale) };
}

// Three significant digits, with a true minus; null is what Python could not say in JSON.
export function short(number) {
  if (number === null || number === undefined) return "not finite";
  if (number === 0) return "0";
  const size = Math.abs(number);
  let text = size >= 1e5 || size < 1e-3 ? number.toExponential(2) : number.toPrecision(3);
  if (size >= 100 && size < 1e5) text = String(Math.round(number));
  return text.replace(/-/g, "−").replace("e+", "e");
}

// The same at full length, for the numbers of slow motion.
export function long(number) {
  if (number === null) return "not finite";
  if (Number.isInteger(number)) return String(number);
  const size = Math.abs(number);
  const text = size >= 1e5 || size < 1e-3 ? number.toExponential(5) : number.toPrecision(6);
  return text.replace(/-/g, "−");
}
