// Slack's mrkdwn, as elements. Source: docs.slack.dev/messaging/formatting-message-text.
// The text is escaped (&amp; &lt; &gt;); angle brackets hold links, mentions and dates. Nothing becomes HTML.

import { h } from "./dom.js";
import { emojiByName, withEmoji } from "./emoji.js";
import { store } from "./store.js";
import { formatDate } from "./time.js";

const WRAPPERS = { "*": "strong", _: "em", "~": "s" };
const WORD = /[\p{L}\p{N}]/u;

export function unescape(text) {
  return text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
}

// A whole text: code blocks, quotes, lines.
export function mrkdwn(text) {
  const nodes = [];
  text.split(/```/).forEach((part, index, parts) => {
    if (index % 2 === 1 && index < parts.length - 1) {
      nodes.push(h("pre", { class: "code-block" }, unescape(withoutBrackets(part.replace(/^\n/, "").replace(/\n$/, "")))));
    } else {
      nodes.push(...lines(index % 2 === 1 ? "```" + part : part, index > 0));
    }
  });
  return nodes;
}

function withoutBrackets(text) {
  return text.replace(/<((?:https?|mailto):[^|>]*)(?:\|([^>]*))?>/g, (_, url, label) => label ?? url);
}

function lines(part, afterCode) {
  const nodes = [];
  let quote = null;
  const all = (afterCode ? part.replace(/^\n/, "") : part).split("\n");
  all.forEach((line, index) => {
    const quoted = line.match(/^(?:&gt;|>)\s?(.*)$/);
    if (quoted) {
      if (!quote) nodes.push((quote = h("blockquote", {})));
      else quote.append(h("br"));
      quote.append(...inline(quoted[1]));
      return;
    }
    if (index > 0 && !quote) nodes.push(h("br"));
    quote = null;
    const bullet = line.match(/^(\s*)[•◦▪]\s+(.*)$/);
    if (bullet) nodes.push(h("span", { class: "bullet" }, inline(line)));
    else nodes.push(...inline(line));
  });
  if (all.length > 1 && all.at(-1) === "" && nodes.at(-1)?.tagName === "BR") nodes.pop();
  return nodes;
}

// One line (or the inside of a wrapper).
export function inline(text) {
  const nodes = [];
  let plain = "";
  const flush = () => {
    if (plain) nodes.push(...withEmoji(unescape(plain)));
    plain = "";
  };
  for (let at = 0; at < text.length;) {
    const found = code(text, at) ?? angle(text, at) ?? wrapped(text, at) ?? named(text, at);
    if (found) {
      flush();
      nodes.push(found.node);
      at = found.end;
    } else {
      plain += text[at];
      at += 1;
    }
  }
  flush();
  return nodes;
}

function code(text, at) {
  if (text[at] !== "`") return null;
  const end = text.indexOf("`", at + 1);
  if (end <= at + 1) return null;
  return { node: h("code", {}, unescape(withoutBrackets(text.slice(at + 1, end)))), end: end + 1 };
}

function wrapped(text, at) {
  const tag = WRAPPERS[text[at]];
  if (!tag || (at > 0 && WORD.test(text[at - 1])) || !text[at + 1] || /\s/.test(text[at + 1])) return null;
  for (let end = text.indexOf(text[at], at + 1); end > 0; end = text.indexOf(text[at], end + 1)) {
    const inner = text.slice(at + 1, end);
    const closes = inner && !/\s$/.test(inner) && !(text[end + 1] && WORD.test(text[end + 1]));
    if (closes) return { node: h(tag, {}, inline(inner)), end: end + 1 };
  }
  return null;
}

function named(text, at) {
  if (text[at] !== ":") return null;
  const match = text.slice(at).match(/^:([a-z0-9_+'-]+(?:::skin-tone-\d)?):/);
  const node = match && emojiByName(match[1]);
  return node ? { node, end: at + match[0].length } : null;
}

function angle(text, at) {
  if (text[at] !== "<") return null;
  const end = text.indexOf(">", at);
  if (end < 0) return null;
  const [target, ...rest] = text.slice(at + 1, end).split("|");
  const node = reference(target, rest.length ? rest.join("|") : null);
  return node ? { node, end: end + 1 } : null;
}

function reference(target, label) {
  if (target[0] === "@") return mention(`@${store.users[target.slice(1)]?.name ?? label ?? target.slice(1)}`, target.slice(1));
  if (target[0] === "#") return channelLink(target.slice(1), label);
  if (target.startsWith("!subteam^")) {
    const id = target.slice(9);
    return mention(label ?? `@${store.groups[id]?.handle ?? id}`, id);
  }
  if (target.startsWith("!date^")) return date(target, label);
  if (/^!(here|channel|everyone)$/.test(target)) return mention(`@${target.slice(1)}`);
  return link(target, label);
}

function mention(text, id) {
  return h("span", { class: `mention${id === store.me ? " mention-me" : ""}`, "data-mention": id }, text);
}

function channelLink(id, label) {
  const channel = store.channels.get(id);
  if (!channel) return h("span", { class: "mention" }, `#${label || id}`);
  return h("a", { class: "mention", href: `#/${id}` }, `#${channel.name}`);
}

function date(target, fallback) {
  const [, seconds, format, url] = target.split("^");
  if (!/^\d+$/.test(seconds ?? "") || !format) return document.createTextNode(unescape(fallback ?? ""));
  const at = new Date(Number(seconds) * 1000);
  const text = h("time", { datetime: at.toISOString(), title: at.toLocaleString() }, formatDate(at, unescape(format)));
  return (url && link(url, null, text)) || text;
}

export function link(target, label, content) {
  const url = unescape(target);
  if (!/^(https?:\/\/|mailto:)/i.test(url)) return null;
  const shown = content ?? (label ? inline(label) : url.replace(/^mailto:/, ""));
  if (url.startsWith(location.origin)) return h("a", { href: url }, shown);
  return h("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, shown);
}

// plain_text: no markup, but emoji shortcodes unless `emoji` is false.
export function plain(text, emoji = true) {
  const nodes = [];
  unescape(text).split(/(:[a-z0-9_+'-]+:)/).forEach((part) => {
    const node = emoji && /^:.*:$/.test(part) ? emojiByName(part.slice(1, -1)) : null;
    if (node) nodes.push(node);
    else if (part) nodes.push(...withEmoji(part));
  });
  return nodes;
}

// A text object of Block Kit.
export function textObject(object) {
  if (!object) return [];
  if (object.type !== "mrkdwn") return object.text.split("\n").flatMap((l, i) => (i ? [h("br"), ...plain(l, object.emoji)] : plain(l, object.emoji)));
  return mrkdwn(object.text);
}
