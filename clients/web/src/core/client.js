/**
 * The client: one connection, an outbox that survives the page, and a true view of every open thread.
 *
 * Promises: what is sent is stored once and in order, across reconnects and reloads; what is shown is true or says that it
 * is stale; receipts, typing, presence and unread counts keep themselves up to date. Nothing that people wrote is logged.
 * Each tab has a socket of its own.
 */

import { Delivery } from "./delivery.js";
import { ChatError } from "./errors.js";
import { Following } from "./following.js";
import { Http, THREADS, threadPath } from "./http.js";
import { Identity } from "./identity.js";
import { openStore } from "./outbox-store.js";
import { isVisible, watchPage } from "./page.js";
import { PresenceView } from "./presence.js";
import { Receipts } from "./receipts.js";
import { Socket } from "./socket.js";
import { Thread } from "./thread.js";
import { TypingView } from "./typing.js";
import { UnreadView } from "./unread.js";

/** @typedef {import("./types.js").ClientOptions} ClientOptions */
/** @typedef {import("./types.js").ConnectionState} ConnectionState */
/** @typedef {import("./types.js").Presence} Presence */
/** @typedef {import("./types.js").ClientEvents} ClientEvents */
/** @typedef {import("./protocol.js").UnreadItem} UnreadItem */
/** @typedef {import("./protocol.js").ThreadSummary} ThreadSummary */

const RECEIPTS_PAUSE_MS = 250;
const ANSWER_MS = 15_000;
const UNTOLD_MS = 10_000;
const WATCHED_MAX = 200;

/** @type {import("./types.js").Clock} */
const CLOCK = {
  now: () => Date.now(),
  setTimeout: (run, ms) => setTimeout(run, Math.min(ms, 2 ** 31 - 1)),
  clearTimeout: (timer) => clearTimeout(timer),
};

/** Events (see ClientEvents in types.d.ts): state, stale, unread, presence, message, thread, lost, error, signedout. */
export class ChatClient extends EventTarget {
  /** @type {import("./types.js").Me | null} */ me = null;
  /** @type {ConnectionState} */ connectionState = "idle";
  /** What is shown may be behind. */ stale = true;
  /** When the next attempt is made, ms since 1970. @type {number | null} */ retryAt = null;
  /** Failed attempts since the last good one. */ attempt = 0;
  /** Of the last ping. @type {number | null} */ latencyMs = null;
  /** Whether this tab holds the socket. */ leader = true;
  /** Of the server, by name, e.g. limits.content. @type {Record<string, number>} */ limits = {};
  #options;
  #clock;
  #identity;
  #http;
  #socket;
  #delivery;
  #following;
  #unread = new UnreadView();
  #presence = new PresenceView();
  #typing = new TypingView();
  #receipts = new Receipts();
  /** @type {Map<string, Thread>} */ #threads = new Map();
  /** @type {Map<string, {resolve: () => void, reject: (error: ChatError) => void}>} */ #requests = new Map();
  /** Whose presence is wanted, by asker. @type {Map<string, readonly string[]>} */ #watched = new Map();
  /** @type {"away" | null} */ #declared = null;
  /** @type {string | null} */ #epoch = null;
  /** @type {unknown} */ #receiptsTimer = null;
  /** @type {unknown} */ #typingTimer = null;
  /** @type {(() => void) | null} */ #unwatchPage = null;
  #isOpen = false;
  #refs = 0;

  /** @param {ClientOptions} [options] */
  constructor(options = {}) {
    super();
    this.#options = options;
    const clock = (this.#clock = options.clock ?? CLOCK);
    const random = options.random ?? Math.random;
    const base = new URL(options.url ?? globalThis.location.origin).origin;
    this.#identity = new Identity(options);
    this.#http = new Http(base, this.#identity, options.fetch ?? ((input, init) => fetch(input, init)), clock);
    this.#socket = new Socket(
      `${base.replace(/^http/, "ws")}/ws`,
      this.#identity,
      options.WebSocket ?? globalThis.WebSocket,
      clock,
      random,
      {
        changed: (news) => this.#linkChanged(news),
        opened: (success) => this.#opened(success),
        lost: () => this.#lost(),
        received: (frame) => this.#received(frame),
        measured: (ms) => void (this.latencyMs = ms),
      },
    );
    const send = (/** @type {any} */ frame) => this.#isOpen && this.#socket.send(frame);
    const told = (/** @type {string} */ threadId) => this.#threads.get(threadId)?.touch("messages");
    this.#delivery = new Delivery(random, clock, this.#http, send, told, options.httpFallback ?? true);
    this.#following = new Following({
      http: this.#http,
      clock,
      send,
      applied: (thread, event) => this.#applied(thread, event),
      moved: () => this.#settle(),
      lost: (threadId, code) => this.#tell("lost", { threadId, code }),
    });
  }

  // --- what there is ---

  /** Threads in which something is unread. @returns {ReadonlyMap<string, UnreadItem>} */
  get unread() {
    return this.#unread.items;
  }

  get totalUnread() {
    return this.#unread.total;
  }

  /** How many messages wait to be stored. */
  get waiting() {
    return this.#delivery.waiting;
  }

  /** @param {string} userId @returns {Presence | undefined} */
  presence(userId) {
    return this.#presence.get(userId);
  }

  /** The same object each time. @param {string} threadId @returns {Thread} */
  thread(threadId) {
    let thread = this.#threads.get(threadId);
    if (!thread) this.#threads.set(threadId, (thread = new Thread(threadId, this.#hostOf())));
    return thread;
  }

  #hostOf() {
    return {
      http: this.#http,
      delivery: this.#delivery,
      clock: this.#clock,
      userId: () => this.me?.userId ?? this.#identity.userId,
      opened: (/** @type {Thread} */ thread) => this.#threadOpened(thread),
      closed: (/** @type {Thread} */ thread) => this.#following.close(thread),
      writers: (/** @type {string} */ threadId) => this.#typing.writers(threadId),
      mark: (/** @type {string} */ threadId, /** @type {number} */ read, /** @type {number} */ delivered) => this.#mark(threadId, read, delivered),
      forgetMark: (/** @type {string} */ threadId) => this.#receipts.forget(threadId),
      typing: (/** @type {string} */ threadId, /** @type {boolean} */ isTyping) => void this.#send({ type: "typing", threadId, isTyping }),
      changed: (/** @type {Thread} */ thread) => this.#tell("thread", { threadId: thread.id }),
      withProgress: !this.#options.fetch && !!globalThis.XMLHttpRequest,
    };
  }

  // --- life ---

  /** Start; comes back by itself whenever the connection is lost. Resolves once it was online, or closed. @returns {Promise<void>} */
  async connect() {
    if (this.connectionState !== "idle") return;
    this.#change("connecting", "", null);
    const done = new Promise((resolve) => {
      const settled = () => {
        if (this.connectionState !== "online" && this.connectionState !== "closed") return;
        this.removeEventListener("state", settled);
        resolve(undefined);
      };
      this.addEventListener("state", settled);
    });
    this.#unwatchPage = watchPage((event) => this.#pageTold(event));
    void this.#openStore();
    this.#delivery.socketLost(); // a socket that never opens is never lost: HTTP's turn comes all the same
    this.#socket.start();
    await done;
  }

  async #openStore() {
    const whoever = await this.#identity.whoever().catch(() => undefined);
    const owner = whoever === undefined ? null : `${this.#http.base} ${whoever}`;
    const store = await openStore(this.#options.storage, owner);
    if (this.connectionState === "closed") store.close();
    else await this.#delivery.open(store);
  }

  /** Try at once instead of at `retryAt`. */
  retryNow() {
    this.#socket.wake();
  }

  /** End for good. What is in the outbox stays in its store. */
  close() {
    if (this.connectionState === "closed") return;
    this.#socket.stop();
    this.#delivery.close();
    this.#end();
  }

  #end() {
    this.#unwatchPage?.();
    this.#clock.clearTimeout(this.#receiptsTimer);
    this.#clock.clearTimeout(this.#typingTimer);
    for (const { reject } of this.#requests.values()) reject(new ChatError("CLOSED", "the client was closed"));
    this.#requests.clear();
    this.#change("closed", "", null);
  }

  /** @param {"visible" | "hidden" | "online" | "offline"} event */
  #pageTold(event) {
    if (event !== "hidden") this.#socket.wake();
    if (event === "visible") for (const thread of this.#following.threads) this.#readShown(thread);
  }

  // --- the connection ---

  /** @param {import("./socket.js").LinkNews} news */
  #linkChanged({ state, reason, retryAt, attempt, code }) {
    this.attempt = attempt;
    if (state === "closed") {
      this.#end();
      this.#tell("signedout", { code: code ?? 0 });
    } else if (state !== "open") {
      this.#change(state, reason, retryAt);
    }
  }

  /** @param {import("./protocol.js").AuthSuccess} success */
  #opened(success) {
    this.#isOpen = true;
    this.me = { userId: success.userId, userType: success.userType, name: this.#identity.name ?? null };
    this.limits = success.limits;
    if (this.#epoch && success.storeEpoch && this.#epoch !== success.storeEpoch) {
      this.#following.abandon();
      for (const threadId of this.#unread.clear()) this.#tellUnread(threadId);
    }
    this.#epoch = success.storeEpoch ?? this.#epoch;
    this.#presence.connected();
    this.#change("catching_up", "", null);
    this.#following.connected();
    if (this.#watched.size) this.#askPresence();
    if (this.#declared) this.#send({ type: "presence_set", status: this.#declared });
    this.#receipts.tellAgain();
    this.#tellReceipts();
    this.#delivery.socketOpened();
    this.#clock.setTimeout(() => this.#forgetUntold(), UNTOLD_MS);
    this.#settle();
  }

  #lost() {
    this.#isOpen = false;
    this.#following.disconnected();
    this.#delivery.socketLost();
    for (const threadId of this.#typing.clear()) this.#threads.get(threadId)?.touch("typing");
    for (const { reject } of this.#requests.values()) {
      reject(new ChatError("NETWORK", "the connection was lost", { retryable: true, fate: "unknown" }));
    }
    this.#requests.clear();
  }

  #settle() {
    if (!this.#isOpen || this.connectionState === "closed") return;
    this.#change(this.#following.caughtUp ? "online" : "catching_up", "", null);
  }

  /** @param {ConnectionState} state @param {string} reason @param {number | null} retryAt */
  #change(state, reason, retryAt) {
    const stale = state !== "online";
    this.retryAt = retryAt;
    if (state !== this.connectionState || retryAt !== null) {
      this.connectionState = state;
      this.#tell("state", { state, reason, retryAt });
    }
    if (stale !== this.stale) {
      this.stale = stale;
      this.#tell("stale", { stale });
    }
  }

  /** @param {any} frame */
  #send(frame) {
    return this.#isOpen && this.#socket.send(frame);
  }

  // --- what comes ---

  /** @param {import("./protocol.js").ServerFrame} frame */
  #received(frame) {
    const handler = HANDLERS[frame.type];
    if (handler) handler(this.#inside, /** @type {any} */ (frame));
    else if ("rev" in frame && "threadId" in frame) this.#following.receive(frame);
  }

  /** What the handlers below may touch. */
  #inside = {
    /** @param {import("./protocol.js").Subscribed} frame */
    subscribed: (frame) => {
      this.#following.subscribed(frame);
      const thread = this.#threads.get(frame.threadId);
      if (thread?.openings) this.#readShown(thread);
    },
    /** @param {import("./protocol.js").MessageAck} frame */
    acked: (frame) => this.#delivery.acked(frame),
    /** @param {{ref?: string | null}} frame */
    answered: ({ ref }) => {
      const request = ref ? this.#requests.get(ref) : undefined;
      if (ref && this.#requests.delete(ref)) request?.resolve();
    },
    /** @param {import("./protocol.js").Error} frame */
    refused: (frame) => {
      const error = ChatError.said(/** @type {any} */ (frame));
      const { ref, clientMessageId } = frame;
      if (clientMessageId && this.#delivery.refused(clientMessageId, error)) return;
      if (this.#following.refused(ref, error)) return;
      const request = ref ? this.#requests.get(ref) : undefined;
      if (ref && request) {
        this.#requests.delete(ref);
        return request.reject(error);
      }
      this.#tell("error", error.problem);
    },
    /** @param {import("./protocol.js").TypingNotice} frame */
    typing: (frame) => {
      if (this.#typing.receive(frame, this.#clock.now())) this.#threads.get(frame.threadId)?.touch("typing");
      this.#expireTyping();
    },
    /** @param {import("./protocol.js").PresenceNotice} frame */
    presence: (frame) => {
      if (!this.#presence.receive(frame)) return;
      const presence = /** @type {Presence} */ (this.#presence.get(frame.userId));
      this.#tell("presence", { userId: frame.userId, presence });
    },
    /** @param {import("./protocol.js").UnreadNotice} frame */
    unread: (frame) => {
      this.#receipts.confirmed(frame.threadId, frame.readSeq, frame.readSeq);
      if (this.#unread.receive(frame)) this.#tellUnread(frame.threadId);
    },
    /** @param {import("./protocol.js").UnreadSnapshot} frame */
    snapshot: (frame) => {
      this.#unread.receiveSnapshot(frame);
      this.#tellUnread(null);
    },
    /** @param {import("./protocol.js").Resync} frame */
    resync: ({ threadId }) => this.#following.resync(threadId ?? undefined),
  };

  /** @param {Thread} thread @param {any} event */
  #applied(thread, event) {
    if (event.type === "message") {
      const { data } = event;
      if (this.#typing.said(thread.id, data.senderId)) thread.touch("typing");
      if (data.senderId === this.me?.userId) this.#delivery.shown(data.clientMessageId);
      thread.touch("messages", "receipts");
      const message = thread.messages.find(({ seq }) => seq === data.seq);
      if (message) {
        thread.dispatchEvent(new CustomEvent("message", { detail: { message } }));
        this.#tell("message", { threadId: thread.id, message });
      }
      this.#readShown(thread);
    } else if (event.type.endsWith("_receipt")) {
      thread.touch("receipts", "members");
      if (event.userId === this.me?.userId) {
        const member = thread.members.get(event.userId);
        if (member) this.#receipts.confirmed(thread.id, member.readSeq, member.deliveredSeq);
      }
    } else if (event.type === "member_removed" && event.data.userId === this.me?.userId) {
      thread.touch("members");
      this.#following.lose(thread, new ChatError("NOT_A_MEMBER", "not a member any more"));
    } else {
      thread.touch("messages", "members", "title");
    }
  }

  // --- receipts and typing ---

  /** @param {Thread} thread */
  #threadOpened(thread) {
    if (!this.#following.threads.includes(thread) && thread.openings) this.#following.open(thread);
    this.#readShown(thread);
  }

  /** Tell what has arrived, and what a person sees. @param {Thread} thread */
  #readShown(thread) {
    if (!(this.#options.autoReceipts ?? true) || !thread.openings || !thread.lastSeq || !thread.timeline.started) return;
    if (thread.shown && isVisible()) {
      if (thread.readSeq < thread.lastSeq) thread.markRead();
    } else {
      this.#mark(thread.id, 0, thread.lastSeq);
    }
  }

  /** @param {string} threadId @param {number} read @param {number} delivered */
  #mark(threadId, read, delivered) {
    if (!this.#receipts.mark(threadId, { read, delivered }) || this.#receiptsTimer) return;
    this.#receiptsTimer = this.#clock.setTimeout(() => this.#tellReceipts(), RECEIPTS_PAUSE_MS);
  }

  #tellReceipts() {
    this.#clock.clearTimeout(this.#receiptsTimer);
    this.#receiptsTimer = null;
    if (this.#isOpen) for (const frame of this.#receipts.untold()) this.#send(frame);
  }

  #expireTyping() {
    this.#clock.clearTimeout(this.#typingTimer);
    const now = this.#clock.now();
    for (const threadId of this.#typing.expire(now)) this.#threads.get(threadId)?.touch("typing");
    const wait = this.#typing.nextEnd - now;
    if (wait < Infinity) this.#typingTimer = this.#clock.setTimeout(() => this.#expireTyping(), Math.max(wait, 10));
  }

  // --- presence and unread ---

  /** These users from now on, in place of those that this asker named before. @param {readonly string[]} userIds @param {string} [asker] */
  watchPresence(userIds, asker = "page") {
    if (userIds.length) this.#watched.set(asker, userIds);
    else this.#watched.delete(asker);
    if (this.#isOpen) this.#askPresence();
  }

  #askPresence() {
    const userIds = [...new Set([...this.#watched.values()].flat())].slice(0, WATCHED_MAX);
    this.#presence.asked(userIds);
    this.#send({ type: "presence_watch", userIds });
  }

  #forgetUntold() {
    if (!this.#isOpen) return;
    for (const userId of this.#presence.forgetUntold()) {
      this.#tell("presence", { userId, presence: { status: "offline", lastSeenAt: null } });
    }
  }

  /** @param {"online" | "away" | "dnd" | "invisible"} status @returns {Promise<void>} */
  async setPresence(status) {
    this.#declared = status === "away" ? status : null;
    const ref = `r${(this.#refs += 1)}`;
    if (!this.#send({ type: "presence_set", status, ref })) throw new ChatError("NETWORK", "no connection", { retryable: true });
    await new Promise((resolve, reject) => {
      this.#requests.set(ref, { resolve: () => resolve(undefined), reject });
      this.#clock.setTimeout(() => {
        if (this.#requests.delete(ref)) reject(new ChatError("TIMEOUT", "no answer", { retryable: true, fate: "unknown" }));
      }, ANSWER_MS);
    });
  }

  /** @param {string | null} threadId */
  #tellUnread(threadId) {
    const item = threadId === null ? undefined : this.#unread.items.get(threadId);
    this.#tell("unread", { threadId, item, totalUnread: this.#unread.total });
  }

  // --- REST ---

  /** @param {{archived?: boolean, cursor?: string, limit?: number}} [options] @returns {Promise<{items: ThreadSummary[], nextCursor: string | null}>} */
  listThreads(options = {}) {
    return this.#http.get(THREADS, options);
  }

  /** The same id again gives the same thread. @param {import("./protocol.js").CreateThreadBody} body @returns {Promise<import("./protocol.js").ThreadState>} */
  createThread(body) {
    return this.#http.call("POST", THREADS, { body });
  }

  /** @param {string} threadId @returns {Promise<import("./protocol.js").ThreadDetail>} */
  threadDetail(threadId) {
    return this.#http.get(threadPath(threadId));
  }

  /** @param {string} q @param {{threadId?: string, order?: "newest" | "rank", cursor?: string, limit?: number}} [options] @returns {Promise<import("./protocol.js").SearchPage>} */
  search(q, options = {}) {
    return this.#http.get("/api/chat/search", { q, ...options });
  }

  /** @template {keyof ClientEvents} K @param {K} type @param {ClientEvents[K]} detail */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** @type {Record<string, (inside: any, frame: any) => void>} */
const HANDLERS = {
  subscribed: (inside, frame) => inside.subscribed(frame),
  message_ack: (inside, frame) => inside.acked(frame),
  ack: (inside, frame) => inside.answered(frame),
  error: (inside, frame) => inside.refused(frame),
  typing: (inside, frame) => inside.typing(frame),
  presence: (inside, frame) => inside.presence(frame),
  unread: (inside, frame) => inside.unread(frame),
  unread_snapshot: (inside, frame) => inside.snapshot(frame),
  resync: (inside, frame) => inside.resync(frame),
};
