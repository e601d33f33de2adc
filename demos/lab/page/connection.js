// The socket to Python. What comes is shown with the next picture that the browser draws. Python
// sends only to a page that says it is ready: at once if nothing else waits to be drawn, so that
// the next picture is made meanwhile, and otherwise after drawing. So at most two sets wait.

export class Connection {
  constructor(show, lost) {
    this.show = show;
    this.waiting = [];
    const address = new URL("socket", location.href);
    address.protocol = address.protocol.replace("http", "ws");
    address.hash = "";
    this.socket = new WebSocket(address);
    this.socket.onmessage = (event) => this.take(event.data);
    this.socket.onclose = lost;
  }

  take(text) {
    this.waiting.push(text);
    if (this.waiting.length > 1) return;
    requestAnimationFrame(() => this.draw());
    this.send({ do: "ready" });
  }

  draw() {
    const messages = this.waiting.flatMap((text) => JSON.parse(text));
    const frames = messages.filter(({ kind }) => kind === "frame");
    if (this.waiting.length > 1) this.send({ do: "ready" });
    this.waiting = [];
    for (const message of messages) this.show(message, message === frames[frames.length - 1]);
  }

  send(command) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(command));
  }
}
