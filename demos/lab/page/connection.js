// The socket to Python. Messages are shown with the next picture that the browser draws, and only
// then is Python told that this page is ready: it never sends more than one set at a time.

export class Connection {
  constructor(show, lost) {
    this.show = show;
    this.lost = lost;
    const address = new URL("socket", location.href);
    address.protocol = address.protocol.replace("http", "ws");
    address.hash = "";
    this.socket = new WebSocket(address);
    this.socket.onmessage = (event) => requestAnimationFrame(() => this.take(event.data));
    this.socket.onclose = () => this.lost();
  }

  take(text) {
    const found = JSON.parse(text);
    for (const message of Array.isArray(found) ? found : [found]) this.show(message);
    this.send({ do: "ready" });
  }

  send(command) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(command));
  }
}
