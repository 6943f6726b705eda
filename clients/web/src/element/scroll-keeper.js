/**
 * Keeps a scrolled list where its reader is.
 *
 * Promises that rows which come, go or grow above do not move what is seen, and that a list which is at its end stays
 * there, whatever grows, and only then. Does it by hand: browsers' own anchoring is not everywhere and fights with it.
 */

/** So near to the end counts as there. */
const SLACK_PX = 48;

/** @param {{scrollTop: number, clientHeight: number, scrollHeight: number}} scroller */
export function isAtEnd({ scrollTop, clientHeight, scrollHeight }) {
  return scrollHeight - scrollTop - clientHeight <= SLACK_PX;
}

export class ScrollKeeper {
  /** Whether the list is at its end, and follows it. */
  stuck = true;
  #scroller;
  #selector;
  #observer;

  /**
   * @param {HTMLElement} scroller
   * @param {HTMLElement} content all of what is scrolled
   * @param {string} selector of what can be held on to
   * @param {() => void} onmove
   */
  constructor(scroller, content, selector, onmove) {
    this.#scroller = scroller;
    this.#selector = selector;
    scroller.addEventListener("scroll", () => {
      this.settle();
      onmove();
    }, { passive: true });
    // Pictures, fonts, a growing composer, a keyboard on a phone: each of them moves the end.
    this.#observer = new ResizeObserver(() => this.stuck && this.toEnd());
    this.#observer.observe(scroller);
    this.#observer.observe(content);
  }

  /** After a scroll: at the end or not. */
  settle() {
    this.stuck = isAtEnd(this.#scroller);
  }

  stop() {
    this.#observer.disconnect();
  }

  toEnd() {
    this.stuck = true;
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  /** Change the list; what is seen stays. @param {() => void} change */
  keep(change) {
    const held = this.stuck ? undefined : this.#held();
    const before = held?.getBoundingClientRect().top ?? 0;
    change();
    if (this.stuck) this.toEnd();
    else if (held?.isConnected) this.#scroller.scrollTop += held.getBoundingClientRect().top - before;
  }

  /** The first row that is seen. */
  #held() {
    const { top } = this.#scroller.getBoundingClientRect();
    for (const row of this.#scroller.querySelectorAll(this.#selector)) {
      if (row.getBoundingClientRect().bottom > top) return row;
    }
    return undefined;
  }
}
