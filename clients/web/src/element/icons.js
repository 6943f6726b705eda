/** The icons, drawn by DOM from these paths on a 24 by 24 grid. They are decoration unless they get a label. */

const PATHS = {
  attach: "m20 11-8.5 8.5a5 5 0 0 1-7-7L13 4a3.3 3.3 0 0 1 4.7 4.7l-8.5 8.5a1.7 1.7 0 0 1-2.4-2.4L14.5 7",
  sent: "m5 12.5 4.5 4.5L19 7.5",
  read: "m2 12.5 4.5 4.5L16 7.5M11.5 16.5l.5.5L22 7.5",
  sending: "M12 7v5l3 2M12 3a9 9 0 1 0 0 18a9 9 0 1 0 0-18",
  close: "M6 6l12 12M18 6 6 18",
  down: "M12 5v14M6 13l6 6 6-6",
  edit: "M4 20l1-4L16 5l3 3L8 19z",
  failed: "M12 7v6M12 16.5v.1M12 3a9 9 0 1 0 0 18a9 9 0 1 0 0-18",
  file: "M14 3H6v18h12V7zM14 3v4h4",
  muted: "M4 4l16 16M9 5.5A5 5 0 0 1 17 9v4M7 8.5V14l-2 3h11.5M10.5 20h3",
  react: "M9 10v.1M15 10v.1M8.5 14.5a4.5 4.5 0 0 0 7 0M12 3a9 9 0 1 0 0 18a9 9 0 1 0 0-18",
  remove: "M5 7h14M9 7V4h6v3M7 7l1 13h8l1-13",
  reply: "M9 6l-5 5 5 5M4 11h9a7 7 0 0 1 7 7",
  send: "M12 19V5M6 11l6-6 6 6",
};

/** @typedef {keyof typeof PATHS | "queued" | "delivered"} IconName */

const SVG = "http://www.w3.org/2000/svg";

/** @param {IconName} name @param {string} [label] read out instead of the picture */
export function icon(name, label) {
  const drawn = name === "queued" ? "sending" : name === "delivered" ? "read" : name;
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", `i-${name}`);
  path.setAttribute("d", PATHS[drawn]);
  svg.append(path);
  if (label) {
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", label);
  } else svg.setAttribute("aria-hidden", "true");
  return svg;
}
