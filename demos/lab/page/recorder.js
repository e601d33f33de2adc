// Recording: the messages as they come, thinned out so that the file stays small; and the file,
// which is this page with the messages in the place of the server.

const MOST = 2.6e6; // characters
const SLOT = ">null<"; // see bundle.py

export class Recorder {
  constructor(button, say) {
    Object.assign(this, { button, say, on: false });
    button.addEventListener("click", () => (this.on ? this.save() : this.start()));
  }

  start() {
    this.messages = [this.options, this.game];
    this.size = 0;
    this.every = 1;
    this.seen = 0;
    this.turn(true);
  }

  turn(on) {
    this.on = on;
    this.button.setAttribute("aria-pressed", on);
    this.button.textContent = on ? "Stop and save" : "Record";
  }

  take(message) {
    if (message.kind === "options" || message.kind === "game") this[message.kind] = message;
    if (!this.on || message.kind === "options" || message.kind === "layer") return;
    const rare = message.kind === "game" || message.stage;
    if (message.kind === "frame" && !rare && this.seen++ % this.every) {
      this.carry(message.rows);
      return;
    }
    this.messages.push(structuredClone(message));
    this.size += JSON.stringify(message).length;
    if (this.size > MOST) this.thin();
  }

  // A frame that is left out leaves its rows to the frame before.
  carry(rows, into = this.messages[this.messages.length - 1]) {
    if (into.kind !== "frame") return;
    for (const [name, found] of Object.entries(rows)) into.rows[name].push(...found);
  }

  // Every second frame goes, and from now on so many fewer are kept.
  thin() {
    this.every *= 2;
    let odd = false;
    this.messages = this.messages.reduce((kept, message) => {
      const before = kept[kept.length - 1];
      odd = !odd;
      if (odd && message.kind === "frame" && !message.stage && before.kind === "frame") {
        this.carry(message.rows, before);
        return kept;
      }
      return [...kept, message];
    }, []);
    this.size = JSON.stringify(this.messages).length;
    if (this.size > MOST) this.messages = this.messages.filter((_, i) => i < 2 || i % 2);
  }

  async save() {
    this.turn(false);
    const page = await (await fetch("recording.html")).text();
    const text = JSON.stringify(this.messages).replace(/</g, "\\u003c");
    const file = new Blob([page.replace(SLOT, () => `>${text}<`)], { type: "text/html" });
    const link = Object.assign(document.createElement("a"), {
      href: URL.createObjectURL(file), download: "lab.html",
    });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    this.say(`lab.html: ${(file.size / 1e6).toFixed(1)} MB, ${this.messages.length - 2} pictures`);
  }
}
