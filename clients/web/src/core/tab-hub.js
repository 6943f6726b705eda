/**
 * One connection, many tabs: who asked what, and who gets which answer. Pure: frames in, frames out. Lives as long as
 * the connection does; on a new one every tab asks anew.
 *
 * Promises: each tab hears what it would hear on a socket of its own: answers to its own requests, events of a thread
 * from its own `subscribed` on, presence and unread counts of the user. The server is asked to leave a thread when the
 * last tab has left it, watches the presence of whoever any tab names, and sees the user away when every tab says so.
 * A subscribe of one tab suspends the events of all on this connection (what it answers is not told again as events), so
 * the others get `elsewhere` with the rev it reached, or without one when it was refused and they must ask again.
 */

/** @typedef {Record<string, any> & {type: string}} Frame */

const WATCHED_MAX = 200;
const BETWEEN = "/";
/** Of the leader alone, or answers that nobody waits for. */
const KEPT = new Set(["pong", "token_expiring", "reconnect", "unsubscribed"]);
/** More than a page shows. */
const TOLD_MAX = 3_000;
/** @type {Record<string, (frame: Frame) => string>} */
const ABOUT = {
  presence: ({ userId }) => `presence ${userId}`,
  unread: ({ threadId }) => `unread ${threadId}`,
  unread_snapshot: () => "unread",
};

export class Hub {
  #send;
  #deliver;
  /** Who follows, by thread; true: from `subscribed` on. @type {Map<string, Map<string, boolean>>} */ #followers = new Map();
  /** Threads of the subscribes that are on their way, by ref. @type {Map<string, string>} */ #asked = new Map();
  /** @type {Map<string, string[]>} */ #watched = new Map();
  /** @type {Set<string>} */ #tabs = new Set();
  /** @type {Set<string>} */ #away = new Set();
  #saidAway = false;
  /** The highest delivered receipt, by thread. @type {Map<string, number>} */ #delivered = new Map();
  /** The last word on each user's presence and each thread's unread count. @type {Map<string, Frame>} */ #told = new Map();

  /**
   * @param {(frame: any) => boolean} send to the server
   * @param {(tabs: string[] | null, frame: Frame) => void} deliver null: to every tab
   */
  constructor(send, deliver) {
    this.#send = send;
    this.#deliver = deliver;
  }

  /** What a tab that has just come was not there to hear. */
  get told() {
    return [...this.#told.values()];
  }

  /** A tab is there. @param {string} tab */
  joined(tab) {
    if (this.#tabs.has(tab)) return;
    this.#tabs.add(tab);
    this.#tellAway();
  }

  /** What a tab says to the server. @param {string} tab @param {Frame} frame @returns {boolean} whether it left, or need not */
  from(tab, frame) {
    this.joined(tab);
    const own = frame.ref == null ? frame : { ...frame, ref: tab + BETWEEN + frame.ref };
    const by = this.#by[frame.type];
    return by ? by(tab, own) : this.#send(own);
  }

  /** What the server says. @param {Frame} frame */
  received(frame) {
    if (KEPT.has(frame.type)) return;
    if (frame.ref) return this.#answered(frame);
    const isOfFollowers = frame.threadId && (frame.type === "typing" || (frame.rev && frame.type !== "message_ack"));
    if (!isOfFollowers) {
      this.#remember(frame);
      return this.#deliver(null, frame);
    }
    const tabs = this.#live(frame.threadId);
    if (tabs.length) this.#deliver(tabs, frame);
  }

  /** A tab is gone. @param {string} tab */
  left(tab) {
    this.#tabs.delete(tab);
    this.#away.delete(tab);
    for (const threadId of [...this.#followers.keys()]) this.#by.unsubscribe(tab, { type: "unsubscribe", threadId });
    if (this.#watched.delete(tab)) this.#watch();
    this.#tellAway();
  }

  /** @type {Record<string, (tab: string, frame: Frame) => boolean>} */
  #by = {
    subscribe: (tab, frame) => {
      const followers = this.#followers.get(frame.threadId) ?? new Map();
      this.#followers.set(frame.threadId, followers.set(tab, false));
      if (frame.ref) this.#asked.set(frame.ref, frame.threadId);
      return this.#send(frame);
    },
    unsubscribe: (tab, frame) => {
      const followers = this.#followers.get(frame.threadId);
      if (!followers?.delete(tab) || followers.size) return true;
      this.#followers.delete(frame.threadId);
      return this.#send(frame);
    },
    presence_watch: (tab, { userIds }) => {
      this.#watched.set(tab, userIds);
      return this.#watch();
    },
    presence_set: (tab, frame) => {
      if (frame.status !== "away") {
        this.#away.delete(tab);
        this.#saidAway = false;
        return this.#send(frame);
      }
      this.#away.add(tab);
      this.#saidAway = this.#away.size === this.#tabs.size;
      if (this.#saidAway) return this.#send(frame);
      if (frame.ref) this.#answered({ type: "ack", ref: frame.ref });
      return true;
    },
    delivered_receipt: (_, frame) => {
      if ((this.#delivered.get(frame.threadId) ?? 0) >= frame.seq) return true;
      this.#delivered.set(frame.threadId, frame.seq);
      return this.#send(frame);
    },
  };

  /** @param {Frame} frame */
  #answered(frame) {
    const at = frame.ref.indexOf(BETWEEN);
    const tab = frame.ref.slice(0, at);
    const threadId = this.#asked.get(frame.ref);
    this.#deliver([tab], { ...frame, ref: frame.ref.slice(at + 1) });
    if (threadId === undefined) return;
    this.#asked.delete(frame.ref);
    const followers = this.#followers.get(threadId);
    const others = this.#live(threadId).filter((other) => other !== tab);
    if (frame.type === "subscribed") {
      if (followers?.has(tab)) followers.set(tab, true);
    } else {
      followers?.delete(tab);
      for (const other of others) followers?.set(other, false);
    }
    if (others.length) this.#deliver(others, { type: "elsewhere", threadId, rev: frame.rev });
  }

  /** Of two about the same the later is kept; a snapshot stands for all counts before it. @param {Frame} frame */
  #remember(frame) {
    const about = ABOUT[frame.type]?.(frame);
    if (about === undefined) return;
    if (frame.type === "unread_snapshot") for (const key of this.#told.keys()) if (key.startsWith("unread")) this.#told.delete(key);
    this.#told.delete(about);
    this.#told.set(about, frame);
    if (this.#told.size > TOLD_MAX) this.#told.delete(/** @type {string} */ (this.#told.keys().next().value));
  }

  /** @param {string} threadId */
  #live(threadId) {
    return [...(this.#followers.get(threadId) ?? [])].flatMap(([tab, isLive]) => (isLive ? [tab] : []));
  }

  #watch() {
    const userIds = [...new Set([...this.#watched.values()].flat())].slice(0, WATCHED_MAX);
    return this.#send({ type: "presence_watch", userIds });
  }

  /** After a tab came or went. */
  #tellAway() {
    const isAway = this.#away.size > 0 && this.#away.size === this.#tabs.size;
    if (isAway === this.#saidAway) return;
    this.#saidAway = isAway;
    this.#send({ type: "presence_set", status: isAway ? "away" : "online" });
  }
}
