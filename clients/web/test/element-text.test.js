import assert from "node:assert/strict";
import { test } from "node:test";
import { hue, initials } from "../src/element/avatar.js";
import { mentionsIn } from "../src/element/composer.js";
import { emojiCount } from "../src/element/emoji.js";
import { parts } from "../src/element/linkify.js";
import { ENGLISH } from "../src/element/strings.js";

const links = (text) => parts(text).filter(({ href }) => href).map(({ text: said }) => said);

test("the parts of a text are the text again", () => {
  for (const text of ["", "no link", "see https://a.example/x?y=1#z, ok", "https://a.example https://b.example", "<a href=https://x.example>"]) {
    assert.equal(parts(text).map((part) => part.text).join(""), text);
  }
});

test("only http and https become links", () => {
  const text = "javascript:alert(1) data:text/html,x ftp://a.example vbscript:x //a.example mailto:a@b.example";
  assert.deepEqual(links(text), []);
  assert.deepEqual(links("HTTPS://A.example and http://b.example"), ["HTTPS://A.example", "http://b.example"]);
  for (const { href } of parts("https://javascript:1@a.example http://a.example")) if (href) assert.match(href, /^https?:\/\//);
});

test("punctuation that ends a sentence is not part of a link", () => {
  assert.deepEqual(links("(https://a.example/p)."), ["https://a.example/p"]);
  assert.deepEqual(links("is it https://a.example/p?"), ["https://a.example/p"]);
  assert.deepEqual(links("https://a.example/p?v=2!"), ["https://a.example/p?v=2"]);
});

test("markup and characters that turn the writing direction end a link", () => {
  assert.deepEqual(links('https://a.example/"onmouseover="x'), ["https://a.example/"]);
  assert.deepEqual(links("https://a.example/\u202egnp.exe"), ["https://a.example/"]);
});

test("what does not parse as a URL stays text", () => {
  assert.deepEqual(links("https://[ and http://%"), []);
});

test("a text of emoji alone is counted, joined ones as one", () => {
  assert.equal(emojiCount("👍"), 1);
  assert.equal(emojiCount("👩‍👩‍👧 ❤️ 🇩🇪"), 3);
  assert.equal(emojiCount("👍🏽"), 1);
});

test("letters, digits and signs are not emoji", () => {
  for (const text of ["", "ok 👍", "1", "#", "©", "  "]) assert.equal(emojiCount(text), 0, text);
});

test("a mention is a whole name or id after @", () => {
  const people = [{ id: "bob", name: "Bob Keller" }, { id: "bo", name: "Bo" }];
  assert.deepEqual(mentionsIn("hi @Bob Keller!", people), ["bob"]);
  assert.deepEqual(mentionsIn("@bo: look", people), ["bo"]);
  assert.deepEqual(mentionsIn("bob and bobo@bobby.example", people), []);
});

test("a second occurrence counts when the first was part of a longer name", () => {
  assert.deepEqual(mentionsIn("@bobby and @bo", [{ id: "bo", name: "Bo" }]), ["bo"]);
});

test("initials are whole characters of the first and last name", () => {
  assert.equal(initials("Ada King Lovelace"), "AL");
  assert.equal(initials("user-4711"), "U4");
  assert.equal(initials("𝒜da"), "𝒜");
  assert.equal(initials(""), "");
  assert.ok(hue("alice") >= 0 && hue("alice") < 360);
});

test("counted words have a singular", () => {
  assert.equal(ENGLISH.newMessages(1), "1 new message");
  assert.equal(ENGLISH.typing(["Ann", "Bob"]), "Ann and Bob are typing…");
});
