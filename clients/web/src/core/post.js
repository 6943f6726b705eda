/**
 * A message by HTTP, as if it had gone by the socket.
 *
 * Promises: the server's answer is a frame, the one that the socket would have brought; whatever goes wrong is one too.
 */

import { MESSAGES } from "./http.js";

/** @param {import("./http.js").Http} http @param {import("./types.js").OutboxEntry} entry @returns {Promise<import("./protocol.js").ServerFrame>} */
export async function post(http, { clientMessageId, threadId, frame: { type: _, ...body } }) {
  try {
    const { id, seq } = (await http.call("POST", MESSAGES, { body })) ?? {};
    return { type: "message_ack", clientMessageId, threadId, status: seq ? "sent" : "queued", serverMessageId: id, seq };
  } catch (/** @type {any} */ error) {
    return { type: "error", ...error, message: error.message, clientMessageId };
  }
}
