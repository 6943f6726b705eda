/** The types of the SDK's own objects. Those of the wire are in protocol.d.ts, which is generated. */

import type {
  AttachmentState,
  ErrorCode,
  MemberState,
  MessageState,
  MessageType,
  ThreadDetail,
  UnreadItem,
} from "./protocol.js";

export type * from "./protocol.js";

export type ConnectionState =
  | "idle"
  | "connecting"
  | "authenticating"
  | "catching_up"
  | "online"
  | "offline"
  | "closed";

/** Of one's own messages; others' are always "sent". */
export type MessageStatus = "sending" | "queued" | "sent" | "delivered" | "read" | "failed";

export interface Me {
  userId: string;
  userType: string;
  name: string | null;
}

export interface Failure {
  code: ErrorCode | "NETWORK" | "ABORTED" | "CLOSED";
  message: string;
  retryable: boolean;
}

/** A message as it is shown. A new object whenever anything of it changes, the same one otherwise. */
export interface Message extends MessageState {
  status: MessageStatus;
  /** Why it failed. */
  error?: Failure;
  /** Not stored yet: `id` is "" and `seq` is 0. */
  pending: boolean;
  /** The same for as long as the message is shown, also when a pending one becomes stored. */
  key: string;
}

export type Member = MemberState;

export interface Presence {
  status: "online" | "away" | "dnd" | "offline" | "invisible";
  lastSeenAt: string | null;
}

export interface Draft {
  content?: string;
  replyToId?: string;
  attachmentIds?: string[];
  /** Shown while the message is pending; `attachmentIds` may be left out when they are given. */
  attachments?: AttachmentState[];
  mentions?: string[];
  metadata?: Record<string, unknown>;
  messageType?: MessageType;
}

export interface UploadOptions {
  onProgress?: (sentBytes: number, totalBytes: number) => void;
  signal?: AbortSignal;
}

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(timer: any): void;
}

export interface ClientOptions {
  /** Where the gateway is; http(s), the page's origin by default. */
  url?: string;
  /** A token, or a function that gets one from your backend. Without one: development mode, `userId` is believed. */
  token?: string | (() => Promise<string> | string);
  userId?: string;
  userType?: string;
  name?: string;
  deviceId?: string;
  /** One socket for all tabs of this origin that speak for the same user. By default true, unless `WebSocket` is given. */
  shareTabs?: boolean;
  storage?: "auto" | "memory" | OutboxStore;
  httpFallback?: boolean;
  autoReceipts?: boolean;
  /** For tests and demos. */
  fetch?: typeof fetch;
  WebSocket?: new (url: string) => WebSocket;
  clock?: Clock;
  random?: () => number;
  locks?: Pick<LockManager, "request">;
  BroadcastChannel?: new (name: string) => Pick<BroadcastChannel, "postMessage" | "close" | "onmessage">;
}

/** What the outbox keeps of a message until it is stored by the server, or discarded. */
export interface OutboxEntry {
  clientMessageId: string;
  threadId: string;
  /** When it was written, milliseconds; the order of the outbox. */
  at: number;
  frame: import("./protocol.js").SendMessage & { clientMessageId: string };
  attachments: AttachmentState[];
  /** Refused for good; waits for retry() or discard(). */
  error?: Failure;
  /** The server has it in its queue; not kept in the store. */
  queued?: boolean;
}

export interface OutboxStore {
  all(): Promise<OutboxEntry[]>;
  put(entry: OutboxEntry): Promise<void>;
  remove(clientMessageId: string): Promise<void>;
  close(): void;
}

export interface ClientEvents {
  state: { state: ConnectionState; reason: string; retryAt: number | null };
  stale: { stale: boolean };
  unread: { threadId: string | null; item: UnreadItem | undefined; totalUnread: number };
  presence: { userId: string; presence: Presence };
  /** Live ones, of followed threads. */
  message: { threadId: string; message: Message };
  /** Anything of a followed thread changed. */
  thread: { threadId: string };
  /** The thread was refused, or its membership ended. */
  lost: { threadId: string; code: string };
  error: Failure;
  signedout: { code: number };
}

export type ThreadChange = "messages" | "members" | "typing" | "title" | "receipts";

export interface ThreadEvents {
  change: { what: Set<ThreadChange> };
  message: { message: Message };
}

export type { ThreadDetail };
