// The server's side of one thread: every change takes the next rev, changes-since are current states.
//
// Told the hard way on purpose: revs that were superseded are absent, a message's rev is also its sender's read receipt's,
// and a membership keeps the rev of its own last change when a cursor moves.

export const AT = "2026-01-31T12:00:00.000Z";
const LAST_SEQ = (messageId) => Number(messageId.split("~").at(-1));

export class ThreadModel {
  rev = 0;
  lastSeq = 0;
  title = null;
  metadata = null;
  /** How many members a frame names, and a page holds. */ membersLimit = 500;
  #titleRev = 0;
  messages = new Map();
  #createdRevs = new Map();
  #members = new Map();
  #byClientId = new Map();

  constructor(id, members = []) {
    this.id = id;
    for (const userId of members) this.join(userId);
  }

  // --- what happens; each gives the live events ---

  join(userId, role = "member") {
    const row = this.#members.get(userId);
    if (row && !row.removed && row.state.role === role) return [];
    const { deliveredSeq = 0, readSeq = 0 } = row?.state ?? {};
    const state = { userId, userType: "user", role, deliveredSeq, readSeq, joinedAt: AT, rev: this.#nextRev() };
    this.#members.set(userId, { readRev: 0, deliveredRev: 0, ...row, state, removed: false, membershipRev: state.rev });
    return [this.#event("member_added", state.rev, { data: state })];
  }

  remove(userId) {
    const row = this.#members.get(userId);
    if (!row || row.removed) return [];
    row.removed = true;
    row.membershipRev = this.#nextRev();
    row.state = { ...row.state, rev: row.membershipRev };
    return [this.#event("member_removed", row.membershipRev, { data: row.state })];
  }

  retitle(title, metadata = null) {
    Object.assign(this, { title, metadata });
    this.#titleRev = this.#nextRev();
    return [this.#threadEvent()];
  }

  /** The same clientMessageId again is the same message, and nothing happens. */
  send(senderId, clientMessageId, content, { replyToId = null, ...fields } = {}) {
    if (this.sent(senderId, clientMessageId)) return [];
    const seq = (this.lastSeq += 1);
    const state = {
      id: `${this.id}~${seq}`, threadId: this.id, seq, rev: this.#nextRev(), senderId, senderType: "user", clientMessageId, content,
      messageType: "text", edited: false, editedAt: null, deleted: false, deletedAt: null, replyToId, createdAt: AT, updatedAt: AT,
      attachments: [], mentions: [], metadata: null, reactions: [], replyTo: null, ...fields,
    };
    this.messages.set(seq, state);
    this.#createdRevs.set(seq, state.rev);
    this.#byClientId.set(`${senderId} ${clientMessageId}`, seq);
    const row = this.#members.get(senderId);
    if (row) {
      row.state = { ...row.state, readSeq: seq, deliveredSeq: seq, rev: state.rev };
      row.readRev = row.deliveredRev = state.rev;
    }
    return [this.#messageEvent(state, state.rev - 1)];
  }

  sent(senderId, clientMessageId) {
    return this.messages.get(this.#byClientId.get(`${senderId} ${clientMessageId}`));
  }

  edit(seq, content) {
    return this.#change(seq, { content, edited: true, editedAt: AT });
  }

  delete(seq) {
    return this.#change(seq, { content: "", deleted: true, deletedAt: AT, reactions: [], attachments: [], mentions: [], metadata: null });
  }

  react(userId, seq, emoji) {
    return this.#change(seq, { reactions: [{ emoji, count: 1, userIds: [userId] }] });
  }

  read(userId, seq) {
    const row = this.#members.get(userId);
    const to = Math.min(seq, this.lastSeq);
    if (!row || row.removed || to <= row.state.readSeq) return [];
    row.readRev = this.#nextRev();
    if (to > row.state.deliveredSeq) row.deliveredRev = row.readRev;
    row.state = { ...row.state, readSeq: to, deliveredSeq: Math.max(to, row.state.deliveredSeq), rev: row.readRev };
    return [this.#receipt("read_receipt", row.readRev, userId, to)];
  }

  deliver(userId, seq) {
    const row = this.#members.get(userId);
    const to = Math.min(seq, this.lastSeq);
    if (!row || row.removed || to <= row.state.deliveredSeq) return [];
    row.deliveredRev = this.#nextRev();
    row.state = { ...row.state, deliveredSeq: to, rev: row.deliveredRev };
    return [this.#receipt("delivered_receipt", row.deliveredRev, userId, to)];
  }

  // --- what is asked ---

  changes(sinceRev, limit = 500) {
    const items = [...this.messages.values()].map((state) => this.#messageEvent(state, sinceRev));
    for (const { state, removed, membershipRev, readRev, deliveredRev } of this.#members.values()) {
      items.push(this.#event(removed ? "member_removed" : "member_added", membershipRev, { data: state }));
      if (!removed && readRev) items.push(this.#receipt("read_receipt", readRev, state.userId, state.readSeq));
      if (!removed && state.deliveredSeq > state.readSeq) {
        items.push(this.#receipt("delivered_receipt", deliveredRev, state.userId, state.deliveredSeq));
      }
    }
    if (this.#titleRev) items.push(this.#threadEvent());
    const due = items.filter(({ rev }) => rev > sinceRev).sort((a, b) => a.rev - b.rev || (a.type < b.type ? -1 : 1));
    let end = Math.min(limit, due.length);
    while (end < due.length && due[end].rev === due[end - 1].rev) end += 1; // a rev is told whole
    const complete = end === due.length;
    const page = due.slice(0, end);
    return { threadId: this.id, items: page, throughRev: complete ? this.rev : page.at(-1).rev, rev: this.rev, complete, nextCursor: null };
  }

  history({ beforeSeq = Infinity, limit = 50 } = {}) {
    const seqs = [...this.messages.keys()].filter((seq) => seq < beforeSeq).slice(-limit);
    return { items: seqs.map((seq) => this.quoted(seq)), nextCursor: null };
  }

  /** A message as history shows it. */
  quoted(seq) {
    const state = this.messages.get(seq);
    if (!state.replyToId) return state;
    const { id, senderId, content, deleted } = this.messages.get(LAST_SEQ(state.replyToId));
    return { ...state, replyTo: { id, senderId, content: content.slice(0, 200), deleted } };
  }

  /** The answer to a subscribe, and the events that follow it. */
  sync(sinceRev, { limit = 500, ref, reader = "alice" } = {}) {
    const page = sinceRev != null && sinceRev <= this.rev ? this.changes(sinceRev, limit) : null;
    const result = sinceRev == null ? "complete" : !page ? "reset" : page.complete ? "complete" : "page";
    const { rev, lastSeq } = this;
    const members = this.named(reader);
    const subscribed = { type: "subscribed", threadId: this.id, rev, throughRev: page?.throughRev ?? rev, lastSeq, ...members, result, ref };
    return [subscribed, ...(page?.items ?? [])];
  }

  get members() {
    return [...this.#members.values()].filter(({ removed }) => !removed).map(({ state }) => state);
  }

  /** The first by user id, and the reader; where the others go on. */
  named(reader) {
    const { members } = this;
    const page = this.receipts();
    if (!page.nextCursor) return { members };
    const own = members.filter(({ userId }) => userId === reader && userId > page.nextCursor);
    return { members: [...page.items, ...own], memberCount: members.length, membersCursor: page.nextCursor };
  }

  receipts(cursor = "") {
    const behind = this.members.filter(({ userId }) => userId > cursor).sort((a, b) => (a.userId < b.userId ? -1 : 1));
    const items = behind.slice(0, this.membersLimit);
    return { threadId: this.id, items, nextCursor: behind.length > items.length ? items.at(-1).userId : null };
  }

  get details() {
    const { id, title, metadata, lastSeq, rev } = this;
    return { id, title, metadata, createdBy: "alice", createdAt: AT, lastSeq, rev, lastMessageAt: null, members: [] };
  }

  detail(userId) {
    const readSeq = this.#members.get(userId)?.state.readSeq ?? 0;
    const own = { readSeq, unread: this.lastSeq - readSeq, markedUnreadSeq: null, archived: false, muted: false, showReceipts: true };
    return { ...this.details, ...this.named(userId), own };
  }

  // --- inside ---

  #nextRev() {
    return (this.rev += 1);
  }

  #change(seq, fields) {
    const known = this.messages.get(seq);
    if (!known || known.deleted) return [];
    const state = { ...known, ...fields, rev: this.#nextRev() };
    this.messages.set(seq, state);
    return [this.#messageEvent(state, state.rev - 1)];
  }

  #event(type, rev, more) {
    return { type, threadId: this.id, rev, ...more };
  }

  #threadEvent() {
    return this.#event("thread_updated", this.#titleRev, { data: this.details });
  }

  #receipt(type, rev, userId, seq) {
    return this.#event(type, rev, { userId, messageId: `${this.id}~${seq}`, seq, at: AT });
  }

  /** As told to somebody who has seen everything through `knownRev`: what is new to them is a new message. */
  #messageEvent(state, knownRev) {
    const isNew = this.#createdRevs.get(state.seq) > knownRev;
    return this.#event(state.deleted ? "message_deleted" : isNew ? "message" : "message_updated", state.rev, { data: state });
  }
}
