/**
 * The line below a person's name: the state of the connection, how long things take, and what waits to be sent.
 *
 * Promises: says what the client says, and counts down to the next attempt; times are measured, never estimated.
 */

import { build } from "./build.js";

/** @typedef {import("./meter.js").Meter} Meter */

const STATES = {
  idle: "Starting",
  connecting: "Connecting",
  authenticating: "Connecting",
  catching_up: "Catching up",
  online: "Online",
  offline: "Offline",
  closed: "Disconnected",
};

export class ConnectionLine {
  #client;
  #meter;
  #signal;
  /** @type {any} */ #thread = null;
  #unwatch = new AbortController();
  #note = "";
  #state = build("span", { class: "state", role: "status" });
  #waiting = build("span", { class: "waiting" });
  #trip = build("span", { class: "time", title: "Of a ping and its pong" });
  #store = build("span", { class: "time", title: "From sending a message until it is stored in the database; the median of the last 20" });

  /** @param {any} client @param {Meter} meter @param {AbortSignal} signal */
  constructor(client, meter, signal) {
    this.#client = client;
    this.#meter = meter;
    this.#signal = signal;
    this.element = build("div", { class: "line" }, this.#state, this.#waiting, this.#trip, this.#store);
    for (const type of ["state", "stale"]) client.addEventListener(type, () => this.show(), { signal });
    const clock = setInterval(() => this.show(), 500);
    signal.addEventListener("abort", () => {
      clearInterval(clock);
      this.#unwatch.abort();
    });
    this.show();
  }

  /** @param {any} thread whose messages may be waiting */
  watch(thread) {
    this.#unwatch.abort();
    this.#unwatch = new AbortController();
    this.#thread = thread;
    thread.addEventListener("change", () => this.show(), { signal: this.#unwatch.signal });
    this.show();
  }

  /** For a moment. @param {string} note */
  say(note) {
    this.#note = note;
    setTimeout(() => {
      this.#note = "";
      this.show();
    }, 4_000);
    this.show();
  }

  show() {
    if (this.#signal.aborted) return;
    const { connectionState, retryAt, latencyMs } = this.#client;
    const waits = connectionState === "offline" && retryAt !== null;
    const seconds = waits ? Math.max(0, Math.ceil((retryAt - Date.now()) / 1000)) : 0;
    const state = STATES[/** @type {keyof typeof STATES} */ (connectionState)];
    put(this.#state, this.#note || state + (waits ? `, again in ${seconds} s` : ""));
    this.element.dataset.state = connectionState;
    const waiting = this.#thread?.messages.filter((/** @type {any} */ message) => message.pending).length ?? 0;
    put(this.#waiting, waiting ? `${waiting} waiting to be sent` : "");
    put(this.#trip, latencyMs === null || connectionState !== "online" ? "" : `ping ${tell(latencyMs)}`);
    const { last, median } = this.#meter;
    put(this.#store, last === null ? "" : `stored in ${tell(last)}, median ${tell(median ?? last)}`);
  }
}

/** Only what is new is written, or a screen reader would say it twice a second. @param {HTMLElement} element @param {string} text */
function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** @param {number} ms */
const tell = (ms) => `${ms < 10 ? ms.toFixed(1).replace(/\.0$/, "") : Math.round(ms)} ms`;
