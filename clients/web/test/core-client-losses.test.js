// The client on a bad network: events and answers are lost or late, sockets break, the server goes away. Whatever happens,
// nothing is shown twice or with a hole, and in the end the view is the server's. CHATTERBUS_SEED repeats a run, CHATTERBUS_RUNS makes more of them.

import assert from "node:assert/strict";
import { test } from "node:test";

import { SEED, chance, settled } from "./fake-clock.js";
import { ScriptedServer } from "./scripted-server.js";
import { acts, assertShows } from "./timeline-checks.js";

const RUNS = Number(process.env.CHATTERBUS_RUNS) || 15;
const STEPS = 60;
const OTHERS = ["bob", "carol"];

/** Nothing twice whenever one looks, and no hole when nothing is known to be missing. (Own ones that are acked and not yet told have rev 0.) */
function assertWhole({ messages, caughtUp }) {
  const seqs = messages.filter(({ rev }) => rev).map(({ seq }) => seq);
  for (const [index, seq] of seqs.slice(1).entries()) {
    assert.ok(caughtUp ? seq === seqs[index] + 1 : seq > seqs[index], `holes or doubles: ${seqs}`);
  }
  const keys = messages.map(({ key }) => key);
  assert.equal(new Set(keys).size, keys.length, "a key twice");
}

/** Answers over HTTP come late, or never. */
function delaysOf(server, random) {
  return async () => {
    if (random() < 0.5) return;
    const wait = random() * 3_000;
    await new Promise((resolve) => server.clock.setTimeout(resolve, wait));
    if (random() < 0.2) throw new TypeError("Failed to fetch");
  };
}

/** The server's queue: what comes in is stored in that order, by whatever way it came, now or some time later. */
function queueOf(server, random) {
  let freeAt = 0;
  return async (work) => {
    if (!server.isHealed && random() < 0.1) freeAt = Math.max(freeAt, server.clock.now() + random() * 20_000);
    const wait = freeAt - server.clock.now();
    if (wait > 0) await new Promise((resolve) => server.clock.setTimeout(resolve, wait));
    return work();
  };
}

/** Messages are lost, stored without an ack, refused for now, queued, or simply stored. */
function answersOf(server, random) {
  const queued = queueOf(server, random);
  const post = server.routes["POST /api/chat/messages"];
  server.routes["POST /api/chat/messages"] = (request) => queued(() => post(request));
  return async (frame, socket) => {
    const { clientMessageId } = frame;
    const fate = server.isHealed ? 1 : random();
    if (fate < 0.15) return; // never arrived
    if (fate < 0.25) return socket.says(server.refusal("QUEUE_FULL", { clientMessageId, retryable: true }));
    if (fate < 0.4) socket.says({ type: "message_ack", status: "queued", clientMessageId, threadId: frame.threadId });
    const ack = await queued(() => server.stores(frame));
    if (fate > 0.6) return socket.says({ type: "message_ack", status: "sent", ...ack });
    if (fate > 0.5) socket.says(server.refusal("TIMEOUT", { clientMessageId, retryable: true, fate: "unknown" }));
  };
}

async function lives(random) {
  const server = new ScriptedServer("alice", ...OTHERS);
  server.pageLimit = 1 + Math.floor(random() * 6);
  if (random() < 0.5) server.thread.membersLimit = 1 + Math.floor(random() * 2);
  for (let number = 1; number <= 4; number += 1) server.hears(`text ${number}`);
  const { client, thread } = await server.joined({ random });
  const sent = [];
  const loss = random() * 0.5;
  server.carries = () => random() >= loss;
  server.delays = delaysOf(server, random);
  server.answers.message = answersOf(server, random);
  const news = [];
  thread.addEventListener("message", ({ detail }) => news.push(detail.message.seq));
  for (let step = 0; step < STEPS; step += 1) {
    server.tell("t1", (t1) => acts(t1, random, step, OTHERS));
    if (random() < 0.3) sent.push(thread.send({ content: `mine ${step}` }).key);
    if (random() < 0.08) server.socket.ends(random() < 0.5 ? 1006 : 4008);
    if (random() < 0.05) [server.isDown, server.refusesSockets] = [random() < 0.4, random() < 0.4];
    if (random() < 0.05) server.socket.says({ type: "resync", threadId: "t1", reason: "x" });
    if (random() < 0.03) server.socket.says({ type: "reconnect", afterMs: 500, resume: true });
    if (random() < 0.2) await server.clock.pass(random() * 8_000);
    else await settled();
    assertWhole(thread);
  }
  Object.assign(server, { isHealed: true, isDown: false, refusesSockets: false, delays: undefined, carries: () => true });
  await server.clock.pass(120_000);
  assert.deepEqual([client.connectionState, thread.caughtUp, client.waiting], ["online", true, 0], "it comes back by itself");
  server.socket.says({ type: "resync", reason: "the last events may have been lost" });
  await server.clock.pass(120_000);
  return { server, client, thread, sent, news };
}

test("whatever the network does, the view ends as the server's thread, and what was sent is there once and in order", async () => {
  for (let run = 0; run < RUNS; run += 1) {
    try {
      const { server, client, thread, sent, news } = await lives(chance((SEED + run) * 7_919));
      assert.equal(thread.rev, server.thread.rev);
      assertWhole(thread);
      const shown = thread.messages.map(({ status, pending, key, ...state }) => state);
      assertShows(thread.timeline, shown, server.thread);
      const stored = [...server.thread.messages.values()].filter(({ senderId }) => senderId === "alice");
      assert.deepEqual(stored.map(({ clientMessageId }) => clientMessageId), sent);
      assert.equal(new Set(news).size, news.length, "told twice as new");
      assert.deepEqual(await server.store.all(), []);
      client.close();
    } catch (error) {
      throw new Error(`CHATTERBUS_SEED=${SEED + run}: ${error.message}`, { cause: error });
    }
  }
});
