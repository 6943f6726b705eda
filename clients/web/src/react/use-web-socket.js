/**
 * useWebSocket: the frames of the protocol, for a component that handles them itself.
 *
 * Promises: one socket while the component is mounted, authenticated, coming back by itself; the callbacks may be new
 * functions each time, the latest are called; `sendMessage` stays the same function. Keeps no messages (see FrameSocket):
 * useChatClient and useThread do.
 */

import { useCallback, useEffect, useRef, useState } from "react";

import { FrameSocket } from "./frame-socket.js";

/** @typedef {import("./frame-socket.js").Frame} Frame */
/** @typedef {import("./frame-socket.js").FrameSocketOptions} FrameSocketOptions */
/**
 * @typedef {Pick<FrameSocketOptions, "onOpen" | "onClose" | "onError" | "onMessage" | "WebSocket"> & {
 *   url?: string,
 *   token?: FrameSocketOptions["token"],
 *   userId?: string,
 *   userType?: string,
 *   threadId?: string,
 * }} WebSocketOptions
 */

const NOT_YET = { isConnected: false, reconnectAttempt: 0 };

/**
 * @param {WebSocketOptions} options `url`: of the gateway, the page's origin by default; `userId`: development mode only;
 *   `threadId`: also subscribes to it
 * @returns {{isConnected: boolean, sendMessage: (frame: Frame) => boolean, reconnectAttempt: number}}
 *   `sendMessage` says whether the frame was written
 */
export function useWebSocket(options) {
  const [state, setState] = useState(NOT_YET);
  const latest = useRef(options);
  const socket = useRef(/** @type {FrameSocket | null} */ (null));
  useEffect(() => {
    latest.current = options;
  });

  const { url, userId, userType, threadId } = options;
  const renewed = typeof options.token === "function";
  const fixed = typeof options.token === "string" ? options.token : undefined;
  useEffect(() => {
    const made = new FrameSocket({
      url: url ?? globalThis.location.origin,
      token: renewed ? () => tokenOf(latest.current.token) : fixed,
      auth: { userId, userType, threadId },
      changed: (now) => made === socket.current && setState(now),
      onOpen: (welcome) => latest.current.onOpen?.(welcome),
      onClose: (closed) => latest.current.onClose?.(closed),
      onError: (error) => latest.current.onError?.(error),
      onMessage: (frame) => latest.current.onMessage?.(frame),
      WebSocket: latest.current.WebSocket,
    });
    socket.current = made;
    return () => {
      socket.current = null;
      setState(NOT_YET);
      made.close();
    };
  }, [url, renewed, fixed, userId, userType, threadId]);

  const sendMessage = useCallback(/** @param {Frame} frame */ (frame) => socket.current?.send(frame) ?? false, []);
  return { ...state, sendMessage };
}

/** @param {WebSocketOptions["token"]} token */
async function tokenOf(token) {
  return (await (typeof token === "function" ? token() : token)) ?? "";
}
