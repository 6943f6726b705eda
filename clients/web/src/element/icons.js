/**
 * The icons that are seen at once, as paths on a 24 by 24 grid, and how one is drawn: by DOM. They are decoration unless
 * they get a label. The others are in icons-acts.js.
 */

const CLOCK = "M12 7v5l3 2M12 3a9 9 0 1 0 0 18a9 9 0 1 0 0-18";
const TWICE = "m2 12.5 4.5 4.5L16 7.5M11.5 16.5l.5.5L22 7.5";

export const ATTACH = "m20 11-8.5 8.5a5 5 0 0 1-7-7L13 4a3.3 3.3 0 0 1 4.7 4.7l-8.5 8.5a1.7 1.7 0 0 1-2.4-2.4L14.5 7";
export const DOWN = "M12 5v14M6 13l6 6 6-6";
export const MUTED = "M4 4l16 16M9 5.5A5 5 0 0 1 17 9v4M7 8.5V14l-2 3h11.5M10.5 20h3";
export const SEND = "M12 19V5M6 11l6-6 6 6";
/** How far one's own message has come. */
export const TICKS = {
  sending: CLOCK,
  queued: CLOCK,
  sent: "m5 12.5 4.5 4.5L19 7.5",
  delivered: TWICE,
  read: TWICE,
  failed: "M12 7v6M12 16.5v.1M12 3a9 9 0 1 0 0 18a9 9 0 1 0 0-18",
};

const SVG = "http://www.w3.org/2000/svg";

/** @param {string} drawn @param {string} [label] read out instead of the picture */
export function icon(drawn, label) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  path.setAttribute("d", drawn);
  svg.append(path);
  if (label) {
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", label);
  } else svg.setAttribute("aria-hidden", "true");
  return svg;
}
