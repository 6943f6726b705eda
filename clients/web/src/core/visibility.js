/** Whether a person may see this page; outside a page (Node, a worker) it counts as seen. */
export const isVisible = () => globalThis.document?.visibilityState !== "hidden";
