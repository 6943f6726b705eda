/**
 * One thread as this page sees it: events, pages of changes and of history go in, a view comes out. Pure.
 *
 * Promises
 * - Live events are applied in rev order, each once: a rev already seen is dropped, one beyond the next is held and
 *   `needs` says what to fetch. Whatever is lost, repeated or reordered, once `needs` is "nothing" the view equals the
 *   server's thread at `rev` (invariant: state(r) + changes(since r) == state(now)).
 * - The view never goes blank: it stays readable during a catch-up, and during a reset until the new history is there.
 * - Once nothing is needed, `messages` has no holes: it runs from `oldestSeq` to `lastSeq`. (Changes come in the order of
 *   their revs, so during a catch-up a message that was edited since may come after later ones.) States of older messages
 *   are kept beside it, so a history page that was read before an edit cannot bring the old text back.
 * - Of a large thread the first members are named (members.js); until the others are read too, `needs` says "members".
 * - Bounded: the newest 5,000 messages are kept; more than 1,000 held events are let go and fetched.
 * Does not promise to notice that the newest event was lost while nothing follows; the server says `resync` then.
 */

import { Members } from "./members.js";
import { Quotes } from "./quotes.js";

/** @typedef {import("./protocol.js").MessageState} MessageState */
/** @typedef {import("./protocol.js").Subscribed} Subscribed */
/** @typedef {import("./protocol.js").ChangesPage} ChangesPage */
/** @typedef {ChangesPage["items"][number]} ThreadEvent */
/** @typedef {{title: string | null, metadata: Record<string, unknown> | null, rev: number}} Details */

const MESSAGES_MAX = 5_000;
const HELD_MAX = 1_000;

/** One change may be told by two names: an edit of a message one has not seen yet is a new message. */
/** @type {Record<string, string>} */
const FACETS = { message_updated: "message", message_deleted: "message", member_removed: "member_added" };

/** @param {ThreadEvent} event */
const facet = (event) => FACETS[event.type] ?? event.type;

export class Timeline {
  rev = 0;
  lastSeq = 0;
  oldestSeq = 1;
  started = false;
  /** @type {Details | null} */ details = null;
  members = new Members({ members: [] });
  /** @type {Map<number, MessageState>} */ #messages = new Map();
  #quotes = new Quotes();
  /** What was shown before a reset, until the history is there. @type {Map<number, MessageState>} */ #stale = new Map();
  /** @type {Map<number, ThreadEvent>} */ #held = new Map();
  /** The highest rev known to exist. */ #target = 0;
  /** @type {number | null} */ #replayThrough = null;
  /** The last applied rev and what was applied of it: a message and its sender's receipt share one. */ #latestRev = 0;
  /** @type {Set<string>} */ #latestFacets = new Set();
  /** Told as new. @type {Set<number>} */ #told = new Set();
  /** A replay ended with `rev`; another event of that rev may have been under way. */ #moreOfRev = false;
  /** The server said that something may be missing. */ #suspect = false;
  #reset = false;

  /** In seq order. During a reset, what was there before as well. @returns {MessageState[]} */
  get messages() {
    const shown = new Map([...this.#stale].filter(([seq]) => seq <= this.lastSeq));
    for (const [seq, state] of this.#messages) if (seq >= this.oldestSeq) shown.set(seq, state);
    return [...shown.keys()].sort((a, b) => a - b).map((seq) => this.#quotes.givenTo(/** @type {MessageState} */ (shown.get(seq)), this.#messages));
  }

  /** What makes the view true again: the rest of a replay, changes since `rev`, the history anew, or the rest of the members. */
  get needs() {
    if (!this.started || this.#replayThrough !== null) return "replay";
    if (this.#reset) return "history";
    if (this.#suspect || this.rev < this.#target) return "changes";
    return this.members.cursor ? "members" : "nothing";
  }

  /** The rev to ask for changes since: everything through it has arrived for sure. */
  get resumeRev() {
    return this.#moreOfRev ? this.rev - 1 : this.rev;
  }

  /** The answer to our subscribe; what was missed follows as events through `throughRev`. @param {Subscribed} frame */
  subscribed(frame) {
    if (this.started && (frame.result === "reset" || frame.rev < this.rev)) this.#startAnew();
    if (!this.started || this.#reset || !frame.membersCursor) this.members = new Members(frame);
    else this.members.renew(frame); // who left meanwhile is told by the changes
    if (!this.started || this.#reset) {
      this.started = true;
      this.rev = this.#target = frame.rev;
      this.lastSeq = frame.lastSeq;
      this.oldestSeq = frame.lastSeq + 1;
      this.#moreOfRev = false;
      this.#replayThrough = null;
    } else {
      this.#replayThrough = frame.throughRev > this.rev ? frame.throughRev : null;
    }
    this.#suspect = false;
    this.#target = Math.max(this.#target, frame.rev);
  }

  /** Another tab subscribed on our socket: what was under way to us may have been covered by its answer. @param {number} rev */
  heardOf(rev) {
    this.#target = Math.max(this.#target, rev);
    if (rev < this.rev) this.#suspect = true;
  }

  /** No more events of the old connection come. */
  disconnected() {
    this.#held.clear();
    if (this.#replayThrough !== null) {
      this.#target = Math.max(this.#target, this.#replayThrough);
      this.#replayThrough = null;
    }
  }

  /** Events may be missing: a page of changes is needed, whatever the revs say. */
  resync() {
    this.#suspect = true;
  }

  /** A page of changes is being asked for; it answers all doubts up to now, none that come later. */
  fetching() {
    this.#suspect = false;
  }

  /** The store was replaced: no rev of ours means anything there. */
  abandon() {
    this.#startAnew();
    this.rev = this.#target = 0;
  }

  /** A live or replayed event. @param {ThreadEvent} event @returns {ThreadEvent[]} those that were applied, in rev order */
  receive(event) {
    if (!this.started) return [];
    if (this.#replayThrough !== null) {
      if (event.rev <= this.#replayThrough) return this.#replayed(event);
      this.#endReplay();
    }
    this.#target = Math.max(this.#target, event.rev);
    if (!this.#isNew(event)) return [];
    if (event.rev <= this.rev) return [this.#apply(event)];
    this.#held.set(event.rev, event);
    const applied = this.#applyHeld();
    if (this.#held.size > HELD_MAX) this.#held.clear();
    return applied;
  }

  /** Changes since `resumeRev`. @param {ChangesPage} page @returns {ThreadEvent[]} those that were applied, in rev order */
  receivePage(page) {
    this.#target = Math.max(this.#target, page.rev);
    const applied = page.items.flatMap((event) => (this.#isNew(event) ? [this.#apply(event)] : []));
    if (page.throughRev >= this.rev) {
      this.rev = page.throughRev;
      this.#moreOfRev = false;
    }
    return applied.concat(this.#applyHeld());
  }

  /** A page of history, in seq order. It extends the view if it joins it. @param {MessageState[]} items */
  receiveHistory(items) {
    for (const state of items) this.#putMessage(state);
    if (items.length && items[0].seq < this.oldestSeq && this.oldestSeq <= items[items.length - 1].seq + 1) {
      this.oldestSeq = items[0].seq;
    }
    this.#trim();
  }

  /** Title and metadata as they were read; live events tell what comes after. @param {Details} details */
  receiveDetails(details) {
    if (!this.details || details.rev >= this.details.rev) this.details = details;
  }

  /** The newest page of history after a reset: the view before it is let go. @param {MessageState[]} items */
  replace(items) {
    this.#reset = false;
    this.#stale.clear();
    this.receiveHistory(items);
  }

  // In a replay revs that were superseded are absent: a jump is no gap. Another event of the same rev may follow, so the
  // position stays one behind until a later one, or the end, shows that the rev is complete.
  /** @param {ThreadEvent} event */
  #replayed(event) {
    const applied = this.#isNew(event) ? [this.#apply(event)] : [];
    this.rev = Math.max(this.rev, event.rev - 1);
    if (event.rev === this.#replayThrough) {
      this.#endReplay();
      this.#moreOfRev = true;
    }
    return applied;
  }

  #endReplay() {
    if (this.#replayThrough !== null) this.rev = Math.max(this.rev, this.#replayThrough);
    this.#replayThrough = null;
  }

  #applyHeld() {
    const applied = [];
    for (let event; (event = this.#held.get(this.rev + 1)); ) {
      this.#held.delete(event.rev);
      applied.push(this.#apply(event));
      this.rev = event.rev;
      this.#moreOfRev = false;
    }
    for (const rev of this.#held.keys()) if (rev <= this.rev) this.#held.delete(rev);
    return applied;
  }

  /** @param {ThreadEvent} event */
  #isNew(event) {
    if (event.rev === this.#latestRev) return !this.#latestFacets.has(facet(event));
    return event.rev > Math.max(this.rev, this.#latestRev);
  }

  /** @param {ThreadEvent} event @returns {ThreadEvent} what it is to this view */
  #apply(event) {
    this.#change(event);
    this.#trim();
    if (event.rev !== this.#latestRev) {
      this.#latestRev = event.rev;
      this.#latestFacets.clear();
    }
    this.#latestFacets.add(facet(event));
    if (event.type !== "message") return event;
    // A page tells a message and its edit as one new message, also to those who heard of the message before.
    if (this.#told.has(event.data.seq)) return { ...event, type: "message_updated" };
    this.#told.add(event.data.seq);
    return event;
  }

  /** @param {ThreadEvent} event */
  #change(event) {
    switch (event.type) {
      case "message":
      case "message_updated":
      case "message_deleted":
        this.#putMessage(event.data);
        // Sending is reading: the sender's cursors move with the message, under its rev, without a receipt.
        return this.members.move(event.data.senderId, event.data.seq, event.data.seq);
      case "thread_updated":
        this.receiveDetails(event.data);
        return event.data.members.forEach((member) => this.members.put(member));
      case "member_added":
        return this.members.put(event.data);
      case "member_removed":
        return this.members.remove(event.data.userId, event.rev);
      case "delivered_receipt":
        return this.members.move(event.userId, 0, event.seq);
      case "read_receipt":
        return this.members.move(event.userId, event.seq, event.seq);
    }
  }

  /** @param {MessageState} state */
  #putMessage(state) {
    const known = this.#messages.get(state.seq);
    const bare = this.#quotes.takenFrom(state);
    if (!known || state.rev > known.rev) {
      this.#messages.set(state.seq, bare);
      this.#quotes.changed(bare);
    }
    this.lastSeq = Math.max(this.lastSeq, state.seq);
  }

  #trim() {
    const excess = this.#messages.size - MESSAGES_MAX;
    if (excess <= 0) return;
    const seqs = [...this.#messages.keys()].sort((a, b) => a - b);
    for (const seq of seqs.slice(0, excess + MESSAGES_MAX / 10)) {
      this.#messages.delete(seq);
      this.#told.delete(seq);
    }
    this.oldestSeq = Math.max(this.oldestSeq, seqs[excess + MESSAGES_MAX / 10]);
  }

  #startAnew() {
    const shown = [...this.#messages].filter(([seq]) => seq >= this.oldestSeq);
    if (shown.length) this.#stale = new Map(shown);
    this.#messages.clear();
    this.#told.clear();
    this.#quotes = new Quotes();
    this.#held.clear();
    this.#replayThrough = null;
    if (this.details) this.details = { ...this.details, rev: 0 }; // whatever the store says now is newer
    this.#latestRev = 0;
    this.#latestFacets.clear();
    this.#reset = true;
  }
}
