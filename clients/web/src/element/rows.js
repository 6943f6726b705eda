/**
 * What a list shows, from the messages it has: days, the unread divider, and messages in groups of one sender.
 *
 * Promises a key for each row that is the same for as long as the row means the same.
 */

/** @typedef {import("../core/types.js").Message} Message */
/**
 * @typedef {object} Row
 * @property {string} key
 * @property {string} [day] when a day begins: a moment of it
 * @property {Message} [message] neither: the unread divider
 * @property {boolean} [first] of its group
 * @property {boolean} [last] of its group
 */

/** A pause after which a sender is named again. */
const GROUP_GAP_MS = 5 * 60e3;

/**
 * @param {readonly Message[]} messages
 * @param {{key(at: string): string | number}} calendar
 * @param {{unreadAfter?: number | null, me?: string}} [options] unreadAfter: the seq up to which all was read, null: no divider
 * @returns {Row[]}
 */
export function rows(messages, calendar, { unreadAfter = null, me } = {}) {
  /** @type {Row[]} */
  const made = [];
  /** @type {string | number | undefined} */
  let day;
  let divided = unreadAfter === null;
  /** @type {Row | undefined} */
  let before;
  for (const message of messages) {
    const today = calendar.key(message.createdAt);
    if (today !== day) {
      made.push({ key: `day ${today}`, day: message.createdAt });
      before = undefined;
    }
    day = today;
    if (!divided && message.seq > /** @type {number} */ (unreadAfter) && message.senderId !== me) {
      made.push({ key: "unread" });
      before = undefined;
      divided = true;
    }
    const joined = before !== undefined && continues(/** @type {Message} */ (before.message), message);
    if (joined && before) before.last = false;
    before = { key: message.key, message, first: !joined, last: true };
    made.push(before);
  }
  return made;
}

/** @param {Message} earlier @param {Message} later */
function continues(earlier, later) {
  return (
    earlier.senderId === later.senderId &&
    earlier.messageType !== "system" &&
    later.messageType !== "system" &&
    Date.parse(later.createdAt) - Date.parse(earlier.createdAt) < GROUP_GAP_MS
  );
}
