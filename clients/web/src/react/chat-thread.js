/**
 * <ChatThread>: the <chatterbus-thread> element as a component.
 *
 * Promises: the element's module is loaded when the first one is mounted, so rendering on a server works and shows an
 * empty element; client and thread are set as properties, whatever React's version does with attributes; other props
 * (className, style, id ...) reach the element.
 */

import { createElement, useEffect, useRef } from "react";

/** @typedef {import("../core/client.js").ChatClient} ChatClient */
/** @typedef {HTMLElement & {client: ChatClient | null, threadId: string | null}} ThreadElement */

/**
 * @param {{client: ChatClient | null, threadId: string, className?: string} & Record<string, unknown>} props
 */
export function ChatThread({ client, threadId, className, ...others }) {
  const element = useRef(/** @type {ThreadElement | null} */ (null));
  useEffect(() => {
    let gone = false;
    // Properties set before the element is defined would hide its own.
    import("../element/index.js").then(() => {
      if (gone || !element.current) return;
      element.current.client = client;
      element.current.threadId = threadId;
    });
    return () => {
      gone = true;
    };
  }, [client, threadId]);
  // React 18 writes className of a custom element as it stands.
  return createElement("chatterbus-thread", { ...others, class: className, ref: element });
}
