// Whose outbox and whose tabs.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Identity } from "../src/core/identity.js";
import { ownerOf } from "../src/core/owner.js";

const jwt = (claims) => `h.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.s`;
const owner = (options) => ownerOf("https://chat.example", new Identity(options));

test("the user is found in the token, unchecked, also when the page names another", async () => {
  assert.equal(await owner({ token: jwt({ sub: "älice-👋" }) }), "https://chat.example älice-👋");
  assert.equal(await owner({ userId: "bob", token: jwt({ sub: "alice" }) }), "https://chat.example alice");
});

test("without a token that can be read it is the one that the page names, or nobody", async () => {
  const fails = async () => {
    throw new Error();
  };
  assert.equal(await owner({ userId: "bob", token: fails }), "https://chat.example bob");
  assert.equal(await owner({ userId: "bob" }), "https://chat.example bob");
  for (const token of ["no jwt", "a.b.c", jwt(null), fails]) assert.equal(await owner({ token }), null);
});
