/**
 * Dresses a shadow root.
 *
 * Promises constructable style sheets, shared by all elements of a page: a strict CSP (`style-src 'self'`) does not touch
 * those. What a root wears already is not put on twice.
 */

/** @type {Map<string, CSSStyleSheet>} */
const SHEETS = new Map();

/** @param {Node} root @param {string} css worn over what there is */
export function dress(root, css) {
  const shadow = /** @type {ShadowRoot} */ (root);
  const sheet = SHEETS.get(css) ?? new CSSStyleSheet();
  if (!SHEETS.has(css)) sheet.replaceSync(css);
  SHEETS.set(css, sheet);
  if (!shadow.adoptedStyleSheets.includes(sheet)) shadow.adoptedStyleSheets = [...shadow.adoptedStyleSheets, sheet];
}
