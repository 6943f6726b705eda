/** Knows emoji: how many a text is made of. */

const ONLY = /^(?:(?![©®™\d#*])[\p{ExtPict}\p{EMod}\p{RI}\u200d\ufe0f\s])+$/u;

/** How many emoji, 0 if there is anything else in it. @param {string} text */
export function emojiCount(text) {
  const joined = text.replace(/\s/g, "");
  return joined && text.length < 100 && ONLY.test(text) ? [...new Intl.Segmenter().segment(joined)].length : 0;
}
