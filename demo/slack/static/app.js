// The page: which conversation is on screen (from the address), and drawing it whenever something changed.

import { drawChrome } from "./chrome.js";
import { blocks } from "./blocks.js";
import { composer } from "./composer.js";
import { h, icon, isPhone, replace } from "./dom.js";
import { avatar, messageList, threadItems } from "./messages.js";
import { drawModal } from "./modal.js";
import { plain } from "./mrkdwn.js";
import { act, changed, connect, markRead, onChange, pressing, readUntil, store, topLevel } from "./store.js";

const place = { channel: null, thread: null };
const panes = {};

// #/ · #/C… · #/C…/thread/<ts> · #/app/home · #/app/messages; permalinks /archives/C…/p<ts> come in as the first.
function route() {
  const [first, second, third] = location.hash.replace(/^#\//, "").split("/");
  if (first === "app") return { app: second || "home", channel: second === "messages" ? store.app.channel : null, thread: null };
  if (store.channels.has(first)) return { channel: first, thread: second === "thread" ? third : null };
  return { channel: null, thread: null };
}

function draw() {
  document.getElementById("offline").hidden = store.online;
  if (!store.ready) return;
  let here = route();
  if (!here.channel && !here.app && !isPhone()) {
    const first = [...store.channels.keys()][0];
    history.replaceState(null, "", `#/${first}`);
    here = route();
  }
  document.getElementById("app").dataset.pane = here.thread ? "thread" : here.channel || here.app ? "channel" : "list";
  const focus = focused();
  drawChrome(here);
  drawConversation(here);
  drawThread(here);
  drawModal();
  refocus(focus);
  showTarget();
  const total = [...store.channels.values()].length;
  document.title = total ? `${titleOf(here)} - ${store.team}` : "Slack stand-in";
}

// A redrawn message takes the keyboard's place with it: the same button, or the message when the button is gone.
function focused() {
  const element = document.activeElement;
  const row = element?.closest?.(".message");
  return row && { element, pane: row.closest("#thread, #channel").id, ts: row.dataset.messageTs, action: element.dataset.actionId };
}

function refocus(focus) {
  if (!focus || focus.element.isConnected || document.activeElement !== document.body) return;
  const row = document.querySelector(`#${focus.pane} .message[data-message-ts="${focus.ts}"]`);
  const same = focus.action && row?.querySelector(`[data-action-id="${CSS.escape(focus.action)}"]`);
  (same || row)?.focus({ preventScroll: true });
}

const titleOf = (here) => (here.app ? store.app.name : here.channel ? `#${store.channels.get(here.channel).name}` : store.team);
const openThread = (channel) => (ts) => { location.hash = `#/${channel}/thread/${ts}`; };

function drawConversation(here) {
  const main = document.getElementById("channel");
  const key = `${store.me}:${here.app ?? ""}:${here.channel ?? ""}`;
  if (place.channel !== key) enter(here, key, main);
  if (here.app === "home") return drawHome();
  const channel = store.channels.get(here.channel);
  if (!channel) return undefined;
  const mine = store.ephemerals.filter((e) => e.channel === channel.id && !e.thread_ts);
  const items = [...topLevel(channel), ...mine].sort((a, b) => (a.ts < b.ts ? -1 : 1));
  const { list, foot, head } = panes;
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  replace(head, channelHead(channel, here));
  sync(list, [intro(channel), ...messageList(items, "channel", { newFrom: store.newFrom.get(channel.id), openThread: openThread(channel.id) })]);
  drawFoot(foot, channel);
  if (atEnd || panes.fresh) list.scrollTop = list.scrollHeight;
  panes.fresh = false;
  if (document.visibilityState === "visible") markRead(channel.id);
  return undefined;
}

function enter(here, key, main) {
  place.channel = key;
  panes.fresh = true;
  panes.home = null;
  if (here.channel) rememberNew(here.channel);
  if (here.app === "home") {
    act("home", { user: store.me });
    panes.head = h("header", { class: "pane-head" });
    panes.home = h("div", { class: "home", "data-testid": "home" });
    replace(main, panes.head, h("div", { class: "messages home-scroll" }, panes.home));
    return;
  }
  panes.head = h("header", { class: "pane-head" });
  panes.list = h("div", { class: "messages", role: "log", "aria-label": "Messages", tabindex: "0", "data-channel-id": here.channel, "data-testid": "messages" });
  panes.foot = h("div", { class: "foot" });
  stayAtEnd(panes.list);
  replace(main, ...(here.channel ? [panes.head, panes.list, panes.foot] : []));
}

// Whoever reads the newest message keeps it in sight when the pane changes its size.
function stayAtEnd(list) {
  let atEnd = true;
  list.addEventListener("scroll", () => { atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 80; }, { passive: true });
  new ResizeObserver(() => { if (atEnd) list.scrollTop = list.scrollHeight; }).observe(list);
}

function rememberNew(id) {
  const until = readUntil(id) ?? "0";
  const first = topLevel(store.channels.get(id)).find((m) => m.ts > until && m.user !== store.me);
  if (first) store.newFrom.set(id, first.ts);
  else store.newFrom.delete(id);
}

function channelHead(channel, here) {
  if (here.app) return appHead(here);
  return [back("#/"), h("h2", {}, icon(channel.is_archived ? "archive" : "hash"), channel.name),
    channel.topic?.value && h("span", { class: "topic" }, plain(channel.topic.value)),
    h("span", { class: "people", title: `${channel.num_members} members` }, channel.members.slice(0, 3).map((id) => avatar(id, "tiny")), channel.num_members)];
}

const back = (href) => h("a", { class: "back", href, "aria-label": "Back" }, icon("back"));

function appHead(here) {
  const tab = (id, label) => h("a", { class: `tab${here.app === id ? " here" : ""}`, href: `#/app/${id}`, "aria-current": here.app === id ? "page" : null }, label);
  return [back("#/"), h("h2", {}, avatar(store.app.user, "small"), store.app.name), h("nav", { class: "tabs", "aria-label": "App" }, tab("home", "Home"), tab("messages", "Messages"))];
}

function intro(channel) {
  panes.intro ??= new Map();
  if (!panes.intro.has(channel.id)) {
    const name = channel.is_im ? store.app.name : channel.name;
    panes.intro.set(channel.id, h("div", { class: "intro" }, h("h3", {}, channel.is_im ? null : "# ", name),
      h("p", {}, channel.is_im ? `This is the beginning of your messages with ${name}.` : `This is the very beginning of the #${name} channel.`)));
  }
  return panes.intro.get(channel.id);
}

function drawFoot(foot, channel) {
  const state = `${store.me}:${channel.id}:${channel.is_archived}`;
  if (foot.dataset.state === state) return;
  foot.dataset.state = state;
  replace(foot, channel.is_archived ? h("p", { class: "archived" }, icon("archive"), `You are viewing #${channel.name}, an archived channel`) : composer(channel, null));
}

// Make the children of `list` these nodes, moving as little as possible.
function sync(list, nodes) {
  nodes.forEach((node, index) => {
    if (list.children[index] !== node) list.insertBefore(node, list.children[index] ?? null);
  });
  while (list.children.length > nodes.length) list.lastChild.remove();
}

function drawHome() {
  replace(panes.head, appHead({ app: "home" }));
  const home = store.views.home;
  const key = JSON.stringify([home?.hash, [...store.pending], store.failed.get("home")]);
  if (panes.home.dataset.key === key) return;
  panes.home.dataset.key = key;
  if (!home) {
    replace(panes.home, h("p", { class: "muted" }, "This app has not set up its home yet."));
    return;
  }
  const surface = {
    key: home.id,
    press: (element, block, value) => pressing(`${home.id}:${element.action_id}`, async () => {
      const seen = await act("press_home", { user: store.me, action_id: element.action_id, block_id: block.block_id, value });
      if (seen.error) store.failed.set("home", seen.error);
      else store.failed.delete("home");
    }),
  };
  const failed = store.failed.get("home");
  replace(panes.home, failed && h("div", { class: "failed", role: "alert" }, icon("warning"), failed), blocks(home.blocks, surface));
}

function drawThread(here) {
  const pane = document.getElementById("thread");
  const channel = store.channels.get(here.channel);
  const found = channel && here.thread ? threadItems(channel, here.thread) : null;
  pane.hidden = !found?.parent;
  if (pane.hidden) {
    place.thread = null;
    return;
  }
  const key = `${store.me}:${channel.id}:${here.thread}`;
  const entering = place.thread !== key;
  if (entering) {
    place.thread = key;
    panes.thread = h("div", { class: "messages", role: "log", "aria-label": "Thread", tabindex: "0" });
    panes.count = h("div", { class: "reply-line" });
    const home = `#/${channel.id}`;
    replace(pane, h("header", { class: "pane-head" }, back(home), h("h2", {}, "Thread"), h("span", { class: "topic" }, channel.is_im ? store.app.name : `#${channel.name}`),
      h("a", { class: "icon-button close-thread", href: home, "aria-label": "Close thread" }, icon("close"))),
    panes.thread, h("div", { class: "foot" }, channel.is_archived ? null : composer(channel, here.thread)));
    if (!isPhone()) queueMicrotask(() => pane.querySelector("textarea")?.focus({ preventScroll: true }));
  }
  const atEnd = panes.thread.scrollHeight - panes.thread.scrollTop - panes.thread.clientHeight < 80;
  const count = found.replies.filter((r) => !r.is_ephemeral).length;
  replace(panes.count, count ? h("span", {}, `${count} ${count === 1 ? "reply" : "replies"}`) : null);
  sync(panes.thread, [...messageList([found.parent], "thread"), panes.count, ...messageList(found.replies, "thread")]);
  if (!entering && atEnd) panes.thread.scrollTop = panes.thread.scrollHeight;
}

// A permalink: go to the message and mark it for a moment.
let target = null;
function openPermalink() {
  const match = location.pathname.match(/^\/archives\/(\w+)\/p(\d+)(\d{6})$/);
  if (!match) return;
  const [, channel, seconds, rest] = match;
  const thread = new URLSearchParams(location.search).get("thread_ts");
  target = `${seconds}.${rest}`;
  history.replaceState(null, "", `/#/${channel}${thread ? `/thread/${thread}` : ""}`);
}

function showTarget() {
  const row = target && document.querySelector(`.message[data-message-ts="${target}"]`);
  if (!row) return;
  target = null;
  row.scrollIntoView({ block: "center" });
  row.classList.add("marked");
  setTimeout(() => row.classList.remove("marked"), 3000);
}

const asked = new URLSearchParams(location.search).get("as");
if (asked) {
  store.me = asked;
  sessionStorage.setItem("act-as", asked);
}
openPermalink();
onChange(draw);
window.addEventListener("hashchange", changed);
window.matchMedia("(max-width: 760px)").addEventListener("change", changed);
document.addEventListener("visibilitychange", changed);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && route().thread && !document.querySelector("#layer > *")) location.hash = `#/${route().channel}`;
});
connect();
