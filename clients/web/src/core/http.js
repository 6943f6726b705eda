/**
 * REST as the client needs it: who speaks, one dead-line, and a refusal that is the server's own.
 *
 * Promises: a call ends within 15 s, its answer's last byte included (of a file: how long it takes is the browser's affair);
 * whatever goes wrong is a ChatError. A call refused because of its token is repeated once with a fresh one. Nothing
 * else is repeated here. Ids are escaped: a strange one never leads to another address.
 */

import { ChatError, OF_THE_TOKEN } from "./errors.js";

/** @typedef {Record<string, string | number | boolean | null | undefined>} Query */

const DEADLINE_MS = 15_000;

const THREADS = "/api/chat/threads";
const MESSAGES = "/api/chat/messages";
export const FILES = "/api/chat/attachments";

/** No id has a dot in it, and two of them, escaped or not, lead out of the route. @param {string} id */
const segment = (id) => encodeURIComponent(id).replace(/\./g, "%252E");
/** @param {string} id */
export const threadPath = (id) => `${THREADS}/${segment(id)}`;
/** @param {string} id */
export const messagePath = (id) => `${MESSAGES}/${segment(id)}`;
export { MESSAGES, THREADS };

export class Http {
  #identity;
  #fetch;
  #clock;

  /** @param {string} base @param {import("./identity.js").Identity} identity @param {typeof globalThis.fetch} fetch @param {import("./types.js").Clock} clock */
  constructor(base, identity, fetch, clock) {
    this.base = base;
    this.#identity = identity;
    this.#fetch = fetch;
    this.#clock = clock;
  }

  /** @param {string} path @param {Query} [query] @returns {Promise<any>} */
  get(path, query) {
    return this.call("GET", path, { query });
  }

  /** The answer's JSON. @param {string} method @param {string} path @param {{query?: Query, body?: unknown}} [more] @returns {Promise<any>} */
  call(method, path, { query, body } = {}) {
    const init = { method, body: body === undefined ? undefined : JSON.stringify(body) };
    return this.request(path, query, init, async (response) => {
      const text = await response.text();
      return text ? JSON.parse(text) : null;
    });
  }

  /** @template [T=Response] @param {string} path @param {Query} [query] @param {RequestInit} [init] @param {(response: Response) => any} [read] what is to be had in time @returns {Promise<T>} of a good answer */
  request(path, query, init, read = (response) => response) {
    return this.renewing((headers) => {
      if (typeof init?.body === "string") headers["Content-Type"] = "application/json";
      return this.#bounded(this.url(path, query), { ...init, headers }, read);
    });
  }

  /** Once more with a fresh token, if the first was refused. @template T @param {(headers: Record<string, string>) => Promise<T>} attempt @returns {Promise<T>} */
  async renewing(attempt) {
    try {
      return await attempt(await this.#identity.headers());
    } catch (error) {
      if (!(error instanceof ChatError) || !OF_THE_TOKEN.has(error.code) || !this.#identity.canRenew) throw error;
      return attempt(await this.#identity.headers(true));
    }
  }

  /** @param {string} path @param {Query} [query] */
  url(path, query = {}) {
    const given = Object.entries(query).filter(([, value]) => value != null);
    const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
    return this.base + path + (search && `?${search}`);
  }

  /** @param {string} url @param {RequestInit} init @param {(response: Response) => any} read */
  async #bounded(url, init, read) {
    const late = new AbortController();
    // What has a signal of its own, as a file, takes as long as it takes.
    const timer = init.signal ? null : this.#clock.setTimeout(() => late.abort(), DEADLINE_MS);
    try {
      const response = await this.#fetch(url, { signal: late.signal, ...init });
      if (!response.ok) throw await (await import("./later.js")).refusal(response);
      return await read(response);
    } catch (error) {
      if (error instanceof ChatError) throw error;
      if (init.signal?.aborted) throw new ChatError("ABORTED", "stopped");
      // Or a proxy's page, or an answer that was cut: nothing that could be trusted.
      throw new ChatError("NETWORK", "no answer", { retryable: true, fate: "unknown" });
    } finally {
      this.#clock.clearTimeout(timer);
    }
  }
}
