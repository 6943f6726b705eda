// A browser's tabs, as far as they know of each other: Web Locks and BroadcastChannels.

export class FakeBrowser {
  /** By name: who holds it, and who waits. */ locks = new Map();
  channels = new Set();

  tab() {
    return new Tab(this);
  }
}

/** One tab: what it holds ends with it. */
class Tab {
  isDead = false;
  isFrozen = false;
  #held = new Set();
  #buffered = [];

  constructor(browser) {
    this.browser = browser;
    const tab = this;
    this.locks = { request: (name, options, work) => tab.#request(name, options, work) };
    this.BroadcastChannel = class {
      onmessage = null;
      constructor(name) {
        Object.assign(this, { name, tab });
        browser.channels.add(this);
      }
      postMessage(data) {
        if (tab.isDead) return;
        for (const other of browser.channels) if (other !== this && other.name === this.name) other.tab.hears(other, data);
      }
      close() {
        browser.channels.delete(this);
      }
    };
  }

  /** Closed, or crashed: nothing of it is left. */
  dies() {
    this.isDead = true;
    for (const claim of [...this.#held]) claim.end();
    for (const queue of this.browser.locks.values()) queue.waiting = queue.waiting.filter(({ tab }) => tab !== this);
    for (const channel of this.browser.channels) if (channel.tab === this) channel.close();
  }

  freezes() {
    this.isFrozen = true;
  }

  thaws() {
    this.isFrozen = false;
    for (const { channel, data } of this.#buffered.splice(0)) this.hears(channel, data);
  }

  hears(channel, data) {
    if (this.isFrozen) this.#buffered.push({ channel, data });
    else queueMicrotask(() => !this.isDead && this.browser.channels.has(channel) && channel.onmessage?.({ data }));
  }

  #request(name, { steal = false, signal }, work) {
    if (!this.browser.locks.has(name)) this.browser.locks.set(name, { holder: null, waiting: [] });
    const queue = this.browser.locks.get(name);
    const grantNext = () => {
      if (!queue.holder) queue.waiting.shift()?.grant();
    };
    return new Promise((resolve, reject) => {
      const aborted = () => reject(new DOMException("aborted", "AbortError"));
      if (signal?.aborted) return aborted();
      const claim = {
        tab: this,
        grant: () => {
          queue.holder = claim;
          this.#held.add(claim);
          queueMicrotask(() => Promise.resolve(work({ name })).then((value) => claim.end(() => resolve(value))));
        },
        end: (told = () => {}) => {
          if (!this.#held.delete(claim)) return;
          if (queue.holder === claim) queue.holder = null;
          told();
          grantNext();
        },
        stolen: () => {
          this.#held.delete(claim);
          aborted();
        },
      };
      signal?.addEventListener("abort", () => {
        if (!queue.waiting.includes(claim)) return;
        queue.waiting = queue.waiting.filter((other) => other !== claim);
        aborted();
      });
      if (steal) {
        queue.holder?.stolen();
        claim.grant();
      } else {
        queue.waiting.push(claim);
        grantNext();
      }
    });
  }
}
