/**
 * useChatClient: a client for as long as a component is mounted.
 *
 * Promises: connects after mounting and closes after unmounting, never on a server; the same options, by value, keep the
 * same client; a token callback may be a new function each time, the latest is called. Who speaks, and where to, are what
 * makes another client.
 */

import { useEffect, useRef, useState } from "react";

import { ChatClient } from "../core/client.js";

/** @typedef {import("../core/types.d.ts").ClientOptions} ClientOptions */

/** Tokens that are strings belong to the identity: another one is another session. @param {ClientOptions} options */
function identityOf({ url, token, userId, userType, name, deviceId }) {
  return JSON.stringify([url, typeof token === "function" ? true : token, userId, userType, name, deviceId]);
}

/**
 * @param {ClientOptions} options as for ChatClient
 * @returns {ChatClient | null} null until mounted
 */
export function useChatClient(options) {
  const [client, setClient] = useState(/** @type {ChatClient | null} */ (null));
  const latest = useRef(options);
  useEffect(() => {
    latest.current = options;
  });
  const identity = identityOf(options);
  useEffect(() => {
    const { token, ...others } = latest.current;
    const fresh = typeof token === "function" ? () => current(latest.current.token) : token;
    const made = new ChatClient({ ...others, token: fresh });
    setClient(made);
    // Whether it ever gets through is told by its state; connect() rejecting would only say it twice.
    made.connect().catch(() => {});
    return () => {
      made.close();
      setClient(null);
    };
  }, [identity]);
  return client;
}

/** @param {ClientOptions["token"]} token @returns {Promise<string>} */
async function current(token) {
  return (await (typeof token === "function" ? token() : token)) ?? "";
}
