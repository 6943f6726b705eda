/** Loads what is not needed at first. Promises to ask until it is there: a page may have lost its network by then. */

const AGAIN_MS = 5000;

/** @template T @param {() => Promise<T>} load @returns {Promise<T>} */
export async function later(load) {
  for (;;) {
    try {
      return await load();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
}
