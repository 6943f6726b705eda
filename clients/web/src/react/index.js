/**
 * Chatterbus for React 18 and newer: hooks, and the thread element as a component. No JSX, so nothing is to be built.
 */

export { ChatThread } from "./chat-thread.js";
export { useChatClient } from "./use-chat-client.js";
export { useConnection } from "./use-connection.js";
export { usePresence } from "./use-presence.js";
export { useThread } from "./use-thread.js";
export { useUnread } from "./use-unread.js";
export { useWebSocket } from "./use-web-socket.js";
