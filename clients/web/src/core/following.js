/**
 * Keeps the open threads of a client true: subscribe, what was missed, live events, gaps.
 *
 * Promises: every open thread is subscribed on every connection, with the rev that it has; a gap is filled from the
 * changes since, a reset from the newest history, each asked for once at a time and again with backoff; a thread that is
 * refused for good is told as lost and not asked for again until it is opened anew.
 */

import { ChatError } from "./errors.js";
import { threadPath } from "./http.js";

/** @typedef {import("./thread.js").Thread} Thread */
/** @typedef {import("./protocol.js").ServerFrame} ServerFrame */

const PAGE = 50;
const AGAIN_INITIAL_MS = 500;
const AGAIN_MAXIMUM_MS = 15_000;

/**
 * @typedef {object} FollowingHost
 * @property {import("./http.js").Http} http
 * @property {import("./types.js").Clock} clock
 * @property {(frame: import("./protocol.js").ClientFrame) => boolean} send
 * @property {(thread: Thread, event: any) => void} applied an event changed the view
 * @property {() => void} moved a thread may have caught up, or fallen behind
 * @property {(threadId: string, code: string) => void} lost
 */

export class Following {
  #host;
  /** @type {Map<string, Thread>} */ #open = new Map();
  /** Subscribes that are on their way, by ref. @type {Map<string, Thread>} */ #asked = new Map();
  /** @type {Set<Thread>} */ #mending = new Set();
  #refs = 0;
  #connection = 0;
  #isOpen = false;

  /** @param {FollowingHost} host */
  constructor(host) {
    this.#host = host;
  }

  get threads() {
    return [...this.#open.values()];
  }

  /** Whether every open thread is true. */
  get caughtUp() {
    return this.threads.every((thread) => (thread.caughtUp && thread.isReady) || thread.refusal);
  }

  /** @param {Thread} thread */
  open(thread) {
    this.#open.set(thread.id, thread);
    thread.refusal = null;
    if (this.#isOpen) this.#subscribe(thread);
  }

  /** @param {Thread} thread */
  close(thread) {
    if (!this.#open.delete(thread.id)) return;
    thread.timeline.disconnected();
    if (this.#isOpen) this.#host.send({ type: "unsubscribe", threadId: thread.id });
  }

  connected() {
    this.#isOpen = true;
    this.#connection += 1;
    for (const thread of this.threads) if (!thread.refusal) this.#subscribe(thread);
  }

  disconnected() {
    this.#isOpen = false;
    this.#asked.clear();
    for (const thread of this.threads) thread.timeline.disconnected();
  }

  /** The store was replaced: no rev means anything there. */
  abandon() {
    for (const thread of this.threads) thread.timeline.abandon();
  }

  /** @param {string} [threadId] all without one */
  resync(threadId) {
    for (const thread of this.threads) {
      if (threadId && thread.id !== threadId) continue;
      thread.timeline.resync();
      this.#mend(thread);
    }
  }

  /** @param {import("./protocol.js").Subscribed} frame */
  subscribed(frame) {
    const thread = this.#open.get(frame.threadId);
    if (frame.ref) this.#asked.delete(frame.ref);
    if (!thread) return;
    const isFirst = !thread.timeline.started;
    thread.timeline.subscribed(frame);
    thread.touch("messages", "members", "receipts");
    if (isFirst) void this.#begin(thread);
    else this.#mend(thread);
    this.#host.moved();
  }

  /** An event of a thread. @param {any} frame */
  receive(frame) {
    const thread = this.#open.get(frame.threadId);
    if (!thread) return;
    for (const event of thread.timeline.receive(frame)) this.#host.applied(thread, event);
    if (thread.timeline.needs !== "nothing") this.#mend(thread);
    this.#host.moved();
  }

  /** @param {string | null | undefined} ref @param {ChatError} error @returns {boolean} whether it was a subscribe of ours */
  refused(ref, error) {
    const thread = ref ? this.#asked.get(ref) : undefined;
    if (!ref || !thread) return false;
    this.#asked.delete(ref);
    if (error.retryable) {
      const connection = this.#connection;
      this.#host.clock.setTimeout(() => {
        if (connection === this.#connection && this.#isOpen && this.#open.has(thread.id)) this.#subscribe(thread);
      }, error.retryAfterMs ?? AGAIN_INITIAL_MS);
    } else {
      this.lose(thread, error);
    }
    return true;
  }

  /** @param {Thread} thread @param {ChatError} error */
  lose(thread, error) {
    thread.settle(error);
    this.#host.lost(thread.id, error.code);
    this.#host.moved();
  }

  /** @param {Thread} thread */
  #subscribe(thread) {
    const ref = `s${(this.#refs += 1)}`;
    const { timeline } = thread;
    this.#asked.set(ref, thread);
    /** @type {any} */
    const frame = { type: "subscribe", threadId: thread.id, ref };
    if (timeline.started && timeline.rev) frame.sinceRev = timeline.resumeRev;
    this.#host.send(frame);
  }

  /** The newest messages, and what the thread is called. @param {Thread} thread */
  async #begin(thread) {
    await this.#trying(thread, async () => {
      const [page, detail] = await Promise.all([
        this.#host.http.get(`${threadPath(thread.id)}/messages`, { limit: PAGE }),
        this.#host.http.get(threadPath(thread.id)),
      ]);
      thread.timeline.receiveHistory(page.items);
      thread.receiveDetail(detail);
      thread.settle();
    });
    this.#mend(thread);
    this.#host.moved();
  }

  /** @param {Thread} thread */
  async #mend(thread) {
    if (this.#mending.has(thread) || !this.#isOpen) return;
    this.#mending.add(thread);
    try {
      await this.#trying(thread, async () => {
        for (let needs; (needs = thread.timeline.needs) === "changes" || needs === "history"; ) {
          await (needs === "history" ? this.#readHistory(thread) : this.#readChanges(thread));
        }
      });
    } finally {
      this.#mending.delete(thread);
    }
    this.#host.moved();
  }

  /** @param {Thread} thread */
  async #readHistory(thread) {
    const page = await this.#host.http.get(`${threadPath(thread.id)}/messages`, { limit: PAGE });
    thread.timeline.replace(page.items);
    thread.touch("messages");
  }

  /** @param {Thread} thread */
  async #readChanges(thread) {
    const { timeline } = thread;
    timeline.fetching();
    try {
      const page = await this.#host.http.get(`${threadPath(thread.id)}/changes`, { sinceRev: timeline.resumeRev });
      for (const event of timeline.receivePage(page)) this.#host.applied(thread, event);
    } catch (error) {
      timeline.resync();
      throw error;
    }
    thread.touch("messages", "members", "receipts");
  }

  /** Until it is done, the connection is another one, or it is refused for good. @param {Thread} thread @param {() => Promise<void>} work */
  async #trying(thread, work) {
    const connection = this.#connection;
    for (let wait = AGAIN_INITIAL_MS; ; wait = Math.min(wait * 2, AGAIN_MAXIMUM_MS)) {
      try {
        return await work();
      } catch (error) {
        if (error instanceof ChatError && !error.retryable) return this.lose(thread, error);
        if (!(error instanceof ChatError)) throw error;
      }
      await new Promise((resolve) => this.#host.clock.setTimeout(() => resolve(null), wait));
      if (connection !== this.#connection || !this.#isOpen || !this.#open.has(thread.id)) return;
    }
  }
}
