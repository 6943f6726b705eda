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

/** What is to be read of a thread before it is true. @param {Thread} thread @returns {"first" | "changes" | "history" | "members" | null} */
function missing({ timeline: { started, needs }, isReady, refusal }) {
  if (!started || refusal) return null;
  if (!isReady) return "first";
  return needs === "nothing" || needs === "replay" ? null : needs;
}

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

  /** Unless it is, or nobody has it open. @param {Thread} thread */
  open(thread) {
    if (this.#open.has(thread.id) || !thread.openings) return;
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

  /** Another tab subscribed on our socket; without a rev: in vain. @param {{threadId: string, rev?: number}} frame */
  elsewhere({ threadId, rev }) {
    const thread = this.#open.get(threadId);
    if (!thread) return;
    if (rev === undefined) return this.#subscribe(thread);
    thread.timeline.heardOf(rev);
    this.#mend(thread);
    this.#host.moved();
  }

  /** @param {import("./protocol.js").Subscribed} frame */
  subscribed(frame) {
    const thread = this.#open.get(frame.threadId);
    if (frame.ref) this.#asked.delete(frame.ref);
    if (!thread) return;
    thread.timeline.subscribed(frame);
    thread.touch("messages", "members", "receipts");
    void this.#mend(thread);
    this.#host.moved();
  }

  /** An event of a thread. @param {any} frame */
  receive(frame) {
    const thread = this.#open.get(frame.threadId);
    if (!thread) return;
    for (const event of thread.timeline.receive(frame)) this.#host.applied(thread, event);
    void this.#mend(thread);
    this.#host.moved();
  }

  /** @param {string | null | undefined} ref @param {ChatError} error @returns {boolean} whether it was a subscribe of ours */
  refused(ref, error) {
    const thread = ref ? this.#asked.get(ref) : undefined;
    if (!ref || !thread) return false;
    this.#asked.delete(ref);
    if (error.mayPass) {
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

  /** Read what is missing, until nothing is. @param {Thread} thread */
  async #mend(thread) {
    if (this.#mending.has(thread) || !this.#isOpen || !missing(thread)) return;
    this.#mending.add(thread);
    try {
      await this.#trying(thread, async () => {
        for (let what; (what = missing(thread)); ) await this.#read[what](thread);
        this.#mending.delete(thread); // at once: what is told next may need it again
      });
    } finally {
      this.#mending.delete(thread);
    }
    this.#host.moved();
  }

  #read = {
    /** The newest messages, and what the thread is called. @param {Thread} thread */
    first: async (thread) => {
      const [page, detail] = await Promise.all([this.#get(thread, "/messages", { limit: PAGE }), this.#get(thread)]);
      thread.timeline.receiveHistory(page.items);
      thread.receiveDetail(detail);
      thread.settle();
    },
    /** @param {Thread} thread */
    history: async (thread) => {
      const page = await this.#get(thread, "/messages", { limit: PAGE });
      thread.timeline.replace(page.items);
      thread.touch("messages");
    },
    /** @param {Thread} thread */
    members: async (thread) => {
      const { members } = thread.timeline;
      members.receive(await this.#get(thread, "/receipts", { cursor: members.cursor }));
      thread.touch("members", "receipts");
    },
    /** @param {Thread} thread */
    changes: async (thread) => {
      const { timeline } = thread;
      const { rev } = timeline;
      timeline.fetching();
      try {
        const page = await this.#get(thread, "/changes", { sinceRev: timeline.resumeRev });
        for (const event of timeline.receivePage(page)) this.#host.applied(thread, event);
        // Read from a copy of the store that is behind, say: not again at once.
        if (timeline.rev === rev && timeline.needs === "changes") throw new ChatError("STORE_UNAVAILABLE", "not there yet", { retryable: true });
      } catch (error) {
        timeline.resync();
        throw error;
      }
      thread.touch("messages", "members", "receipts");
    },
  };

  /** @param {Thread} thread @param {string} [path] @param {import("./http.js").Query} [query] @returns {Promise<any>} */
  async #get(thread, path = "", query) {
    const connection = this.#connection;
    const answer = await this.#host.http.get(threadPath(thread.id) + path, query);
    // The store may be another one by now.
    if (connection !== this.#connection) throw new ChatError("NETWORK", "of an earlier connection", { retryable: true });
    return answer;
  }

  /** Until it is done, or refused for good, or there is no connection: the next one asks anew. @param {Thread} thread @param {() => Promise<void>} work */
  async #trying(thread, work) {
    for (let wait = AGAIN_INITIAL_MS; ; wait = Math.min(wait * 2, AGAIN_MAXIMUM_MS)) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof ChatError)) throw error;
        if (!error.mayPass) return this.lose(thread, error);
      }
      await new Promise((resolve) => this.#host.clock.setTimeout(() => resolve(null), wait));
      if (!this.#isOpen || !this.#open.has(thread.id)) return;
    }
  }
}
