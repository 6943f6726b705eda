/**
 * One socket for all tabs of an origin that speak for the same user: in place of a Socket, with the same methods.
 *
 * Promises: the tab that leads (tab-election) has the socket, the others speak and hear through it (tab-hub) over a
 * BroadcastChannel and cannot tell the difference. When the leader is closed or crashes, its lock passes on and another
 * tab connects; a leader that is there and does not answer (frozen, stuck in a loop) is deposed by the first tab in front
 * of a person that notices. A leader whose token is refused for good steps down, and the next tab tries its own. A page
 * that is put aside (bfcache) lets go of everything and comes back as a follower.
 * Tokens never touch the channel: each tab's own is sent by its own socket or its own requests. Whatever is lost on the
 * channel is lost like a frame on a dying connection: with a new leader every tab asks anew.
 */

import { Heartbeat } from "./heartbeat.js";
import { Questions } from "./questions.js";
import { Election, hold } from "./tab-election.js";
import { Hub } from "./tab-hub.js";
import { isVisible } from "./visibility.js";

/** @typedef {import("./socket.js").LinkNews} LinkNews */
/** @typedef {import("./protocol.js").AuthSuccess} AuthSuccess */
/**
 * What the tabs say to each other. `term` is there when a leader speaks; the higher one is the later.
 * @typedef {{from: string, to?: string[], term?: number, kind: string, [more: string]: any}} Said
 */
/**
 * What a link tells its client, and a client does for other tabs.
 * @typedef {import("./socket.js").LinkObserver & {
 *   led: (isLeader: boolean) => void,
 *   noted: (note: any) => void,
 *   orphaned: () => void,
 *   unable: () => void,
 * }} LinkHost
 * `noted`: what another tab's client says to all; `orphaned`: a tab is gone, and what it wrote is in the store; `unable`:
 * locks cannot be had here.
 */

/** Of a tab in front of a person: how often it asks whether the leader is alive. It waits half as long for an answer. */
const ASK_EVERY_MS = 6_000;
const ENDED_MAX = 1_000;
const CONNECTING = /** @type {LinkNews} */ ({ state: "connecting", reason: "", retryAt: null, attempt: 0, code: null });

export class TabLink {
  #name;
  #openChannel;
  #makeSocket;
  #clock;
  #host;
  #locks;
  #election;
  /** Of this tab, until it is put aside. */ #id = "";
  #isPaused = false;
  /** @type {Pick<BroadcastChannel, "postMessage" | "close" | "onmessage"> | null} */ #channel = null;
  /** As long as we hold it, the leader knows that we are there. @type {ReturnType<typeof hold> | null} */ #sign = null;
  #term = 0;
  /** @type {string | null} */ #leader = null;
  /** @type {AuthSuccess | null} */ #success = null;
  /** What ended a message, by clientMessageId: a tab that has not heard so yet is told, and nothing is sent again. @type {Map<string, import("./delivery.js").Note>} */
  #ended = new Map();
  /** When to ask, as a follower. @type {Heartbeat} */ #watch;
  /** Ours as a follower, and what we wrote: the leader, whose timers may sleep, is asked more often meanwhile. */
  #questions = new Questions();
  /** @type {unknown} */ #timer = null;
  // What a leader has.
  /** @type {import("./socket.js").Socket | null} */ #socket = null;
  /** @type {Hub | null} */ #hub = null;
  /** Waiting for each tab's end. @type {Map<string, ReturnType<typeof hold>>} */ #ends = new Map();

  /**
   * @param {string | null} owner whose tabs: server and user; null: not known @param {import("./types.js").ClientOptions} options
   * @param {(observer: import("./socket.js").LinkObserver) => import("./socket.js").Socket} makeSocket
   * @param {import("./types.js").Clock} clock @param {LinkHost} host
   */
  constructor(owner, options, makeSocket, clock, host) {
    const { locks = globalThis.navigator?.locks, BroadcastChannel = globalThis.BroadcastChannel, userType = "" } = options;
    if (!owner || !locks || !BroadcastChannel) throw new TypeError("nothing to share");
    this.#name = `chatterbus 1 ${owner} ${userType}`;
    this.#openChannel = () => new BroadcastChannel(this.#name);
    this.#makeSocket = makeSocket;
    this.#clock = clock;
    this.#host = host;
    this.#locks = locks;
    this.#watch = new Heartbeat(ASK_EVERY_MS, clock.now());
    this.#election = new Election(locks, this.#name, { won: () => this.#won(), lost: () => this.#deposed() });
  }

  // --- as a Socket ---

  async start() {
    this.#isPaused = false;
    const id = (this.#id = crypto.randomUUID());
    const channel = (this.#channel = this.#openChannel());
    const sign = (this.#sign = hold(this.#locks, `${this.#name} ${id}`, false));
    channel.onmessage = ({ data }) => channel === this.#channel && this.#heard(JSON.parse(data));
    try {
      await sign.held;
      if (sign !== this.#sign) return;
      this.#join();
      await this.#election.stand();
    } catch {
      if (sign !== this.#sign) return;
      this.stop();
      this.#host.unable();
    }
  }

  stop() {
    this.#isPaused = false;
    this.#clock.clearTimeout(this.#timer);
    this.#election.withdraw();
    this.#stepDown();
    this.#lose();
    this.#sign?.release();
    this.#channel?.close();
    this.#sign = this.#channel = this.#leader = null;
  }

  /** The page is put aside, where nothing may be held; `wake` brings it back. */
  pause() {
    if (!this.#channel) return;
    this.stop();
    this.#isPaused = true;
    this.#host.changed(CONNECTING);
  }

  wake() {
    if (this.#isPaused) return void this.start();
    if (this.#socket) return this.#socket.wake();
    this.#say("wake");
    this.probe();
  }

  /** @param {any} frame @returns {boolean} whether it left */
  send(frame) {
    if (!this.#success) return false;
    if (this.#hub) return this.#hub.from(this.#id, frame);
    this.#say("frame", { frame });
    this.#asked(frame);
    return true;
  }

  // --- beyond a Socket ---

  /** To the clients of the other tabs. @param {any} note */
  note(note) {
    this.#remember(note);
    this.#say("note", { note });
    if (note.entry && this.#success) this.#asked(note.entry);
    this.probe();
  }

  /** Is the leader there? */
  probe() {
    this.#watch.probe(ASK_EVERY_MS / 2, this.#clock.now());
    this.#ask();
  }

  // --- who leads ---

  #won() {
    this.#lose();
    this.#term = Math.max(this.#clock.now(), this.#term + 1);
    this.#leader = this.#id;
    this.#host.led(true);
    this.#say("leads");
    this.#socket = this.#makeSocket({
      changed: (news) => {
        if (news.state === "closed") this.stop();
        else this.#say("news", { news });
        this.#host.changed(news);
      },
      opened: (success) => this.#open(success),
      lost: () => {
        this.#hub = null;
        this.#lose();
      },
      received: (frame) => {
        this.#remember({ frame });
        this.#hub?.received(frame);
      },
      measured: (ms) => {
        this.#say("measured", { ms });
        this.#host.measured(ms);
      },
    });
    this.#socket.start();
  }

  #deposed() {
    this.#stepDown();
    this.#host.changed(CONNECTING);
    this.#join();
    this.#election.stand().catch(() => {});
  }

  #join() {
    const now = this.#clock.now();
    this.#watch = new Heartbeat(ASK_EVERY_MS, now);
    this.#watch.pinged(now);
    this.#say("join");
    this.#ask();
  }

  #stepDown() {
    const socket = this.#socket;
    if (!socket) return;
    this.#socket = null;
    socket.stop();
    this.#say("gone");
    for (const end of this.#ends.values()) end.release();
    this.#ends.clear();
    this.#leader = null;
    this.#host.led(false);
  }

  /** @param {AuthSuccess} success */
  #open(success) {
    if (this.#success) return;
    this.#success = success;
    this.#questions = new Questions();
    if (this.#socket) {
      const socket = this.#socket;
      this.#hub = new Hub(
        (frame) => socket.send(frame),
        (tabs, frame) => this.#deliver(tabs, frame),
      );
      for (const tab of [this.#id, ...this.#ends.keys()]) this.#hub.joined(tab);
      this.#say("open", { success });
    }
    this.#host.opened(success);
  }

  #lose() {
    if (!this.#success) return;
    this.#success = null;
    if (this.#leader === this.#id) this.#say("lost");
    this.#host.lost();
  }

  /** @param {string[] | null} tabs @param {any} frame */
  #deliver(tabs, frame) {
    const others = tabs?.filter((tab) => tab !== this.#id);
    if (others?.length !== 0) this.#say("frame", { to: others, frame });
    if (others?.length !== tabs?.length || !tabs) this.#host.received(frame);
  }

  /** @param {any} frame */
  #asked(frame) {
    this.#questions.asked(frame);
    this.#ask();
  }

  /** As a follower in front of a person: ask the leader whether it is there; do without it if it does not answer. */
  #ask() {
    const clock = this.#clock;
    clock.clearTimeout(this.#timer);
    if (this.#socket || !this.#channel || !isVisible()) return;
    const now = clock.now();
    this.#watch.awaits(this.#questions.open, now);
    const due = this.#watch.due(now);
    if (due === "dead") {
      this.#join();
      this.#election.stand(true).catch(() => {});
      return;
    } else if (due === "ping") {
      this.#watch.pinged(now);
      this.#say(this.#leader ? "ping" : "join");
    }
    this.#timer = clock.setTimeout(() => this.#ask(), Math.max(1, this.#watch.nextAt - now));
  }

  // --- the channel ---

  /** @param {string} kind @param {Record<string, any>} [more] */
  #say(kind, more) {
    const term = this.#leader === this.#id ? this.#term : undefined;
    this.#channel?.postMessage(JSON.stringify({ from: this.#id, term, kind, ...more }));
  }

  /** @param {Said} said */
  #heard(said) {
    if (said.to && !said.to.includes(this.#id)) return;
    if (said.kind === "note") return this.#noted(said);
    if (said.term !== undefined) this.#heardLeader(said, said.term);
    else if (this.#socket) this.#fromFollower[said.kind]?.(said);
  }

  /** @param {Said} said */
  #noted({ note }) {
    const end = this.#ended.get(note.entry?.clientMessageId);
    this.#remember(note);
    if (!end) this.#host.noted(note);
    // Another tab may not have heard of it either, and has just been told that it waits.
    else if (this.#socket) this.#say("note", { note: end });
  }

  /** @param {import("./delivery.js").Note} note */
  #remember({ discard, frame }) {
    this.#questions.answered(frame ?? { clientMessageId: discard });
    if (discard) this.#ended.set(discard, { discard });
    else if (frame?.type === "message_ack" && frame.status === "sent") this.#ended.set(frame.clientMessageId, { frame });
    if (this.#ended.size > ENDED_MAX) this.#ended.delete(/** @type {string} */ (this.#ended.keys().next().value));
  }

  /** @param {Said} said @param {number} term */
  #heardLeader(said, term) {
    const isKnown = said.from === this.#leader;
    if (!isKnown && (term < this.#term || (term === this.#term && this.#leader))) return;
    if (this.#socket) return; // ours will be told lost, if it is
    this.#watch.heard(this.#clock.now());
    this.#term = term;
    if (!isKnown) {
      this.#lose();
      this.#leader = said.from;
      this.#say("join");
    }
    this.#fromLeader[said.kind]?.(said);
  }

  /** What a leader does for its followers. @type {Record<string, (said: Said) => void>} */
  #fromFollower = {
    join: ({ from }) => {
      this.#mourn(from);
      this.#hub?.joined(from);
      this.#say("welcome", { to: [from], news: this.#socket?.news, success: this.#success, told: this.#hub?.told });
    },
    frame: ({ from, frame }) => {
      this.#mourn(from);
      this.#hub?.from(from, frame);
    },
    ping: () => {
      this.#say("here");
      this.#socket?.beat(); // timers of a hidden tab sleep; this does not
    },
    wake: () => this.#socket?.wake(),
  };

  /** When this tab is closed or crashes, its sign of life is ours. @param {string} tab */
  #mourn(tab) {
    if (this.#ends.has(tab)) return;
    const end = hold(this.#locks, `${this.#name} ${tab}`, false);
    this.#ends.set(tab, end);
    end.held.then(
      () => {
        end.release();
        if (this.#ends.get(tab) !== end) return;
        this.#ends.delete(tab);
        this.#hub?.left(tab);
        this.#host.orphaned();
      },
      () => {},
    );
  }

  /** What a follower takes from its leader; "leads" and "here" say no more than that it is there. @type {Record<string, (said: Said) => void>} */
  #fromLeader = {
    welcome: ({ news, success, told }) => {
      this.#host.changed(news);
      if (!success || this.#success) return;
      this.#open(success);
      for (const frame of told) this.#host.received(frame);
    },
    open: ({ success }) => this.#open(success),
    lost: () => this.#lose(),
    gone: () => {
      this.#lose();
      this.#leader = null;
      this.#host.changed(CONNECTING);
    },
    news: ({ news }) => this.#host.changed(news),
    frame: ({ frame }) => {
      this.#remember({ frame });
      if (this.#success) this.#host.received(frame);
    },
    measured: ({ ms }) => this.#host.measured(ms),
  };
}
