/**
 * A page of a product, with the SDK and the elements loaded from the gateway.
 *
 * Promises to do what its address says (`?setup=` JSON: sdk, threads, inbox, names, options of the client, mint: take
 * tokens from the test's `mintToken`) and to keep what the client told in `window.told`, for the tests.
 */

/** @type {any} */
const page = window;
const setup = JSON.parse(new URLSearchParams(location.search).get("setup") ?? "{}");
page.told = [];
page.violations = [];
document.addEventListener("securitypolicyviolation", (event) => page.violations.push(event.violatedDirective + " " + event.blockedURI));

const { ChatClient } = await import(`${setup.sdk}/chatterbus/index.js`);
await import(`${setup.sdk}/chatterbus/element/index.js`);

const client = new ChatClient({ ...setup.options, ...(setup.mint ? { token: () => page.mintToken() } : {}) });
for (const type of ["state", "stale", "unread", "presence", "message", "lost", "error", "signedout"]) {
  client.addEventListener(type, ({ detail }) => page.told.push({ type, ...detail }));
}
page.client = client;
page.threads = Object.fromEntries(setup.threads.map((/** @type {string} */ id) => [id, client.thread(id)]));

const elements = setup.threads.map((/** @type {string} */ id) => Object.assign(document.createElement("chatterbus-thread"), { threadId: id }));
if (setup.inbox) elements.unshift(document.createElement("chatterbus-inbox"));
for (const element of elements) {
  if (setup.names) element.names = setup.names;
  element.client = client;
}
if (!setup.bare) document.getElementById("chat")?.append(...elements);
else for (const thread of Object.values(page.threads)) /** @type {any} */ (thread).open();
client.connect().catch(() => {});
page.hostReady = true;
