// A recording instead of a server: a timeline to play and to scrub.

const SECONDS = 0.12; // per picture
const READING = 4; // per stage of slow motion

export class Timeline {
  constructor(nav, messages, show) {
    this.messages = messages.filter((message) => message.kind === "game" || message.kind === "frame");
    this.frames = this.messages.flatMap((message, i) => (message.kind === "frame" ? [i] : []));
    Object.assign(this, { show, at: -1, timer: null });
    nav.hidden = false;
    this.slider = nav.querySelector("#moment");
    this.button = nav.querySelector("#run");
    this.slider.max = this.frames.length - 1;
    this.slider.addEventListener("input", () => { this.stop(); this.go(Number(this.slider.value)); });
    this.button.addEventListener("click", () => this.toggle());
    this.go(0);
  }

  // Show picture k. All before it is told first, since curves are made of the rows of all frames.
  go(k) {
    if (k < this.at) this.at = -1;
    const last = this.frames[k];
    const first = this.at < 0 ? 0 : this.frames[this.at] + 1;
    this.at = k;
    for (let i = first; i <= last; i++) this.show(this.messages[i], i === last);
    this.slider.value = k;
    const { step } = this.messages[last];
    this.slider.setAttribute("aria-valuetext", `step ${step}`);
  }

  toggle() {
    if (this.timer !== null) {
      this.stop();
      return;
    }
    if (this.at === this.frames.length - 1) this.go(0);
    this.button.textContent = "Pause";
    this.tick();
  }

  tick() {
    const { stage } = this.messages[this.frames[this.at]];
    this.timer = setTimeout(() => {
      if (this.at + 1 >= this.frames.length) {
        this.stop();
        return;
      }
      this.go(this.at + 1);
      this.tick();
    }, 1000 * (stage ? READING : SECONDS));
  }

  stop() {
    clearTimeout(this.timer);
    this.timer = null;
    this.button.textContent = "Play";
  }
}
