process.env.TZ = "Europe/Berlin";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Calendar, regional } from "../src/element/day.js";

const NOW = Date.parse("2026-03-29T10:00:00Z");
const calendar = (locale = "en") => new Calendar(locale, () => NOW);

test("a day is the reader's, not UTC's", () => {
  assert.equal(calendar().key("2026-03-28T23:30:00Z"), calendar().key("2026-03-29T09:00:00Z"));
  assert.notEqual(calendar().key("2026-03-28T22:30:00Z"), calendar().key("2026-03-28T23:30:00Z"));
});

test("today and yesterday are said in the reader's words, also over the change of the clocks", () => {
  assert.equal(calendar().day("2026-03-29T00:30:00Z"), "Today");
  assert.equal(calendar().day("2026-03-28T12:00:00Z"), "Yesterday");
  assert.equal(calendar("de").day("2026-03-28T12:00:00Z"), "Gestern");
  assert.match(calendar().day("2026-03-20T12:00:00Z"), /Friday.*March 20.*2026/);
});

test("a list says the time today, the weekday this week, the day this year, the date before", () => {
  assert.match(calendar("en").short("2026-03-29T07:05:00Z"), /9:05\sAM/);
  assert.equal(calendar().short("2026-03-25T12:00:00Z"), "Wed");
  assert.equal(calendar().short("2026-01-06T12:00:00Z"), "Jan 6");
  assert.match(calendar().short("2025-12-24T12:00:00Z"), /Dec 24, 2025/);
});

test("how long ago is counted in the largest unit that fits", () => {
  assert.equal(calendar().ago("2026-03-29T09:59:40Z"), "this minute");
  assert.equal(calendar().ago("2026-03-29T09:15:00Z"), "45 minutes ago");
  assert.equal(calendar().ago("2026-03-29T07:59:00Z"), "2 hours ago");
  assert.equal(calendar().ago("2026-03-26T09:00:00Z"), "3 days ago");
});

test("a clock that is ahead makes nothing come from the future", () => {
  assert.equal(calendar().ago("2026-03-29T10:05:00Z"), "this minute");
});

test("the page's language is taken as the reader's region has it", () => {
  assert.equal(regional("en", ["de-DE", "en-GB", "en-US"]), "en-GB");
  assert.equal(regional("en-US", ["en-GB"]), "en-US");
  assert.equal(regional("fr", ["en-GB"]), "fr");
  for (const none of [null, undefined, ""]) assert.equal(regional(none, ["en-GB"]), undefined);
});

test("a day ends at the reader's midnight, and what was today is yesterday", () => {
  let now = Date.parse("2026-03-28T22:59:00Z");
  const berlin = new Calendar("en", () => now);
  const { today } = berlin;
  assert.equal(berlin.day("2026-03-28T12:00:00Z"), "Today");
  now += 2 * 60e3;
  assert.equal(berlin.today, today + 1);
  assert.equal(berlin.day("2026-03-28T12:00:00Z"), "Yesterday");
});
