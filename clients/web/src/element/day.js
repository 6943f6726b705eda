/**
 * Says when: days, times and how long ago, in the reader's language and time zone.
 *
 * Promises to use Intl for every word and order, so that nothing here needs translating.
 */

const DAY_MS = 864e5;
const UNITS = /** @type {const} */ ([["day", DAY_MS], ["hour", 36e5], ["minute", 6e4]]);

/**
 * The page's language as the reader's region has it: "en" is British for a British browser.
 * @param {string | null | undefined} lang @param {readonly string[]} languages the reader's
 */
export function regional(lang, languages) {
  return lang ? languages.find((language) => language.startsWith(`${lang}-`)) ?? lang : undefined;
}

export class Calendar {
  #now;
  #relative;

  /** @param {string} [locale] @param {() => number} [now] */
  constructor(locale, now = Date.now) {
    this.locale = locale;
    this.#now = now;
    this.#relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  }

  /** The day, the same for all its moments. @param {string | number} at */
  key(at) {
    const date = new Date(at);
    return Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) / DAY_MS;
  }

  /** @param {string} at @param {Intl.DateTimeFormatOptions} options */
  #say(at, options) {
    return new Date(at).toLocaleString(this.locale, options);
  }

  get today() {
    return this.key(this.#now());
  }

  /** How many days before today. @param {string} at */
  #daysAgo(at) {
    return this.today - this.key(at);
  }

  /** For a separator: today, yesterday, or which day. @param {string} at */
  day(at) {
    const ago = this.#daysAgo(at);
    if (ago > 1 || ago < 0) return this.#say(at, { dateStyle: "full" });
    const said = this.#relative.format(-ago, "day");
    return said.charAt(0).toLocaleUpperCase() + said.slice(1);
  }

  /** @param {string} at */
  time(at) {
    return this.#say(at, { timeStyle: "short" });
  }

  /** For a list: the time today, the weekday this week, the day this year, else the date. @param {string} at */
  short(at) {
    const ago = this.#daysAgo(at);
    if (ago < 1) return this.time(at);
    const sameYear = new Date(at).getFullYear() === new Date(this.#now()).getFullYear();
    return this.#say(at, ago < 7 ? { weekday: "short" } : sameYear ? { day: "numeric", month: "short" } : { dateStyle: "medium" });
  }

  /** How long ago. @param {string} at */
  ago(at) {
    const passed = Math.max(0, this.#now() - Date.parse(at));
    const [unit, size] = UNITS.find(([, length]) => passed >= length) ?? UNITS[2];
    return this.#relative.format(-Math.floor(passed / size), unit);
  }
}
