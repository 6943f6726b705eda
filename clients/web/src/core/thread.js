/**
 * One thread as the page shows it.
 *
 * Promises: `messages` are stored ones without holes and then those that are on their way; each keeps its `key` from the
 * keystroke to the end; an object is the same as long as nothing of it changed. Stays true while the thread is open: what
 * is missing after a lost connection, or a gap, is fetched by itself, and the view never goes blank meanwhile.
 */

import { messagePath, threadPath } from "./http.js";
import { lowestCursors, statusOf } from "./message-status.js";
import { quoteOf } from "./quotes.js";
import { Timeline } from "./timeline.js";
import { TypingTeller } from "./typing.js";

/** @typedef {import("./types.js").Message} Message */
/** @typedef {import("./types.js").Member} Member */
/** @typedef {import("./types.js").Draft} Draft */
/** @typedef {import("./types.js").ThreadChange} ThreadChange */
/** @typedef {import("./protocol.js").AttachmentState} AttachmentState */
/** @typedef {import("./protocol.js").MessageState} MessageState */

/**
 * What a thread needs of its client.
 * @typedef {object} Host
 * @property {import("./http.js").Http} http
 * @property {import("./types.js").Clock} clock
 * @property {() => string | undefined} userId
 * @property {(thread: Thread) => void} opened
 * @property {(thread: Thread) => void} closed
 * @property {(threadId: string) => readonly string[]} writers
 * @property {(threadId: string, read: number, delivered: number) => void} mark
 * @property {(threadId: string) => void} forgetMark
 * @property {(threadId: string, isTyping: boolean) => unknown} typing
 * @property {(thread: Thread) => void} changed
 * @property {boolean} withProgress
 */

const FIRST_PAGE = 50;

/** Events: "change" {what: Set of "messages" | "members" | "typing" | "title" | "receipts"}, "message" {message}. */
export class Thread extends EventTarget {
  timeline = new Timeline();
  /** How often it is open. */ openings = 0;
  /** Why it cannot be followed. @type {import("./errors.js").ChatError | null} */ refusal = null;
  loadingOlder = false;
  #host;
  #delivery;
  #teller = new TypingTeller();
  #shown = true;
  #ownReadSeq = 0;
  /** @type {Set<ThreadChange>} */ #what = new Set();
  /** @type {readonly Message[] | null} */ #messages = null;
  /** @type {WeakMap<MessageState, Message>} */ #made = new WeakMap();
  /** @type {((error?: Error) => void)[]} */ #waiting = [];
  /** For the client: the first messages are here. */ isReady = false;

  /** @param {string} id @param {Host} host @param {import("./delivery.js").Delivery} delivery */
  constructor(id, host, delivery) {
    super();
    this.id = id;
    this.#host = host;
    this.#delivery = delivery;
  }

  // --- the view ---

  /** @returns {string | null} */
  get title() {
    return this.timeline.details?.title ?? null;
  }

  /** @returns {Record<string, unknown> | null} */
  get metadata() {
    return this.timeline.details?.metadata ?? null;
  }

  /** All of them once `caughtUp`; of a large thread the first ones before. @returns {ReadonlyMap<string, Member>} */
  get members() {
    return this.timeline.members;
  }

  /** The number of the last message, 0: none. */
  get lastSeq() {
    return this.timeline.lastSeq;
  }

  /** The change through which this view is true. */
  get rev() {
    return this.timeline.rev;
  }

  /** How far this user has read, shown to others or not. */
  get readSeq() {
    return Math.max(this.#ownReadSeq, this.members.get(this.#host.userId() ?? "")?.readSeq ?? 0);
  }

  get hasOlder() {
    return this.timeline.started && this.timeline.oldestSeq > 1;
  }

  /** Nothing is known to be missing. */
  get caughtUp() {
    return this.timeline.started && this.timeline.needs === "nothing";
  }

  /** Who is writing now. @returns {readonly string[]} */
  get typing() {
    return this.#host.writers(this.id);
  }

  /** Stored messages without holes, then pending ones. A new array after each change. @returns {readonly Message[]} */
  get messages() {
    return (this.#messages ??= this.#compose());
  }

  #compose() {
    const me = this.#host.userId();
    const lowest = lowestCursors(this.timeline.members, me);
    const stored = this.timeline.messages.map((state) => this.#shownAs(state, me, lowest));
    const there = new Set(stored.map((message) => message.key));
    const pending = this.#delivery
      .of(this.id)
      .filter(({ entry }) => !there.has(entry.clientMessageId))
      .map(({ entry, stored: place }) => this.#pending(entry, place, me ?? ""));
    return [...stored, ...pending];
  }

  /** @param {MessageState} state @param {string | undefined} me @param {{delivered: number, read: number}} lowest */
  #shownAs(state, me, lowest) {
    const isOwn = state.senderId === me;
    const status = isOwn ? statusOf(state.seq, lowest) : "sent";
    const known = this.#made.get(state);
    if (known?.status === status) return known;
    /** @type {Message} */
    const message = { ...state, status, pending: false, key: isOwn ? state.clientMessageId : state.id };
    this.#made.set(state, message);
    return message;
  }

  /** @param {import("./types.js").OutboxEntry} entry @param {{id: string, seq: number} | null} place @param {string} me @returns {Message} */
  #pending(entry, place, me) {
    const { frame, clientMessageId, attachments, error, queued } = entry;
    const at = new Date(entry.at).toISOString();
    const target = frame.replyToId ? this.timeline.messages.find(({ id }) => id === frame.replyToId) : undefined;
    return {
      id: place?.id ?? "",
      threadId: this.id,
      seq: place?.seq ?? 0,
      rev: 0,
      senderId: me,
      senderType: "",
      clientMessageId,
      content: frame.content,
      messageType: frame.messageType ?? "text",
      edited: false,
      editedAt: null,
      deleted: false,
      deletedAt: null,
      replyToId: frame.replyToId ?? null,
      replyTo: target && quoteOf(target),
      createdAt: at,
      updatedAt: at,
      attachments,
      mentions: frame.mentions ?? [],
      metadata: frame.metadata ?? null,
      reactions: [],
      status: place ? "sent" : error ? "failed" : queued ? "queued" : "sending",
      error,
      pending: !place,
      key: clientMessageId,
    };
  }

  // --- following ---

  /** Follow. Each open needs its close. */
  open() {
    this.openings += 1;
    if (this.openings === 1) this.#host.opened(this);
  }

  /** Unfollow, once nobody has it open any more. */
  close() {
    if (this.openings && !--this.openings) this.#host.closed(this);
  }

  /** Resolves when the first messages are here; rejects with a ChatError when the thread is refused. @returns {Promise<void>} */
  ready() {
    if (this.refusal) return Promise.reject(this.refusal);
    if (this.isReady) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiting.push((error) => (error ? reject(error) : resolve())));
  }

  /** For the client: the thread is refused, or the first messages are here. @param {import("./errors.js").ChatError} [error] */
  settle(error) {
    if (error) this.refusal = error;
    else this.isReady = true;
    for (const done of this.#waiting.splice(0)) done(error);
    this.touch("messages");
  }

  /** For the client: title, metadata and how far one has read. @param {import("./types.js").ThreadDetail} detail */
  receiveDetail(detail) {
    this.timeline.receiveDetails(detail);
    this.#ownReadSeq = Math.max(this.#ownReadSeq, detail.own.readSeq);
    this.touch("title");
  }

  /** For the client: a new message is here. @param {number} seq */
  receiveNew(seq) {
    this.touch("messages", "receipts");
    const message = this.messages.find((shown) => shown.seq === seq);
    if (message) this.dispatchEvent(new CustomEvent("message", { detail: { message } }));
    return message;
  }

  /** For the client: something changed. @param {...ThreadChange} what */
  touch(...what) {
    this.#messages = null;
    if (!this.#what.size) queueMicrotask(() => this.#tell());
    for (const change of what) this.#what.add(change);
  }

  #tell() {
    const what = this.#what;
    this.#what = new Set();
    this.dispatchEvent(new CustomEvent("change", { detail: { what } }));
    this.#host.changed(this);
  }

  // --- doing ---

  /** Shows at once, is sent when it can be. @param {Draft} draft @returns {Message} */
  send(draft) {
    const { content = "", replyToId, mentions, metadata, messageType, attachments = [] } = draft;
    const attachmentIds = draft.attachmentIds ?? attachments.map(({ id }) => id);
    if (!content.trim() && !attachmentIds.length) throw new TypeError("an empty message");
    const clientMessageId = crypto.randomUUID();
    /** @type {any} */
    const frame = { type: "message", threadId: this.id, content, clientMessageId };
    if (attachmentIds.length) frame.attachmentIds = attachmentIds;
    if (mentions?.length) frame.mentions = mentions;
    for (const [name, value] of Object.entries({ replyToId, metadata, messageType })) if (value != null) frame[name] = value;
    this.#teller.over();
    this.#delivery.add({ clientMessageId, threadId: this.id, at: this.#host.clock.now(), frame, attachments });
    return /** @type {Message} */ (this.messages.find(({ key }) => key === clientMessageId));
  }

  /** A failed message, once more with the same id. @param {string} clientMessageId */
  retry(clientMessageId) {
    this.#delivery.retry(clientMessageId);
  }

  /** Take a failed (or waiting) message back. @param {string} clientMessageId */
  discard(clientMessageId) {
    this.#delivery.discard(clientMessageId);
  }

  /** @param {string} messageId @param {string} content @returns {Promise<void>} rejects with ChatError */
  async edit(messageId, content) {
    await this.#host.http.call("PATCH", messagePath(messageId), { body: { content } });
  }

  /** @param {string} messageId @returns {Promise<void>} */
  async delete(messageId) {
    await this.#host.http.call("DELETE", messagePath(messageId));
  }

  /** @param {string} messageId @param {string} emoji @param {boolean} [on] @returns {Promise<void>} */
  async react(messageId, emoji, on = true) {
    const path = `${messagePath(messageId)}/reactions/${encodeURIComponent(emoji)}`;
    await this.#host.http.call(on ? "PUT" : "DELETE", path);
  }

  /** @param {number} [limit] @returns {Promise<boolean>} whether there is more */
  async loadOlder(limit = FIRST_PAGE) {
    if (this.loadingOlder || !this.hasOlder) return this.hasOlder;
    this.loadingOlder = true;
    try {
      const page = await this.#host.http.get(`${threadPath(this.id)}/messages`, { beforeSeq: this.timeline.oldestSeq, limit });
      this.timeline.receiveHistory(page.items);
    } finally {
      this.loadingOlder = false;
    }
    this.touch("messages");
    return this.hasOlder;
  }

  /** Whether a person sees this thread: only then are messages marked as read. */
  get shown() {
    return this.#shown;
  }

  set shown(value) {
    this.#shown = value;
    if (value) this.#host.opened(this); // tells what is read by now
  }

  /** Everything up to `seq` (default: the last) was read. @param {number} [seq] */
  markRead(seq = this.lastSeq) {
    if (!seq) return;
    this.#ownReadSeq = Math.max(this.#ownReadSeq, seq);
    this.#host.mark(this.id, seq, seq);
    this.touch("receipts");
  }

  /** Unread from `seq` on, for oneself. @param {number} seq @returns {Promise<void>} */
  async markUnread(seq) {
    this.#host.forgetMark(this.id);
    await this.#host.http.call("POST", `${threadPath(this.id)}/mark-unread`, { body: { seq } });
  }

  /** Call it on each key; throttled inside. @param {boolean} isTyping */
  setTyping(isTyping) {
    if (this.#teller.say(isTyping, this.#host.clock.now())) this.#host.typing(this.id, isTyping);
  }

  /** @param {File | Blob} file @param {import("./types.js").UploadOptions} [options] @returns {Promise<AttachmentState>} */
  async upload(file, options = {}) {
    const { upload } = await import("./later.js");
    return upload(this.#host.http, this.id, file, options, this.#host.withProgress);
  }

  /** A blob URL, fetched with the token; revoke it with URL.revokeObjectURL. @param {AttachmentState} attachment @param {{thumbnail?: boolean}} [options] @returns {Promise<string>} */
  async attachmentUrl(attachment, { thumbnail = false } = {}) {
    const { blobUrl } = await import("./later.js");
    return blobUrl(this.#host.http, attachment, thumbnail);
  }
}
