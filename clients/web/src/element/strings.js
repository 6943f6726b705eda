/**
 * What the elements say, in English. A page replaces any of it with the `strings` property: texts by texts, functions by
 * functions of the same arguments. Days and times are Intl's.
 */

/** @param {number} n @param {string} one @param {string} many */
const count = (n, one, many) => `${n} ${n === 1 ? one : many}`;

/** @typedef {typeof ENGLISH} Strings */
export const ENGLISH = {
  messages: "Messages",
  threads: "Threads",
  noMessages: "No messages yet",
  noThreads: "No threads yet",
  loading: "Loading…",
  you: "You",
  unread: "New",
  edited: "edited",
  deleted: "This message was deleted",
  readOnly: "You can read this thread, but not write in it",
  lost: "This thread is not available",
  signedOut: "You are signed out",
  /** @param {number} n */
  newMessages: (n) => count(n, "new message", "new messages"),
  toEnd: "To the newest message",
  /** @param {readonly string[]} names */
  typing: (names) =>
    names.length > 2
      ? "Several people are typing…"
      : names.length === 2
        ? `${names[0]} and ${names[1]} are typing…`
        : `${names[0]} is typing…`,

  sending: "Sending",
  queued: "Waiting to be stored",
  sent: "Sent",
  delivered: "Delivered",
  read: "Read",
  failed: "Not sent",
  retry: "Try again",
  discard: "Discard",

  react: "Add a reaction",
  otherEmoji: "Another emoji",
  /** @param {string} emoji @param {readonly string[]} names */
  reaction: (emoji, names) => `${emoji} ${names.join(", ")}`,
  reply: "Reply",
  edit: "Edit",
  remove: "Delete",
  removeSurely: "Really delete?",
  actions: "Message actions",
  /** @param {string} name */
  replyingTo: (name) => `Reply to ${name}`,
  editing: "Edit message",
  cancel: "Cancel",

  compose: "Write a message",
  send: "Send",
  attach: "Attach files",
  file: "File",
  /** @param {string} name */
  uploading: (name) => `Uploading ${name}`,
  /** @param {string} name */
  removeFile: (name) => `Remove ${name}`,
  /** @param {string} name */
  openPicture: (name) => `Open picture ${name}`,
  /** @param {string} name */
  download: (name) => `Download ${name}`,
  close: "Close",

  online: "Online",
  away: "Away",
  dnd: "Do not disturb",
  offline: "Offline",
  invisible: "Invisible",
  /** @param {string} ago */
  lastSeen: (ago) => `Last seen ${ago}`,
  /** @param {number} members @param {number} here */
  members: (members, here) => count(members, "member", "members") + (here ? `, ${here} online` : ""),

  connecting: "Connecting…",
  catchingUp: "Catching up…",
  /** @param {number} waiting */
  disconnected: (waiting) => (waiting ? `Offline, ${waiting} waiting to be sent` : "Offline"),
  closed: "Disconnected",

  muted: "Muted",
  /** @param {number} n */
  unreadCount: (n) => `${n} unread`,
  /** @param {number} n */
  mentions: (n) => count(n, "mention", "mentions"),
};
