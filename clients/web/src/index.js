/**
 * Chatterbus in the browser: a client, its threads, and nothing to install or build.
 *
 * Promises what each class promises; nothing else is public.
 */

export { ChatClient } from "./core/client.js";
export { ChatError } from "./core/errors.js";
export { Thread } from "./core/thread.js";
/** @typedef {import("./core/types.js").Message} Message */
/** @typedef {import("./core/types.js").ClientOptions} ClientOptions */
