// Time that a test moves, and chance that it can repeat.

/** Every promise that can be resolved by now has been, and what followed from it. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));

export class FakeClock {
  #now;
  #timers = new Map();
  #lastTimer = 0;

  constructor(now = 1_700_000_000_000) {
    this.#now = now;
  }

  now() {
    return this.#now;
  }

  setTimeout(run, ms) {
    this.#timers.set((this.#lastTimer += 1), { run, at: this.#now + Math.max(0, ms) });
    return this.#lastTimer;
  }

  clearTimeout(timer) {
    this.#timers.delete(timer);
  }

  /** How many timers are set. */
  get pending() {
    return this.#timers.size;
  }

  /** Let time pass, timer by timer; what follows from each is done before the next. */
  async pass(ms) {
    const end = this.#now + ms;
    await settled();
    for (let next; (next = this.#nextUntil(end)); ) {
      const [timer, { run, at }] = next;
      this.#timers.delete(timer);
      this.#now = Math.max(this.#now, at);
      run();
      await settled();
    }
    this.#now = end;
  }

  #nextUntil(end) {
    let first;
    for (const timer of this.#timers) if (timer[1].at <= end && !(first && first[1].at <= timer[1].at)) first = timer;
    return first;
  }
}

/** Numbers in [0, 1) that a seed repeats (xorshift32). */
export function chance(seed) {
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** Of random runs: CHATTERBUS_SEED repeats one. */
export const SEED = Number(process.env.CHATTERBUS_SEED) || (Date.now() & 0xffffff);
