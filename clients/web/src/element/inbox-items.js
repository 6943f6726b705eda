/**
 * The threads of an inbox, pure: from pages of the list, live messages and unread notices to rows in their order.
 *
 * Promises that the newest activity is first, that a thread is there once, and that an older word never replaces a newer.
 */

/** @typedef {import("../core/types.js").ThreadSummary} ThreadSummary */
/** @typedef {import("../core/types.js").UnreadItem} UnreadItem */
/** @typedef {{seq: number, senderId: string, content: string, deleted: boolean, createdAt: string}} Preview */
/** @typedef {Pick<ThreadSummary, "id" | "title" | "members" | "lastSeq" | "unread"> & {key: string, at: string, last: Preview | null, mentions: number, muted: boolean}} InboxItem */

export class InboxItems {
  /** By thread. @type {Map<string, InboxItem>} */ all = new Map();

  /** Newest activity first. @returns {InboxItem[]} */
  get sorted() {
    return [...this.all.values()].sort((a, b) => Number(a.at < b.at) - Number(a.at > b.at));
  }

  /** A page of the list. @param {readonly ThreadSummary[]} page @param {ReadonlyMap<string, UnreadItem>} notices */
  addPage(page, notices) {
    for (const { id, title, members, lastSeq, lastMessageAt, createdAt, lastMessage, own, unread } of page) {
      const known = this.all.get(id);
      const item = {
        id, key: id, title, members, lastSeq, unread, at: lastMessageAt ?? createdAt, last: lastMessage,
        mentions: notices.get(id)?.mentions ?? 0, muted: own.muted,
      };
      this.all.set(id, item);
      if (known?.last) this.setMessage(id, known.last);
    }
  }

  /** @param {string} id @param {Partial<InboxItem>} news */
  set(id, news) {
    const item = this.all.get(id);
    if (item) this.all.set(id, { ...item, ...news });
  }

  /** A message, new or changed. @param {string} id @param {Preview} last */
  setMessage(id, last) {
    if (last.seq >= (this.all.get(id)?.lastSeq ?? 0)) this.set(id, { last, lastSeq: last.seq, at: last.createdAt });
  }

  /** @param {string} id @param {UnreadItem} [notice] none: everything is read */
  setUnread(id, notice) {
    this.set(id, notice ? { unread: notice.unread, mentions: notice.mentions, muted: notice.muted } : { unread: 0, mentions: 0 });
    if (notice?.lastMessage) this.setMessage(id, notice.lastMessage);
  }
}
