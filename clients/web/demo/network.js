/**
 * A network that can be cut: the WebSocket and fetch that one person's client is given.
 *
 * Promises: when cut, the open socket ends as if the cable was pulled (1006, no goodbye is heard), requests under way fail,
 * and new ones fail as without a network. Tells what passes by type, never by content.
 */

/** @typedef {{way: "up" | "down" | "http", what: string, frame?: any}} Passed */

export class Network {
  /** @type {Set<CuttableSocket>} */ #sockets = new Set();
  #requests = new AbortController();
  #passed;
  isCut = false;

  /** @param {(passed: Passed) => void} passed */
  constructor(passed) {
    this.#passed = passed;
    const network = this;
    this.WebSocket = /** @type {any} */ (
      class extends CuttableSocket {
        /** @param {string} url */
        constructor(url) {
          super(url, network);
        }
      }
    );
    this.fetch = /** @type {typeof fetch} */ ((input, init) => this.#fetch(input, init));
  }

  cut() {
    this.isCut = true;
    this.#requests.abort();
    for (const socket of [...this.#sockets]) socket.pull();
  }

  mend() {
    this.isCut = false;
    this.#requests = new AbortController();
  }

  /** @param {CuttableSocket} socket */
  joined(socket) {
    this.#sockets.add(socket);
  }

  /** @param {CuttableSocket} socket */
  left(socket) {
    this.#sockets.delete(socket);
  }

  /** @param {"up" | "down"} way @param {unknown} data */
  saw(way, data) {
    const frame = JSON.parse(String(data));
    this.#passed({ way, what: frame.type, frame });
  }

  /** @param {RequestInfo | URL} input @param {RequestInit} [init] */
  async #fetch(input, init = {}) {
    if (this.isCut) throw new TypeError("Failed to fetch");
    const cut = this.#requests.signal;
    const signal = init.signal ? AbortSignal.any([init.signal, cut]) : cut;
    const request = new Request(input, { ...init, signal });
    try {
      const response = await fetch(request);
      this.#passed({ way: "http", what: `${request.method} ${route(request.url)} ${response.status}` });
      return response;
    } catch (error) {
      throw cut.aborted ? new TypeError("Failed to fetch") : error;
    }
  }
}

/** An address without the ids in it. @param {string} url */
function route(url) {
  const known = ["api", "chat", "threads", "messages", "changes", "attachments", "unread", "search", "members", "users", "presence", "mark-read"];
  const parts = new URL(url).pathname.split("/").filter(Boolean);
  return `/${parts.map((part) => (known.includes(part) ? part : "…")).join("/")}`;
}

/** As much of a WebSocket as a client needs, over a real one. */
class CuttableSocket extends EventTarget {
  /** @type {WebSocket | null} */ #real = null;
  #network;
  #over = false;
  /** @type {((event: Event) => void) | null} */ onopen = null;
  /** @type {((event: MessageEvent) => void) | null} */ onmessage = null;
  /** @type {((event: Event) => void) | null} */ onerror = null;
  /** @type {((event: CloseEvent) => void) | null} */ onclose = null;

  /** @param {string} url @param {Network} network */
  constructor(url, network) {
    super();
    this.url = url;
    this.#network = network;
    if (network.isCut) {
      setTimeout(() => this.pull(), 300);
      return;
    }
    const real = (this.#real = new WebSocket(url));
    network.joined(this);
    real.onopen = () => this.#tell(new Event("open"));
    real.onmessage = ({ data }) => {
      network.saw("down", data);
      this.#tell(new MessageEvent("message", { data }));
    };
    real.onerror = () => this.#tell(new Event("error"));
    real.onclose = ({ code, reason, wasClean }) => this.#end(code, reason, wasClean);
  }

  get readyState() {
    if (this.#over) return 3;
    return this.#real?.readyState ?? 0;
  }

  get bufferedAmount() {
    return this.#real?.bufferedAmount ?? 0;
  }

  /** @param {string} data */
  send(data) {
    if (this.readyState === 1) this.#network.saw("up", data);
    this.#real?.send(data);
  }

  /** @param {number} [code] @param {string} [reason] */
  close(code, reason) {
    if (this.#real) this.#real.close(code, reason);
    else this.pull();
  }

  /** The cable is pulled. */
  pull() {
    const real = this.#real;
    if (real) real.onopen = real.onmessage = real.onerror = real.onclose = null;
    real?.close();
    this.#end(1006, "", false);
  }

  /** @param {number} code @param {string} reason @param {boolean} wasClean */
  #end(code, reason, wasClean) {
    if (this.#over) return;
    this.#over = true;
    this.#network.left(this);
    this.#tell(new CloseEvent("close", { code, reason, wasClean }));
  }

  /** @param {Event} event */
  #tell(event) {
    const listener = /** @type {any} */ (this)[`on${event.type}`];
    listener?.call(this, event);
    this.dispatchEvent(event);
  }
}
