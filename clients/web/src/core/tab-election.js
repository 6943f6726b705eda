/**
 * Which tab leads: the one that holds a Web Lock. Knows no channel and no socket.
 *
 * Promises: `won` and `lost` alternate, and at most one tab of a browser is between them, save the moment in which a tab
 * that was taken for dead wakes up and has not heard yet that its lock was seized. A tab that is closed or crashes
 * lets go of its locks, whatever it was doing: the browser sees to that. Whoever loses stands again by itself.
 */

/** @typedef {Pick<LockManager, "request">} Locks */

/**
 * Hold a lock; wait for it, or (seize) take it from whoever has it.
 * @param {Locks} locks @param {string} name @param {boolean} seize
 * @returns {{held: Promise<void>, ended: Promise<void>, release: () => void}} `held` once it is ours; `ended` when it is
 *   released or was seized. Both reject when there are no locks to be had here.
 */
export function hold(locks, name, seize) {
  const abort = new AbortController();
  /** @type {() => void} */ let letGo = () => {};
  const until = new Promise((resolve) => (letGo = () => resolve(undefined)));
  let isHeld = false;
  /** @type {Promise<void>} */ let ended = Promise.resolve();
  const held = new Promise((resolve, reject) => {
    // `steal` and `signal` exclude each other.
    const options = seize ? { steal: true } : { signal: abort.signal };
    const request = locks.request(name, options, () => {
      isHeld = true;
      resolve(undefined);
      return until;
    });
    ended = request.then(
      () => {},
      (error) => {
        if (isHeld || abort.signal.aborted) return;
        reject(error);
        throw error;
      },
    );
    ended.catch(() => {});
  });
  held.catch(() => {});
  const release = () => {
    letGo();
    if (!isHeld) abort.abort();
  };
  return { held: /** @type {Promise<void>} */ (held), ended, release };
}

export class Election {
  #locks;
  #name;
  #observer;
  /** @type {ReturnType<typeof hold> | null} */ #candidacy = null;

  /** @param {Locks} locks @param {string} name @param {{won: () => void, lost: () => void}} observer */
  constructor(locks, name, observer) {
    this.#locks = locks;
    this.#name = name;
    this.#observer = observer;
  }

  /** Lead as soon as nobody else does; or (seize) at once. @param {boolean} [seize] */
  async stand(seize = false) {
    this.#candidacy?.release();
    const candidacy = (this.#candidacy = hold(this.#locks, this.#name, seize));
    await candidacy.held;
    if (candidacy !== this.#candidacy) return;
    this.#observer.won();
    await candidacy.ended;
    if (candidacy !== this.#candidacy) return;
    this.#candidacy = null;
    this.#observer.lost();
  }

  /** Neither lead nor wait any longer. Tells nobody. */
  withdraw() {
    this.#candidacy?.release();
    this.#candidacy = null;
  }
}
