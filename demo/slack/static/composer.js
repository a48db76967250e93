// The box below a conversation: messages, slash commands, and hints for both.

import { h, icon, replace, spinner } from "./dom.js";
import { act, changed, store } from "./store.js";

const HINTS = [
  ["/watch help", "what Watchkeeper understands"], ["/watch status", "clusters and open incidents"],
  ["/watch now", "[cluster/]namespace[/kind/name]: sweep now"], ["/watch why", "workload: diagnose it"],
  ["/watch incidents", "open | mine | 24h"], ["/watch show", "id"], ["/watch ack", "id"], ["/watch snooze", "id"],
  ["/watch list", "the watches of this workspace"], ["/watch add", "add a watch"], ["/watch report", "now | schedule | off"],
  ["/watch policy", "what may be done here, and by whom"], ["/watch audit", "id | user | 24h"], ["/watch doctor", "check the installation"],
  ["/watch drill", "a rehearsal"], ["/watch cost", "what the model cost"], ["/watch runbook", "add | list"],
];
const drafts = new Map();

// One composer for one place, made once and kept by its caller. `thread` is null in a channel.
export function composer(channel, thread) {
  const key = `${store.me}:${channel.id}:${thread ?? ""}`;
  const name = channel.is_im ? store.app.name : `#${channel.name}`;
  const label = thread ? "Reply…" : `Message ${name}`;
  const area = h("textarea", { rows: "1", placeholder: label, "aria-label": label, "data-testid": "composer-input", oninput: typed, onkeydown: key_ });
  const hints = h("div", { class: "hints", role: "listbox", "aria-label": "Suggestions", hidden: true });
  const send = h("button", { type: "submit", class: "send", "aria-label": "Send", disabled: true }, icon("send"));
  const note = h("div", { class: "composer-note", role: "status" });
  let chosen = 0;

  function typed() {
    drafts.set(key, area.value);
    area.style.setProperty("height", "auto");
    area.style.setProperty("height", `${Math.min(area.scrollHeight, 200)}px`);
    send.disabled = !area.value.trim();
    suggest();
  }

  function suggestions() {
    const text = area.value;
    if (/^\/\S*( \S*)?$/.test(text) && !thread) return HINTS.filter(([c]) => c.startsWith(text) && c !== text).map(([c, d]) => ({ label: c, note: d, text: `${c} ` }));
    const at = text.match(/(^|\s)@(\w*)$/);
    if (!at) return [];
    const rest = text.slice(0, text.length - at[2].length);
    const names = [...Object.values(store.users).filter((u) => u.name !== "Slackbot").map((u) => u.name), ...Object.values(store.groups).map((g) => g.handle)];
    return names.filter((n) => n.toLowerCase().startsWith(at[2].toLowerCase())).map((n) => ({ label: `@${n}`, note: "", text: `${rest}${n} ` }));
  }

  function suggest() {
    const found = suggestions().slice(0, 8);
    chosen = Math.min(chosen, Math.max(0, found.length - 1));
    hints.hidden = found.length === 0;
    replace(hints, found.map((hint, i) => h("button", {
      type: "button", role: "option", class: "hint-item", "aria-selected": String(i === chosen), tabindex: "-1",
      onmousedown: (event) => { event.preventDefault(); take(hint); },
    }, h("strong", {}, hint.label), h("span", {}, hint.note))));
    return found;
  }

  function take(hint) {
    area.value = hint.text;
    chosen = 0;
    typed();
    area.focus();
  }

  function key_(event) {
    const found = hints.hidden ? [] : suggestions().slice(0, 8);
    if (found.length && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      chosen = (chosen + (event.key === "ArrowDown" ? 1 : found.length - 1)) % found.length;
      suggest();
      event.preventDefault();
    } else if (found.length && event.key === "Tab") {
      take(found[chosen]);
      event.preventDefault();
    } else if (event.key === "Escape" && !hints.hidden) {
      hints.hidden = true;
      event.stopPropagation();
    } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      submit();
    }
  }

  async function submit() {
    const text = area.value.trim();
    if (!text) return;
    area.value = "";
    typed();
    replace(note);
    if (text.startsWith("/")) await slash(text);
    else await act("say", { user: store.me, channel: channel.id, text: encode(text), thread_ts: thread });
  }

  async function slash(text) {
    const [command, ...rest] = text.split(" ");
    if (thread) {
      replace(note, `${command} is not supported in threads. Sorry!`);
      return;
    }
    if (command !== "/watch") {
      replace(note, `${command} is not a valid command. Type /watch for the commands of Watchkeeper.`);
      return;
    }
    replace(note, spinner(), ` Running ${text}`);
    await act("command", { user: store.me, channel: channel.id, name: command, text: rest.join(" ") });
    replace(note);
    changed();
  }

  const form = h("form", { class: "composer", "data-testid": "composer", "data-thread-ts": thread, onsubmit: (event) => { event.preventDefault(); submit(); } },
    hints,
    h("div", { class: "composer-tools", "aria-hidden": "true" }, ["bold", "italic", "code"].map((name) => icon(name))),
    area,
    h("div", { class: "composer-row" }, h("span", { class: "composer-extra", "aria-hidden": "true" }, icon("plus"), icon("smile"), "@"), send));
  area.value = drafts.get(key) ?? "";
  queueMicrotask(typed);
  return h("div", { class: "composer-box" }, form, note);
}

// What people type is text: escaped, with the names of people and groups as mentions.
export function encode(text) {
  let encoded = text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  for (const [id, user] of Object.entries(store.users)) encoded = encoded.replaceAll(`@${user.name}`, `<@${id}>`).replaceAll(`@${user.handle}`, `<@${id}>`);
  for (const [id, group] of Object.entries(store.groups)) encoded = encoded.replaceAll(`@${group.handle}`, `<!subteam^${id}|@${group.handle}>`);
  return encoded.replace(/https?:\/\/[^\s<>]+/g, (url) => `<${url}>`);
}
