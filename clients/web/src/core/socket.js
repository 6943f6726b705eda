/**
 * Keeps one socket: connect, authenticate, serve, come back. Knows no thread and no outbox.
 *
 * Promises: `opened` and `lost` alternate; a socket on which nothing is heard for 1.5 heartbeats is let go, whatever TCP
 * believes, and one that owes an answer within seconds; a token is renewed on the open socket before it expires; whether
 * and when to come back is backoff's. Frames that cannot be read are passed over. Tokens travel in the first frame, never
 * in the URL, and nothing is logged.
 */

import { Backoff } from "./backoff.js";
import { Heartbeat } from "./heartbeat.js";
import { Questions } from "./questions.js";

/** @typedef {import("./protocol.js").ServerFrame} ServerFrame */
/** @typedef {import("./protocol.js").ClientFrame} ClientFrame */
/** @typedef {import("./protocol.js").AuthSuccess} AuthSuccess */
/** @typedef {"connecting" | "authenticating" | "open" | "offline" | "closed"} LinkState */
/** @typedef {{state: LinkState, reason: string, retryAt: number | null, attempt: number, code: number | null}} LinkNews */
/**
 * @typedef {object} LinkObserver
 * @property {(news: LinkNews) => void} changed
 * @property {(success: AuthSuccess) => void} opened
 * @property {() => void} lost
 * @property {(frame: ServerFrame) => void} received
 * @property {(ms: number) => void} measured
 */

/** From the first packet to auth_success. */
const CONNECT_MS = 15_000;
/** After the page came back to life: how long a ping may take. */
const PROBE_MS = 4_000;
const RENEW_AGAIN_MS = 5_000;

export class Socket {
  #url;
  #identity;
  #make;
  #clock;
  #observer;
  #backoff;
  /** @type {WebSocket | null} */ #socket = null;
  #isOpen = false;
  #stopped = false;
  #renewing = false;
  #tokenExpired = false;
  /** @type {Heartbeat | null} */ #heartbeat = null;
  #questions = new Questions();
  /** @type {unknown} */ #beat = null;
  /** The next attempt, or the dead-line of this one. @type {unknown} */ #timer = null;
  /** @type {unknown} */ #leaving = null;
  /** @type {LinkNews} */ news = { state: "offline", reason: "", retryAt: null, attempt: 0, code: null };

  /**
   * @param {string} url ws(s) @param {import("./identity.js").Identity} identity @param {new (url: string) => WebSocket} make
   * @param {import("./types.js").Clock} clock @param {() => number} random @param {LinkObserver} observer
   */
  constructor(url, identity, make, clock, random, observer) {
    this.#url = url;
    this.#identity = identity;
    this.#make = make;
    this.#clock = clock;
    this.#observer = observer;
    this.#backoff = new Backoff(random, identity.canRenew);
  }

  start() {
    this.#connect(false);
  }

  /** Say goodbye, for good. */
  stop() {
    this.#stopped = true;
    const wasOpen = this.#letGo(1000);
    if (wasOpen) this.#observer.lost();
  }

  /** The page came back to life, or the network did, or a person asked: try at once; or see whether the link is alive. */
  wake() {
    if (this.news.state === "offline" && !this.#stopped) this.#connect(false);
    if (this.#heartbeat && this.#isOpen) {
      this.#heartbeat.probe(PROBE_MS, this.#clock.now());
      this.beat();
    }
  }

  /** The page is put aside, where no socket lives; `wake` brings it back. */
  pause() {
    if (this.#stopped) return;
    if (this.#letGo(1000)) this.#observer.lost();
    this.#change("offline", "aside");
  }

  /** @param {ClientFrame} frame @returns {boolean} whether it left */
  send(frame) {
    if (!this.#isOpen || this.#socket?.readyState !== 1) return false;
    this.#socket.send(JSON.stringify(frame));
    this.#questions.asked(frame);
    this.beat();
    return true;
  }

  /** @param {boolean} freshToken */
  async #connect(freshToken) {
    this.#clock.clearTimeout(this.#timer);
    this.#change("connecting");
    let token;
    try {
      token = await this.#identity.token(freshToken);
    } catch {
      if (!this.#stopped) this.#gone(null, "no token");
      return;
    }
    if (this.#stopped || this.#socket) return;
    let socket;
    try {
      socket = new this.#make(this.#url);
    } catch {
      return this.#gone(null, "blocked"); // blocked by the page's policy, say
    }
    this.#socket = socket;
    this.#timer = this.#clock.setTimeout(() => this.#end(socket, null, "timeout"), CONNECT_MS);
    socket.onopen = () => {
      if (socket !== this.#socket) return;
      this.#change("authenticating");
      socket.send(JSON.stringify(this.#identity.auth(token)));
    };
    socket.onmessage = ({ data }) => socket === this.#socket && this.#heard(data);
    socket.onclose = ({ code, reason }) => this.#end(socket, code, reason);
  }

  /** @param {unknown} data */
  #heard(data) {
    this.#heartbeat?.heard(this.#clock.now());
    /** @type {ServerFrame} */
    let frame;
    try {
      frame = JSON.parse(/** @type {string} */ (data));
    } catch {
      return;
    }
    if (typeof frame?.type !== "string") return;
    if (frame.type === "auth_success") return this.#accepted(frame);
    if (!this.#isOpen) {
      if (frame.type === "error") this.#tokenExpired = /^TOKEN_/.test(frame.code);
      return;
    }
    if (frame.type === "token_expiring") this.#renew();
    else if (frame.type === "reconnect") this.#leave(frame.afterMs);
    else if (frame.type === "pong") this.#ponged(frame.id);
    this.#questions.answered(frame);
    this.beat(); // what is heard may make the next ping due sooner
    this.#observer.received(frame);
  }

  /** @param {AuthSuccess} success */
  #accepted(success) {
    this.#renewing = false;
    if (this.#isOpen) return; // a renewed token
    const now = this.#clock.now();
    this.#clock.clearTimeout(this.#timer);
    this.#isOpen = true;
    this.#backoff.opened(now);
    this.#heartbeat = new Heartbeat(success.heartbeatIntervalMs, now);
    this.#questions = new Questions();
    this.#change("open");
    this.#observer.opened(success);
    this.beat();
  }

  /** Whatever is due for the heartbeat. */
  beat() {
    const heartbeat = this.#heartbeat;
    if (!heartbeat || !this.#socket) return;
    const now = this.#clock.now();
    heartbeat.awaits(this.#questions.open, now);
    const due = heartbeat.due(now);
    if (due === "dead") return this.#end(this.#socket, null, "silence");
    if (due === "ping") {
      heartbeat.pinged(now);
      this.send({ type: "ping", id: String(now) });
    }
    this.#clock.clearTimeout(this.#beat); // only now: the ping has set it too
    this.#beat = this.#clock.setTimeout(() => this.beat(), Math.max(1, heartbeat.nextAt - now));
  }

  /** @param {string | null | undefined} id */
  #ponged(id) {
    const ms = this.#clock.now() - Number(id);
    if (ms >= 0) this.#observer.measured(ms);
  }

  async #renew() {
    const socket = this.#socket;
    if (!this.#identity.canRenew || this.#renewing) return;
    this.#renewing = true;
    try {
      const token = await this.#identity.token(true);
      if (socket === this.#socket) this.send(this.#identity.auth(token));
    } catch {
      this.#clock.setTimeout(() => {
        if (socket !== this.#socket) return;
        this.#renewing = false;
        this.#renew();
      }, RENEW_AGAIN_MS);
    }
  }

  /** The gateway drains; until then it answers what it has taken in. @param {number} afterMs */
  #leave(afterMs) {
    const socket = /** @type {WebSocket} */ (this.#socket);
    this.#backoff.toldToReturn(afterMs, this.#clock.now());
    this.#leaving = this.#clock.setTimeout(() => this.#end(socket, null, "restart"), afterMs);
  }

  /** @param {WebSocket} socket @param {number | null} code @param {string} reason */
  #end(socket, code, reason) {
    if (socket !== this.#socket) return;
    const wasOpen = this.#letGo(1000);
    if (wasOpen) this.#observer.lost();
    // 1005, 1006: no close frame came.
    const said = code === 1005 || code === 1006 ? null : code;
    this.#gone(this.#tokenExpired && said !== null ? 4502 : said, reason);
  }

  /** @param {number | null} code @param {string} reason */
  #gone(code, reason) {
    this.#tokenExpired = false;
    const now = this.#clock.now();
    const decision = this.#backoff.lost(code, now);
    if (!decision.again) {
      this.#stopped = true;
      return this.#change("closed", reason, null, decision.code);
    }
    this.#change("offline", reason, now + decision.delayMs, code);
    this.#timer = this.#clock.setTimeout(() => this.#connect(decision.freshToken), decision.delayMs);
  }

  /** @param {number} code @returns {boolean} whether it was open */
  #letGo(code) {
    const [socket, wasOpen] = [this.#socket, this.#isOpen];
    this.#socket = this.#heartbeat = null;
    this.#isOpen = this.#renewing = false;
    for (const timer of [this.#timer, this.#beat, this.#leaving]) this.#clock.clearTimeout(timer);
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      if (socket.readyState < 2) socket.close(code);
    }
    return wasOpen;
  }

  /** @param {LinkState} state @param {string} [reason] @param {number | null} [retryAt] @param {number | null} [code] */
  #change(state, reason = "", retryAt = null, code = null) {
    this.news = { state, reason, retryAt, attempt: this.#backoff.failures, code };
    this.#observer.changed(this.news);
  }
}
