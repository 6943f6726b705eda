/**
 * What a client has need of a moment after it was told to connect: it comes while the socket opens.
 *
 * Without it (it could not be loaded) messages are sent by the socket alone and do not survive the page, nobody's
 * presence is known, and whatever HTTP refuses is "no answer".
 */

export { blobUrl, upload } from "./files.js";
export { openStore } from "./outbox-store.js";
export { ownerOf } from "./owner.js";
export { watchPage } from "./page.js";
export { post } from "./post.js";
export { PresenceWatch } from "./presence-watch.js";
export { refusal } from "./refusal.js";
