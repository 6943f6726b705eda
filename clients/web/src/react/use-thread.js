/**
 * useThread: a thread as React sees it, and what can be done in it.
 *
 * Promises: follows the thread while the component is mounted; renders again when something of it changed and only then;
 * `messages` and each message keep their identity while they stay the same, so memoised rows are not rendered again. The
 * actions are the same functions for as long as client and thread are.
 */

import { useMemo } from "react";

import { useSource } from "./subscription.js";

/** @typedef {import("../core/client.js").ChatClient} ChatClient */
/** @typedef {import("../core/thread.js").Thread} Thread */
/** @typedef {import("../core/types.d.ts").Message} Message */
/** @typedef {import("../core/types.d.ts").Member} Member */

/**
 * @typedef {object} ThreadSnapshot
 * @property {string} id
 * @property {string | null} title
 * @property {Record<string, unknown> | null} metadata
 * @property {ReadonlyMap<string, Member>} members
 * @property {readonly Message[]} messages
 * @property {readonly string[]} typing
 * @property {number} lastSeq
 * @property {number} readSeq
 * @property {boolean} hasOlder
 * @property {boolean} loadingOlder
 * @property {boolean} caughtUp
 */

/** @type {ThreadSnapshot} */
const EMPTY = Object.freeze({
  id: "",
  title: null,
  metadata: null,
  members: new Map(),
  messages: Object.freeze([]),
  typing: Object.freeze([]),
  lastSeq: 0,
  readSeq: 0,
  hasOlder: false,
  loadingOlder: false,
  caughtUp: false,
});

/** @param {Thread} thread @returns {ThreadSnapshot} */
function read(thread) {
  const { id, title, metadata, members, messages, typing, lastSeq, readSeq, hasOlder, loadingOlder, caughtUp } = thread;
  // The thread changes its members in place.
  return { id, title, metadata, members: new Map(members), messages, typing, lastSeq, readSeq, hasOlder, loadingOlder, caughtUp };
}

/** @param {Thread} thread */
function follow(thread) {
  thread.open();
  return () => thread.close();
}

/** @param {Thread | null} thread */
function actionsOf(thread) {
  const here = () => {
    if (!thread) throw new Error("there is no client yet: useChatClient returns null until it is mounted");
    return thread;
  };
  return {
    /** @param {import("../core/types.d.ts").Draft} draft */
    send: (draft) => here().send(draft),
    /** @param {string} clientMessageId */
    retry: (clientMessageId) => here().retry(clientMessageId),
    /** @param {string} clientMessageId */
    discard: (clientMessageId) => here().discard(clientMessageId),
    /** @param {string} messageId @param {string} content */
    edit: (messageId, content) => here().edit(messageId, content),
    /** @param {string} messageId */
    delete: (messageId) => here().delete(messageId),
    /** @param {string} messageId @param {string} emoji @param {boolean} [on] */
    react: (messageId, emoji, on) => here().react(messageId, emoji, on),
    /** @param {number} [limit] */
    loadOlder: (limit) => here().loadOlder(limit),
    /** @param {number} [seq] */
    markRead: (seq) => here().markRead(seq),
    /** @param {number} seq */
    markUnread: (seq) => here().markUnread(seq),
    /** @param {boolean} isTyping */
    setTyping: (isTyping) => here().setTyping(isTyping),
    /** @param {File | Blob} file @param {import("../core/types.d.ts").UploadOptions} [options] */
    upload: (file, options) => here().upload(file, options),
    /** @param {import("../core/types.d.ts").AttachmentState} attachment @param {{thumbnail?: boolean}} [options] */
    attachmentUrl: (attachment, options) => here().attachmentUrl(attachment, options),
  };
}

/**
 * @param {ChatClient | null} client as useChatClient returns it
 * @param {string} threadId
 * @returns {ThreadSnapshot & ReturnType<typeof actionsOf>}
 */
export function useThread(client, threadId) {
  const thread = useMemo(() => client?.thread(threadId) ?? null, [client, threadId]);
  const actions = useMemo(() => actionsOf(thread), [thread]);
  const snapshot = useSource(thread, ["change"], read, EMPTY, follow);
  return useMemo(() => ({ ...snapshot, ...actions }), [snapshot, actions]);
}
