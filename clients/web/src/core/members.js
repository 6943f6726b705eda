/**
 * Who is in a thread, by user id, and how far each is. Pure.
 *
 * Promises: cursors only move forward, and an older state never replaces a later one. Of a large thread the first members
 * are named; until the pages of the others are here, `cursor` says where they go on. They are read again on a new
 * connection, since there a server need not tell each receipt; whoever is known stays known meanwhile. A page may have
 * been read before what was told of its members since: who was removed does not come back with it, and no cursor moves
 * back.
 */

/** @typedef {import("./protocol.js").MemberState} MemberState */
/** What is told of one who may not be known yet. @typedef {Pick<MemberState, "rev" | "readSeq" | "deliveredSeq">} Told */

const NOTHING = { rev: 0, readSeq: 0, deliveredSeq: 0 };

/** @extends {Map<string, MemberState>} */
export class Members extends Map {
  /** Where those go on that are not known yet. @type {string | null | undefined} */ cursor;
  /** Of those whose page is still to come. @type {Map<string, Told>} */ #told = new Map();

  /** @param {{members: MemberState[], membersCursor?: string | null}} named */
  constructor({ members, membersCursor }) {
    super(members.map((member) => [member.userId, member]));
    this.cursor = membersCursor;
    this.isComplete = !membersCursor;
  }

  /** The first are named again, and the others are to be read again. @param {{members: MemberState[], membersCursor?: string | null}} named */
  renew({ members, membersCursor }) {
    for (const member of members) this.put(member);
    this.cursor = membersCursor;
  }

  /** Further ones, from `cursor` on. @param {{items: MemberState[], nextCursor?: string | null}} page */
  receive({ items, nextCursor }) {
    for (const member of items) {
      const { rev, readSeq, deliveredSeq } = this.#told.get(member.userId) ?? NOTHING;
      if (member.rev <= rev) continue;
      this.put(member);
      this.move(member.userId, readSeq, deliveredSeq);
    }
    this.cursor = nextCursor;
    if (nextCursor) return;
    this.isComplete = true;
    this.#told.clear();
  }

  /** @param {MemberState} state */
  put(state) {
    const known = this.get(state.userId);
    if (!known || state.rev >= known.rev) this.set(state.userId, state);
    // A receipt may have been applied since this state was read.
    if (known) this.move(state.userId, known.readSeq, known.deliveredSeq);
  }

  /** @param {string} userId @param {number} readSeq @param {number} deliveredSeq */
  move(userId, readSeq, deliveredSeq) {
    const member = this.get(userId);
    const known = member ?? this.#told.get(userId) ?? NOTHING;
    if (known.readSeq >= readSeq && known.deliveredSeq >= deliveredSeq) return;
    const cursors = { readSeq: Math.max(known.readSeq, readSeq), deliveredSeq: Math.max(known.deliveredSeq, deliveredSeq) };
    if (member) this.set(userId, { ...member, ...cursors });
    else if (this.cursor) this.#told.set(userId, { ...known, ...cursors });
  }

  /** @param {string} userId @param {number} rev */
  remove(userId, rev) {
    if ((this.get(userId)?.rev ?? Infinity) <= rev) this.delete(userId);
    if (this.cursor) this.#told.set(userId, { ...NOTHING, rev });
  }
}
