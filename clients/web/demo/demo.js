/**
 * The demo, put together: who sits here, which thread is open, and what the buttons do.
 *
 * Promises: the address names the thread (#demo), so it can be shared and gone back to; a reload keeps people and thread.
 */

import { build, found } from "./build.js";
import { FrameLog } from "./frame-log.js";
import { forget, idOf, lastName, nameOf, PAIR, remember, remembered, SUGGESTIONS, threadIdOf } from "./people.js";
import { Seat } from "./seat.js";
import { startTheme } from "./theme.js";

/** As in the commands that `chatterbus up` prints. */
const FIRST_THREAD = "demo";

const log = new FrameLog();
/** @type {Seat[]} */ let seats = [];

/** @returns {string} */
function threadInAddress() {
  try {
    return threadIdOf(decodeURIComponent(location.hash.slice(1))) || FIRST_THREAD;
  } catch {
    return FIRST_THREAD;
  }
}

function askName() {
  found("welcome").hidden = false;
  const field = found("name-field");
  field.value = lastName();
  const pick = (/** @type {string} */ name) => idOf(name) && sit([idOf(name)]);
  found("name").onsubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    field.setCustomValidity(idOf(field.value) ? "" : "Please use letters or digits");
    if (field.reportValidity()) pick(field.value);
  };
  field.oninput = () => field.setCustomValidity("");
  const chips = SUGGESTIONS.map((name) => build("button", { type: "button", class: "chip", onclick: () => pick(name) }, name));
  found("suggestions").replaceChildren(...chips);
  found("both").onclick = () => sit(PAIR);
  field.focus();
}

/** @param {string[]} userIds */
function sit(userIds) {
  for (const seat of seats) seat.leave();
  remember(userIds);
  found("welcome").hidden = true;
  found("goto").hidden = false;
  seats = userIds.map((userId) => new Seat(userId, log, { opened: goTo, unread: showUnread }));
  const stage = found("stage");
  stage.dataset.seats = String(seats.length);
  stage.replaceChildren(...seats.map((seat) => seat.panel));
  showTabs();
  log.show();
  const people = found("people");
  people.hidden = false;
  people.textContent = seats.length === 1 ? "Add a person" : "Just one person";
  openThread();
}

/** On a phone, one person at a time. */
function showTabs() {
  const tabs = seats.map((seat, index) =>
    build("button", { type: "button", onclick: () => turnTo(index) }, nameOf(seat.userId)),
  );
  found("tabs").replaceChildren(...tabs);
  found("tabs").hidden = seats.length < 2;
  turnTo(0);
}

/** @param {number} shown */
function turnTo(shown) {
  seats.forEach((seat, index) => seat.show(index === shown));
  [...found("tabs").children].forEach((tab, index) => tab.setAttribute("aria-pressed", String(index === shown)));
}

function showUnread() {
  const total = seats[0]?.totalUnread ?? 0;
  document.title = total ? `(${total}) Chatterbus` : "Chatterbus";
}

/** @param {string} threadId */
function goTo(threadId) {
  if (threadInAddress() !== threadId) history.pushState(null, "", `#${encodeURIComponent(threadId)}`);
  found("goto").thread.value = threadId;
}

function openThread() {
  const threadId = threadInAddress();
  goTo(threadId);
  for (const seat of seats) seat.open(threadId);
}

found("goto").onsubmit = (/** @type {Event} */ event) => {
  event.preventDefault();
  const threadId = threadIdOf(found("goto").thread.value.trim());
  if (!threadId) return;
  goTo(threadId);
  openThread();
};
found("people").onclick = () => {
  const [first] = seats;
  const other = PAIR.find((userId) => userId !== first.userId) ?? PAIR[1];
  sit(seats.length === 1 ? [first.userId, other] : [first.userId]);
};
document.querySelector(".brand")?.addEventListener("click", forget);
addEventListener("popstate", openThread);

startTheme();
const people = remembered();
if (people.length) sit(people);
else askName();
