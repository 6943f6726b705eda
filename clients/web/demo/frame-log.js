/**
 * What passed, newest first: times, people and types, never contents.
 *
 * Promises: at most 200 lines; drawn once per frame of the screen, and only while it is open.
 */

import { build, found } from "./build.js";
import { nameOf } from "./people.js";

/** @typedef {{at: Date, userId: string, way: string, what: string}} Line */

const LINES_MAX = 200;
const ARROWS = { up: "↑", down: "↓", http: "⇅", note: "•" };

export class FrameLog {
  /** @type {Line[]} */ #lines = [];
  #due = false;
  #panel = found("log");
  #last = found("last");
  #list = found("frames");

  constructor() {
    this.#panel.addEventListener("toggle", () => this.#draw());
  }

  /** @param {string} userId @param {keyof typeof ARROWS} way @param {string} what */
  add(userId, way, what) {
    this.#lines.unshift({ at: new Date(), userId, way, what });
    this.#lines.length = Math.min(this.#lines.length, LINES_MAX);
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => {
      this.#due = false;
      this.#draw();
    });
  }

  show() {
    this.#panel.hidden = false;
  }

  #draw() {
    const [newest] = this.#lines;
    this.#last.textContent = newest ? `${nameOf(newest.userId)} ${sign(newest)} ${newest.what}` : "";
    if (this.#panel.open) this.#list.replaceChildren(...this.#lines.map(row));
  }
}

/** @param {Line} line */
const sign = (line) => ARROWS[/** @type {keyof typeof ARROWS} */ (line.way)];

/** @param {Line} line */
function row(line) {
  const time = line.at.toTimeString().slice(0, 8) + "." + String(line.at.getMilliseconds()).padStart(3, "0");
  return build(
    "div",
    { class: `frame ${line.way}` },
    build("time", {}, time),
    build("span", { class: "who" }, nameOf(line.userId)),
    build("span", { class: "way", "aria-hidden": "true" }, sign(line)),
    build("code", {}, line.what),
  );
}
