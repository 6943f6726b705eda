/**
 * The client: one connection, an outbox that survives the page, and a true view of every open thread.
 *
 * Promises: what is sent is stored once and in order, across reconnects and reloads; what is shown is true or says that it
 * is stale; receipts, typing, presence and unread counts keep themselves up to date. Nothing that people wrote is logged.
 * Tabs of an origin that speak for the same user share one socket (tab-link.js) and do not notice: each is a client of
 * its own. Where the browser lacks what that takes, each has its own socket.
 */

import { Delivery } from "./delivery.js";
import { ChatError } from "./errors.js";
import { Following } from "./following.js";
import { Http, THREADS, threadPath } from "./http.js";
import { Identity } from "./identity.js";
import { PresenceView } from "./presence.js";
import { Receipts } from "./receipts.js";
import { Socket } from "./socket.js";
import { Thread } from "./thread.js";
import { TypingView } from "./typing.js";
import { UnreadView } from "./unread.js";
import { isVisible } from "./visibility.js";

/** @typedef {import("./types.js").ClientOptions} ClientOptions */
/** @typedef {import("./types.js").ConnectionState} ConnectionState */
/** @typedef {import("./types.js").Presence} Presence */
/** @typedef {import("./types.js").ClientEvents} ClientEvents */
/** @typedef {import("./protocol.js").UnreadItem} UnreadItem */
/** @typedef {import("./protocol.js").ThreadSummary} ThreadSummary */
/** @typedef {import("./socket.js").Socket | import("./tab-link.js").TabLink} Link */
/** What its parts may ask of a client. @typedef {import("./delivery.js").DeliveryHost & import("./following.js").FollowingHost & import("./thread.js").Host} Inside */

const RECEIPTS_PAUSE_MS = 250;
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
  /** Whether this tab holds the socket. */ leader = false;
  /** Of the server, by name, e.g. limits.content. @type {Record<string, number>} */ limits = {};
  #options;
  #clock;
  #identity;
  #http;
  /** @type {Link | null} */ #link = null;
  /** @type {import("./tab-link.js").TabLink | null} */ #tabs = null;
  #makeSocket;
  /** @type {Inside} */ #inside;
  #delivery;
  #following;
  #unread = new UnreadView();
  #presence = new PresenceView();
  #typing = new TypingView();
  #receipts = new Receipts();
  /** @type {Map<string, Thread>} */ #threads = new Map();
  /** @type {import("./requests.js").Requests | null} */ #requests = null;
  /** Whose presence is wanted, by asker. @type {Map<string, readonly string[]>} */ #watched = new Map();
  /** @type {"away" | null} */ #declared = null;
  /** @type {string | null} */ #epoch = null;
  /** @type {unknown} */ #receiptsTimer = null;
  /** @type {unknown} */ #typingTimer = null;
  /** @type {unknown} */ #untoldTimer = null;
  /** @type {(() => void) | null} */ #unwatchPage = null;
  /** Online for the first time, or closed. */ #arrived = () => {};
  #isOpen = false;

  /** @param {ClientOptions} [options] */
  constructor(options = {}) {
    super();
    this.#options = options;
    const clock = (this.#clock = options.clock ?? CLOCK);
    const random = options.random ?? Math.random;
    const base = new URL(options.url ?? globalThis.location.origin).origin;
    const identity = (this.#identity = new Identity(options));
    const http = (this.#http = new Http(base, identity, options.fetch ?? ((input, init) => fetch(input, init)), clock));
    this.#makeSocket = (/** @type {import("./socket.js").LinkObserver} */ observer) =>
      new Socket(`${base.replace(/^http/, "ws")}/ws`, identity, options.WebSocket ?? globalThis.WebSocket, clock, random, observer);
    this.#inside = {
      http,
      clock,
      send: (frame) => this.#send(frame),
      told: (threadId) => {
        const thread = this.#threads.get(threadId);
        thread?.touch("messages");
        return thread?.openings;
      },
      share: (note) => {
        if (note.frame) this.#received(note.frame);
        this.#tabs?.note(note);
      },
      applied: (thread, event) => this.#applied(thread, event),
      moved: () => this.#settle(),
      lost: (threadId, code) => this.#tell("lost", { threadId, code }),
      userId: () => this.me?.userId ?? identity.userId,
      opened: (thread) => this.#threadOpened(thread),
      closed: (thread) => this.#following.close(thread),
      writers: (threadId) => this.#typing.writers(threadId),
      mark: (threadId, read, delivered) => this.#mark(threadId, read, delivered),
      forgetMark: (threadId) => this.#receipts.forget(threadId),
      typing: (threadId, isTyping) => this.#send({ type: "typing", threadId, isTyping }),
      changed: ({ id: threadId }) => this.#tell("thread", { threadId }),
      withProgress: !options.fetch && !!globalThis.XMLHttpRequest,
    };
    this.#delivery = new Delivery(random, this.#inside, options.httpFallback ?? true);
    this.#following = new Following(this.#inside);
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
    if (!thread) this.#threads.set(threadId, (thread = new Thread(threadId, this.#inside, this.#delivery)));
    return thread;
  }

  // --- life ---

  /** Start; comes back by itself whenever the connection is lost. Resolves once it was online, or closed. @returns {Promise<void>} */
  async connect() {
    if (this.connectionState !== "idle") return;
    this.#change("connecting", "", null);
    const done = new Promise((resolve) => (this.#arrived = () => resolve(undefined)));
    const owner = this.#beginLater();
    if (this.#options.shareTabs ?? !this.#options.WebSocket) {
      // One socket for all tabs, if that can be.
      void Promise.all([import("./tab-link.js"), owner])
        .then(([{ TabLink }, whose]) => this.#use((this.#tabs = new TabLink(whose, this.#options, this.#makeSocket, this.#clock, this.#observer))))
        .catch(() => this.#openSocket());
    } else {
      this.#openSocket();
    }
    await done;
  }

  /** @returns {Promise<string | null>} whose outbox and tabs */
  async #beginLater() {
    try {
      const { openStore, ownerOf, post, Requests, watchPage } = await import("./later.js");
      this.#requests = new Requests(this.#clock);
      if (this.connectionState !== "closed") this.#unwatchPage = watchPage((event) => this.#pageTold(event));
      const owner = await ownerOf(this.#http.base, this.#identity);
      void this.#delivery.open(await openStore(this.#options.storage, owner), post);
      return owner;
    } catch {
      void this.#delivery.open();
      return null;
    }
  }

  #openSocket() {
    if (this.connectionState === "closed") return;
    this.#tabs = null;
    this.#led(true);
    this.#use(this.#makeSocket(this.#observer));
  }

  /** @param {Link} link */
  #use(link) {
    if (this.connectionState === "closed") return;
    this.#link = link;
    link.start();
  }

  /** Whether this tab has the socket, or will. @param {boolean} isLeader */
  #led(isLeader) {
    this.leader = isLeader;
    if (!isLeader) return this.#delivery.rest();
    this.#delivery.socketLost(); // a socket that never opens is never lost: HTTP's turn comes all the same
    void this.#delivery.takeOver();
  }

  /** Try at once instead of at `retryAt`. */
  retryNow() {
    this.#link?.wake();
  }

  /** End for good. What is in the outbox stays in its store. */
  close() {
    if (this.connectionState === "closed") return;
    this.#link?.stop();
    this.#delivery.close();
    this.#end();
  }

  #end() {
    this.#unwatchPage?.();
    for (const timer of [this.#receiptsTimer, this.#typingTimer, this.#untoldTimer]) this.#clock.clearTimeout(timer);
    this.#requests?.end(new ChatError("CLOSED", "closed"));
    this.#change("closed", "", null);
  }

  /** @param {import("./page.js").PageEvent} event */
  #pageTold(event) {
    if (event === "aside") this.#link?.pause();
    else if (event !== "hidden") this.#link?.wake();
    if (event === "visible") for (const thread of this.#following.threads) this.#readShown(thread);
  }

  // --- the connection ---

  /** What a link tells, and what tabs ask of each other. @type {import("./tab-link.js").LinkHost} */
  #observer = {
    changed: (news) => this.#linkChanged(news),
    opened: (success) => this.#opened(success),
    lost: () => this.#lost(),
    received: (frame) => this.#received(frame),
    measured: (ms) => void (this.latencyMs = ms),
    led: (isLeader) => this.#led(isLeader),
    noted: (note) => (note.frame ? this.#received(note.frame) : this.#delivery.noted(note)),
    orphaned: () => void this.#delivery.takeOver(),
    unable: () => this.#openSocket(),
  };

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
    if (this.leader) this.#delivery.socketOpened();
    else this.#delivery.shareAll();
    this.#untoldTimer = this.#clock.setTimeout(() => this.#forgetUntold(), UNTOLD_MS);
    this.#settle();
  }

  #lost() {
    this.#isOpen = false;
    this.#clock.clearTimeout(this.#untoldTimer); // the next connection has its own time to tell
    this.#following.disconnected();
    if (this.leader) this.#delivery.socketLost();
    for (const threadId of this.#typing.clear()) this.#threads.get(threadId)?.touch("typing");
    this.#requests?.end(new ChatError("NETWORK", "no connection", { retryable: true, fate: "unknown" }));
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
      if (state === "online" || state === "closed") this.#arrived();
    }
    if (stale !== this.stale) {
      this.stale = stale;
      this.#tell("stale", { stale });
    }
  }

  /** @param {any} frame */
  #send(frame) {
    return this.#isOpen && !!this.#link?.send(frame);
  }

  // --- what comes ---

  /** @param {import("./protocol.js").ServerFrame} frame */
  #received(frame) {
    try {
      if (Object.hasOwn(this.#handlers, frame.type)) this.#handlers[frame.type](frame);
      else if ("rev" in frame && "threadId" in frame) this.#following.receive(frame);
    } catch {
      // Of a newer server, or broken. If it was an event of a thread, its rev is missing now, and is fetched.
      this.#tell("error", { code: "BAD_FRAME", message: `a ${frame.type} could not be understood`, retryable: false });
    }
  }

  /** By type; events of threads are following's. @type {Record<string, (frame: any) => void>} */
  #handlers = {
    /** @param {import("./protocol.js").Subscribed} frame */
    subscribed: (frame) => {
      this.#following.subscribed(frame);
      const thread = this.#threads.get(frame.threadId);
      if (thread) this.#readShown(thread);
    },
    /** @param {import("./protocol.js").MessageAck} frame */
    message_ack: (frame) => this.#delivery.acked(frame),
    /** @param {import("./protocol.js").Ack} frame */
    ack: ({ ref }) => this.#requests?.answered(ref),
    /** @param {import("./protocol.js").Error} frame */
    error: (frame) => {
      const error = ChatError.said(/** @type {any} */ (frame));
      const { ref, clientMessageId } = frame;
      if (clientMessageId && this.#delivery.refused(clientMessageId, error)) return;
      if (this.#following.refused(ref, error)) return;
      if (!this.#requests?.answered(ref, error)) this.#tell("error", error.problem);
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
    unread_snapshot: (frame) => {
      this.#unread.receiveSnapshot(frame);
      this.#tellUnread(null);
    },
    /** @param {import("./protocol.js").Resync} frame */
    resync: ({ threadId }) => this.#following.resync(threadId ?? undefined),
    /** @param {{threadId: string, rev?: number}} frame */
    elsewhere: (frame) => this.#following.elsewhere(frame),
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
      this.#following.lose(thread, new ChatError("NOT_A_MEMBER", "no member"));
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
    for (const userId of this.#presence.forgetUntold()) {
      this.#tell("presence", { userId, presence: { status: "offline", lastSeenAt: null } });
    }
  }

  /** @param {"online" | "away" | "dnd" | "invisible"} status @returns {Promise<void>} */
  async setPresence(status) {
    this.#declared = status === "away" ? status : null;
    if (!this.#requests) throw new ChatError("NETWORK", "no connection", { retryable: true });
    await this.#requests.ask({ type: "presence_set", status }, this.#inside.send);
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
