/** The time of this machine. A wait longer than timers can is as long as they can. @type {import("./types.js").Clock} */
export const CLOCK = {
  now: () => Date.now(),
  setTimeout: (run, ms) => setTimeout(run, Math.min(ms, 2 ** 31 - 1)),
  clearTimeout: (timer) => clearTimeout(timer),
};
