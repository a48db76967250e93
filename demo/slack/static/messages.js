// Messages as Slack draws them: author, text, attachments with their colour bar, files, reactions, the link to the thread.
// Nodes are reused while their message is unchanged, so that a redraw disturbs neither reading nor a menu.

import { blocks } from "./blocks.js";
import { append, h, icon, isPhone } from "./dom.js";
import { emojiByName } from "./emoji.js";
import { fileCard } from "./files.js";
import { mrkdwn, plain } from "./mrkdwn.js";
import { act, isTopLevel, pressing, repliesOf, store } from "./store.js";
import { dayLabel, fromTs, lastReply, sameDay, time } from "./time.js";

const GROUP_SECONDS = 300;
const COLOURS = ["#e8912d", "#2eb67d", "#9a4ab4", "#1d9bd1", "#c0392b"];

export function avatar(user, className = "") {
  const known = store.users[user];
  if (user === store.app.user) return h("img", { class: `avatar ${className}`, src: "/static/icon.svg", alt: "" });
  const index = Math.max(0, Object.keys(store.users).indexOf(user));
  const initials = (known?.name ?? "?").split(/\s+/).map((word) => word[0]).slice(0, 2).join("");
  return h("span", { class: `avatar ${className}`, color: COLOURS[index % COLOURS.length], "aria-hidden": "true" }, initials);
}

const cache = new Map();

// The nodes of a list of messages, oldest first. `place` is "channel" or "thread".
export function messageList(items, place, { newFrom = null, openThread } = {}) {
  const nodes = [];
  let before = null;
  for (const item of items) {
    const at = fromTs(item.ts);
    if (place === "channel" && (!before || !sameDay(fromTs(before.ts), at))) {
      nodes.push(h("div", { class: "day", role: "separator" }, h("span", {}, dayLabel(at))));
      before = null;
    }
    if (newFrom && item.ts === newFrom) {
      nodes.push(h("div", { class: "new-line", role: "separator" }, h("span", {}, "New")));
      before = null;
    }
    nodes.push(cached(item, place, isContinuation(before, item), openThread));
    before = item;
  }
  return nodes;
}

function isContinuation(before, item) {
  return Boolean(before) && before.user === item.user && !before.is_ephemeral && !item.is_ephemeral && !item.subtype && !before.subtype
    && Number(item.ts) - Number(before.ts) < GROUP_SECONDS;
}

function cached(item, place, continued, openThread) {
  const key = `${place}:${item.channel}:${item.ts}${item.is_ephemeral ? ":e" : ""}`;
  const failed = store.failed.get(`${item.channel}:${item.ts}`) ?? "";
  const pending = [...store.pending].filter((p) => p.startsWith(`${item.channel}:${item.ts}:`)).join();
  const state = JSON.stringify([item, continued, failed, pending, store.me]);
  const known = cache.get(key);
  if (known?.state === state) return known.node;
  const node = message(item, place, continued, failed, openThread);
  cache.set(key, { state, node });
  return node;
}

export const forgetNodes = () => cache.clear();

function message(item, place, continued, failed, openThread) {
  const at = fromTs(item.ts);
  const author = store.users[item.user];
  const row = h("article", {
    class: `message${continued ? " continued" : ""}${item.is_ephemeral ? " ephemeral" : ""}${item.subtype === "tombstone" ? " tombstone" : ""}`,
    "data-message-ts": item.ts, "data-channel-id": item.channel, "data-testid": item.is_ephemeral ? "ephemeral" : null, tabindex: "-1",
    "aria-label": `${author?.name ?? "Someone"}, ${time(at)}`,
  });
  const stamp = h("time", { class: "stamp", datetime: at.toISOString(), title: at.toLocaleString() }, time(at));
  const gutter = h("div", { class: "gutter" }, continued ? h("span", { class: "hover-time" }, time(at).replace(/ [AP]M$/, "")) : avatar(item.user));
  const body = h("div", { class: "body" });
  if (item.is_ephemeral) append(body, h("div", { class: "only-you" }, icon("eye"), "Only visible to you"));
  if (item.broadcast && place === "channel") append(body, h("div", { class: "only-you" }, icon("reply"), "replied to a thread"));
  if (item.pinned_to) append(body, h("div", { class: "only-you pinned" }, icon("pin"), "Pinned by Watchkeeper"));
  if (!continued) {
    append(body, h("div", { class: "author" }, h("span", { class: "name" }, author?.name ?? "Unknown"),
      author?.bot && h("span", { class: "badge" }, "APP"), stamp));
  }
  append(body, content(item));
  if (failed) append(body, h("div", { class: "failed", role: "alert" }, icon("warning"), failed));
  append(body, reactions(item));
  if (place === "channel" && item.reply_count) append(body, threadBar(item, openThread));
  append(row, [gutter, body]);
  if (!item.is_ephemeral && place === "channel" && isTopLevel(item)) {
    append(row, toolbar(item, openThread));
    row.addEventListener("click", (event) => {
      if (isPhone() && !event.target.closest("a, button, input, select, label, textarea, .snippet")) openThread(item.ts);
    });
  }
  return row;
}

function content(item) {
  const surface = surfaceOf(item);
  const nodes = [];
  const edited = item.edited && h("span", { class: "edited" }, " (edited)");
  if (item.blocks?.length && item.blocks[0].block_id !== "rt") nodes.push(marked(h("div", { class: "blocks" }, blocks(item.blocks, surface)), edited));
  else if (item.text) nodes.push(h("div", { class: "text" }, mrkdwn(item.text), edited));
  for (const attachment of item.attachments ?? []) nodes.push(attached(attachment, surface));
  for (const file of item.files ?? []) nodes.push(fileCard(file));
  return nodes;
}

// Slack writes "(edited)" behind the last words, not on a line of its own.
function marked(node, edited) {
  if (edited) append([...node.querySelectorAll(".text")].at(-1) ?? node, edited);
  return node;
}

function attached(attachment, surface) {
  const color = /^[0-9a-f]{3,8}$/i.test(attachment.color ?? "") ? `#${attachment.color}` : "#dddddd";
  return h("div", { class: "attachment", color, "data-color": color }, h("div", { class: "attachment-body" },
    attachment.pretext && h("div", { class: "text" }, mrkdwn(attachment.pretext)),
    attachment.title && h("div", { class: "attachment-title" }, plain(attachment.title)),
    attachment.text && h("div", { class: "text" }, mrkdwn(attachment.text)),
    attachment.fields && h("div", { class: "fields" }, attachment.fields.map((f) => h("div", { class: "text" }, h("strong", {}, f.title), h("br"), mrkdwn(f.value ?? "")))),
    blocks(attachment.blocks, surface),
    attachment.footer && h("div", { class: "attachment-footer" }, plain(attachment.footer))));
}

function surfaceOf(item) {
  const key = `${item.channel}:${item.ts}`;
  return {
    key,
    press: (element, block, value) => pressing(`${key}:${element.action_id}`, async () => {
      store.failed.delete(key);
      const seen = await act("press", { user: store.me, channel: item.channel, ts: item.ts, action_id: element.action_id, block_id: block.block_id, value });
      if (seen.error) store.failed.set(key, seen.error);
    }),
  };
}

function reactions(item) {
  if (!item.reactions?.length) return null;
  return h("div", { class: "reactions" }, item.reactions.map((r) => h("button", {
    type: "button", class: `reaction${r.users.includes(store.me) ? " mine" : ""}`, "aria-pressed": String(r.users.includes(store.me)),
    "aria-label": `${r.name}, ${r.count}`, title: r.users.map((u) => store.users[u]?.name ?? u).join(", "),
    onclick: () => act("react", { user: store.me, channel: item.channel, ts: item.ts, name: r.name }),
  }, emojiByName(r.name) ?? `:${r.name}:`, h("span", {}, r.count))));
}

function threadBar(item, openThread) {
  const count = item.reply_count;
  return h("button", { type: "button", class: "thread-bar", "data-testid": "open-thread", onclick: () => openThread(item.ts) },
    item.reply_users.slice(0, 4).map((user) => avatar(user, "tiny")),
    h("span", { class: "thread-count" }, `${count} ${count === 1 ? "reply" : "replies"}`),
    h("span", { class: "thread-last" }, `Last reply ${lastReply(fromTs(item.latest_reply))}`), icon("chevron", "icon thread-arrow"));
}

function toolbar(item, openThread) {
  return h("div", { class: "toolbar" },
    ["white_check_mark", "eyes"].map((name) => h("button", {
      type: "button", "aria-label": `React with ${name.replaceAll("_", " ")}`,
      onclick: () => act("react", { user: store.me, channel: item.channel, ts: item.ts, name }),
    }, emojiByName(name))),
    h("button", { type: "button", "aria-label": "Reply in thread", title: "Reply in thread", "data-testid": "reply-in-thread", onclick: () => openThread(item.ts) }, icon("reply")));
}

// The parent, a line with the number of replies, the replies, and what only this person sees in the thread.
export function threadItems(channel, ts) {
  const parent = channel.messages.get(ts);
  const mine = store.ephemerals.filter((e) => e.channel === channel.id && e.thread_ts === ts);
  const replies = [...repliesOf(channel, ts), ...mine].sort((a, b) => (a.ts < b.ts ? -1 : 1));
  return { parent, replies };
}
