// What is asked and not answered yet.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Questions } from "../src/core/questions.js";

/** Whether something is open after these. */
function after(asked, ...answers) {
  const questions = new Questions();
  questions.asked(asked);
  for (const answer of answers) questions.answered(answer);
  return questions.open;
}

const MESSAGE = { type: "message", threadId: "t1", clientMessageId: "c-1" };
const SUBSCRIBE = { type: "subscribe", threadId: "t1", ref: "s1" };

test("what answers a question by its name, and what does not", () => {
  for (const [asked, answer, isOpen] of [
    [MESSAGE, { type: "message_ack", clientMessageId: "c-1", status: "sent" }, false],
    [MESSAGE, { type: "message_ack", clientMessageId: "c-1", status: "queued" }, true],
    [MESSAGE, { type: "message_ack", clientMessageId: "c-2", status: "sent" }, true],
    [MESSAGE, { type: "error", code: "FORBIDDEN", clientMessageId: "c-1" }, false],
    [MESSAGE, { type: "message", threadId: "t1", rev: 3, data: { clientMessageId: "c-1" } }, false],
    [SUBSCRIBE, { type: "subscribed", threadId: "t1", ref: "s1" }, false],
    [SUBSCRIBE, { type: "subscribed", threadId: "t1", ref: "s2" }, true],
    [SUBSCRIBE, { type: "error", code: "THREAD_NOT_FOUND", ref: "s1" }, false],
    [SUBSCRIBE, { type: "pong", id: "s1" }, true],
  ]) {
    assert.equal(after(asked, answer), isOpen, `${asked.type}, then ${JSON.stringify(answer)}`);
  }
});

test("signs that nothing answers by name are no questions", () => {
  for (const frame of [{ type: "typing", threadId: "t1" }, { type: "ping", id: "1" }, { type: "read_receipt", threadId: "t1", seq: 3 }]) {
    assert.equal(after(frame), false);
  }
});

test("asked again it is the same question", () => {
  const questions = new Questions();
  questions.asked(MESSAGE);
  questions.asked(MESSAGE);
  questions.answered({ type: "message_ack", clientMessageId: "c-1", status: "sent" });
  assert.equal(questions.open, false);
});
