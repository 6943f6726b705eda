/**
 * The client: one connection, an outbox that survives the page, and a true view of every open thread.
 *
 * Promises: what is sent is stored once and in order, across reconnects and reloads; what is shown is true or says that it
 * is stale; receipts, typing, presence and unread counts keep themselves up to date. Nothing that people wrote is logged.
 * Tabs of an origin that speak for the same user share one socket (tab-link.js) and do not notice: each is a client of
 * its own. Where the browser lacks what that takes, each has its own socket.
 */

import { Calls } from "./calls.js";
import { CLOCK } from "./clock.js";
import { Delivery } from "./delivery.js";
import { ChatError } from "./errors.js";
import { Following } from "./following.js";
import { Http } from "./http.js";
import { Identity } from "./identity.js";
import { ReceiptTeller } from "./receipt-teller.js";
import { Socket } from "./socket.js";
import { Thread } from "./thread.js";
import { UnreadView } from "./unread.js";
import { Writers } from "./writers.js";

/** @typedef {import("./types.js").ClientOptions} ClientOptions */
/** @typedef {import("./types.js").ConnectionState} ConnectionState */
/** @typedef {import("./types.js").Presence} Presence */
/** @typedef {import("./types.js").ClientEvents} ClientEvents */
/** @typedef {import("./socket.js").Socket | import("./tab-link.js").TabLink} Link */
/** Also what other tabs are the cause of. @typedef {import("./protocol.js").ServerFrame | {type: "elsewhere", threadId: string, rev?: number}} Frame */
/** @typedef {{[T in Frame["type"]]?: (frame: Extract<Frame, {type: T}>) => void}} Handlers */
/** What its parts may ask of a client. @typedef {import("./delivery.js").DeliveryHost & import("./following.js").FollowingHost & import("./thread.js").Host & import("./presence-watch.js").PresenceHost} Inside */

/** Events (see ClientEvents in types.d.ts): state, stale, unread, presence, message, thread, lost, error, signedout. */
export class ChatClient extends Calls {
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
  /** @type {Link | null} */ #link = null;
  /** @type {import("./tab-link.js").TabLink | null} */ #tabs = null;
  #makeSocket;
  /** @type {Inside} */ #inside;
  #delivery;
  #following;
  #unread = new UnreadView();
  #writers;
  #receipts;
  /** @type {Map<string, Thread>} */ #threads = new Map();
  /** @type {import("./presence-watch.js").Wishes} */ #wishes = { watched: new Map(), declared: null };
  /** @type {import("./presence-watch.js").PresenceWatch | null} */ #presence = null;
  /** @type {Promise<typeof import("./later.js")> | null} */ #later = null;
  /** @type {string | null} */ #epoch = null;
  /** @type {(() => void) | null} */ #unwatchPage = null;
  /** Online for the first time, or closed. */ #arrived = () => {};
  #isOpen = false;

  /** @param {ClientOptions} [options] */
  constructor(options = {}) {
    const clock = options.clock ?? CLOCK;
    const random = options.random ?? Math.random;
    const base = new URL(options.url ?? globalThis.location.origin).origin;
    const identity = new Identity(options);
    const http = new Http(base, identity, options.fetch ?? ((input, init) => fetch(input, init)), clock);
    super(http);
    this.#options = options;
    this.#clock = clock;
    this.#identity = identity;
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
      tell: (type, detail) => this.#tell(type, detail),
      lost: (threadId, code) => this.#tell("lost", { threadId, code }),
      userId: () => this.me?.userId ?? identity.userId,
      opened: (thread) => {
        this.#following.open(thread);
        this.#receipts.noteShown(thread);
      },
      closed: (thread) => this.#following.close(thread),
      writers: (threadId) => this.#writers.writers(threadId),
      mark: (threadId, read, delivered) => this.#receipts.markSoon(threadId, read, delivered),
      forgetMark: (threadId) => this.#receipts.forget(threadId),
      typing: (threadId, isTyping) => this.#send({ type: "typing", threadId, isTyping }),
      changed: ({ id: threadId }) => this.#tell("thread", { threadId }),
      withProgress: !options.fetch && !!globalThis.XMLHttpRequest,
    };
    this.#delivery = new Delivery(random, this.#inside, options.httpFallback ?? true);
    this.#following = new Following(this.#inside);
    this.#writers = new Writers(clock, (threadId) => this.#threads.get(threadId)?.touch("typing"));
    this.#receipts = new ReceiptTeller(clock, this.#inside.send, options.autoReceipts ?? true);
  }

  // --- what there is ---

  /** Threads in which something is unread. @returns {ReadonlyMap<string, import("./protocol.js").UnreadItem>} */
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
    return this.#presence?.get(userId);
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
    this.#change("connecting");
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
      const { openStore, ownerOf, post, PresenceWatch, watchPage } = await (this.#later = import("./later.js"));
      this.#presence = new PresenceWatch(this.#inside, this.#wishes);
      if (this.#isOpen) this.#presence.connected();
      if (this.connectionState !== "closed") this.#unwatchPage = watchPage((event) => this.#pageTold(event));
      const owner = await ownerOf(this.http.base, this.#identity);
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
    this.#writers.lost();
    this.#receipts.stop();
    this.#presence?.close();
    this.#change("closed");
  }

  /** @param {import("./page.js").PageEvent} event */
  #pageTold(event) {
    if (event === "aside") this.#link?.pause();
    else if (event !== "hidden") this.#link?.wake();
    if (event === "visible") for (const thread of this.#following.threads) this.#receipts.noteShown(thread);
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
    this.#change("catching_up");
    this.#following.connected();
    this.#presence?.connected();
    this.#receipts.connected();
    if (this.leader) this.#delivery.socketOpened();
    else this.#delivery.shareAll();
    this.#settle();
  }

  #lost() {
    this.#isOpen = false;
    this.#following.disconnected();
    if (this.leader) this.#delivery.socketLost();
    this.#writers.lost();
    this.#presence?.disconnected();
  }

  #settle() {
    if (!this.#isOpen || this.connectionState === "closed") return;
    this.#change(this.#following.caughtUp ? "online" : "catching_up");
  }

  /** @param {ConnectionState} state @param {string} [reason] @param {number | null} [retryAt] */
  #change(state, reason = "", retryAt = null) {
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

  /** @param {Frame} frame */
  #received(frame) {
    try {
      if (Object.hasOwn(this.#handlers, frame.type)) /** @type {any} */ (this.#handlers)[frame.type](frame);
      else if ("rev" in frame && "threadId" in frame) this.#following.receive(frame);
    } catch {
      // Of a newer server, or broken. If it was an event of a thread, its rev is missing now, and is fetched.
      this.#tell("error", { code: "BAD_FRAME", message: `a ${frame.type} could not be understood`, retryable: false });
    }
  }

  /** By type; events of threads are following's. @type {Handlers} */
  #handlers = {
    subscribed: (frame) => {
      this.#following.subscribed(frame);
      const thread = this.#threads.get(frame.threadId);
      if (thread) this.#receipts.noteShown(thread);
    },
    message_ack: (frame) => this.#delivery.acked(frame),
    ack: ({ ref }) => this.#presence?.answered(ref),
    error: (frame) => {
      const error = ChatError.said(/** @type {any} */ (frame));
      const { ref, clientMessageId } = frame;
      if (clientMessageId && this.#delivery.refused(clientMessageId, error)) return;
      if (this.#following.refused(ref, error)) return;
      if (!this.#presence?.answered(ref, error)) this.#tell("error", error.problem);
    },
    typing: (frame) => this.#writers.noted(frame),
    presence: (frame) => {
      if (this.#presence) this.#presence.received(frame);
      else this.#later?.then(() => this.#presence?.received(frame)).catch(() => {});
    },
    unread: (frame) => {
      this.#receipts.confirmed(frame.threadId, frame.readSeq, frame.readSeq);
      if (this.#unread.receive(frame)) this.#tellUnread(frame.threadId);
    },
    unread_snapshot: (frame) => {
      this.#unread.receiveSnapshot(frame);
      this.#tellUnread(null);
    },
    resync: ({ threadId }) => this.#following.resync(threadId ?? undefined),
    elsewhere: (frame) => this.#following.elsewhere(frame),
  };

  /** @param {Thread} thread @param {any} event */
  #applied(thread, event) {
    if (event.type === "message") {
      const { data } = event;
      if (this.#writers.said(thread.id, data.senderId)) thread.touch("typing");
      if (data.senderId === this.me?.userId) this.#delivery.shown(data.clientMessageId);
      const message = thread.receiveNew(data.seq);
      if (message) this.#tell("message", { threadId: thread.id, message });
      this.#receipts.noteShown(thread);
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

  // --- presence and unread ---

  /** These users from now on, in place of those that this asker named before. @param {readonly string[]} userIds @param {string} [asker] */
  watchPresence(userIds, asker = "page") {
    const { watched } = this.#wishes;
    if (userIds.length) watched.set(asker, userIds);
    else watched.delete(asker);
    if (this.#isOpen) this.#presence?.ask();
  }

  /** @param {"online" | "away" | "dnd" | "invisible"} status @returns {Promise<void>} */
  async setPresence(status) {
    this.#wishes.declared = status === "away" ? status : null;
    if (!this.#presence) throw new ChatError("NETWORK", "no connection", { retryable: true });
    await this.#presence.set(status);
  }

  /** @param {string | null} threadId */
  #tellUnread(threadId) {
    const item = threadId === null ? undefined : this.#unread.items.get(threadId);
    this.#tell("unread", { threadId, item, totalUnread: this.#unread.total });
  }

  /** @template {keyof ClientEvents} K @param {K} type @param {ClientEvents[K]} detail */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
