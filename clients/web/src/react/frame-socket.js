/**
 * A socket of frames that comes back, for those who want the protocol itself (docs/protocol.md) and no view of it.
 *
 * Promises: authenticates on each connection before anything else is sent; comes back as the client does (`Backoff`), and
 * does not where the server says so; notices a dead link by the heartbeat. Keeps nothing: what could not be written is
 * the caller's, and nothing is fetched after a gap. For messages that must not get lost there is ChatClient.
 */

import { Backoff } from "../core/backoff.js";
import { Heartbeat } from "../core/heartbeat.js";

/** @typedef {{type: string} & Record<string, any>} Frame */
/**
 * @typedef {object} FrameSocketOptions
 * @property {string} url of the gateway, http(s) or ws(s), with or without /ws
 * @property {string | (() => string | Promise<string>)} [token]
 * @property {Record<string, unknown>} [auth] further fields of the auth frame: threadId; userId in development mode
 * @property {(state: {isConnected: boolean, reconnectAttempt: number}) => void} changed
 * @property {(welcome: Frame) => void} [onOpen] authenticated
 * @property {(closed: {code: number, reason: string, willReconnect: boolean}) => void} [onClose]
 * @property {(error: unknown) => void} [onError] no token could be had, or no connection be made
 * @property {(frame: Frame) => void} [onMessage]
 * @property {new (url: string) => WebSocket} [WebSocket]
 */

const CLOSE_WAIT_MS = 10_000;

export class FrameSocket {
  #options;
  #backoff;
  /** @type {WebSocket | null} */ #socket = null;
  /** @type {Heartbeat | null} */ #heartbeat = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;
  #ended = false;
  #connected = false;

  /** @param {FrameSocketOptions} options */
  constructor(options) {
    this.#options = options;
    this.#backoff = new Backoff(Math.random, typeof options.token === "function");
    void this.#open();
  }

  /** @param {Frame} frame @returns {boolean} whether it was written; false while there is no connection */
  send(frame) {
    if (!this.#connected) return false;
    this.#socket?.send(JSON.stringify(frame));
    return true;
  }

  close() {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#socket?.close(1000);
  }

  async #open() {
    const { url, token, auth, WebSocket: Socket = globalThis.WebSocket, onError } = this.#options;
    try {
      const proof = typeof token === "function" ? await token() : token;
      if (this.#ended) return;
      const socket = (this.#socket = new Socket(socketUrl(url)));
      socket.onopen = () => socket.send(JSON.stringify({ type: "auth", token: proof, ...auth, protocolVersion: 1 }));
      socket.onmessage = ({ data }) => socket === this.#socket && this.#heard(JSON.parse(data));
      socket.onerror = (event) => onError?.(event);
      socket.onclose = ({ code, reason }) => socket === this.#socket && this.#lost(code, reason);
      // A server that says nothing at all is as good as none.
      this.#timer = setTimeout(() => this.#dead(), CLOSE_WAIT_MS);
    } catch (error) {
      onError?.(error);
      if (!this.#ended) this.#lost(null, "");
    }
  }

  /** @param {Frame} frame */
  #heard(frame) {
    const now = Date.now();
    this.#heartbeat?.heard(now);
    if (frame.type === "auth_success" && !this.#connected) {
      this.#backoff.opened(now);
      this.#heartbeat = new Heartbeat(frame.heartbeatIntervalMs, now);
      this.#say(true);
      this.#options.onOpen?.(frame);
      this.#beat();
    }
    if (frame.type === "reconnect") this.#backoff.toldToReturn(frame.afterMs, now);
    this.#options.onMessage?.(frame);
  }

  #beat() {
    const heartbeat = /** @type {Heartbeat} */ (this.#heartbeat);
    const due = heartbeat.due(Date.now());
    if (due === "dead") return this.#dead();
    if (due === "ping" && this.send({ type: "ping" })) heartbeat.pinged(Date.now());
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#beat(), Math.max(0, heartbeat.nextAt - Date.now()));
  }

  /** Its close event may come much later: it is over now. */
  #dead() {
    const socket = this.#socket;
    this.#lost(null, "no sign of life");
    socket?.close();
  }

  /** @param {number | null} code @param {string} reason */
  #lost(code, reason) {
    clearTimeout(this.#timer);
    this.#socket = this.#heartbeat = null;
    const decision = this.#ended ? null : this.#backoff.lost(code === 1006 ? null : code, Date.now());
    this.#say(false);
    this.#options.onClose?.({ code: code ?? 1006, reason, willReconnect: decision?.again ?? false });
    if (decision?.again && !this.#ended) this.#timer = setTimeout(() => this.#open(), decision.delayMs);
  }

  /** @param {boolean} isConnected */
  #say(isConnected) {
    this.#connected = isConnected;
    this.#options.changed({ isConnected, reconnectAttempt: this.#backoff.failures });
  }
}

/** @param {string} url */
function socketUrl(url) {
  const found = new URL(url, globalThis.location?.href);
  found.protocol = found.protocol.replace("http", "ws");
  if (!found.pathname.endsWith("/ws")) found.pathname = `${found.pathname.replace(/\/$/, "")}/ws`;
  return found.href;
}
