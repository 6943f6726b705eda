/**
 * <chatterbus-thread> and <chatterbus-inbox>, defined by loading this module.
 *
 * Promises to define each name once, and to do nothing where there is no DOM.
 */

import { InboxElement } from "./inbox-element.js";
import { ThreadElement } from "./thread-element.js";

export { ENGLISH } from "./strings.js";
export { InboxElement, ThreadElement };

const elements = { "chatterbus-thread": ThreadElement, "chatterbus-inbox": InboxElement };

if (globalThis.customElements) {
  for (const [name, element] of Object.entries(elements)) {
    if (!customElements.get(name)) customElements.define(name, element);
  }
}
