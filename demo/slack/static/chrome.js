// Around the conversation: the top bar, the workspace rail, the list of channels and apps, and who one acts as.

import { h, icon, replace } from "./dom.js";
import { avatar, forgetNodes } from "./messages.js";
import { popover } from "./overlays.js";
import { actAs, store, unread } from "./store.js";

export function drawChrome(route) {
  replace(document.getElementById("topbar"), h("div", { class: "search", "aria-hidden": "true" }, icon("search"), `Search ${store.team}`));
  replace(document.getElementById("rail"),
    h("div", { class: "workspace-icon", "aria-hidden": "true" }, store.team[0] ?? ""),
    h("a", { class: "rail-item here", href: "#/", "aria-label": "Home" }, h("span", { class: "rail-icon" }, icon("home")), "Home"));
  replace(document.getElementById("sidebar"),
    h("header", { class: "team" }, h("span", { class: "team-mark", "aria-hidden": "true" }, store.team[0] ?? ""), h("h1", {}, store.team), icon("chevron")),
    h("div", { class: "scroll" },
      h("h2", { class: "group" }, "Channels"),
      [...store.channels.values()].filter((c) => !c.is_im).map((channel) => channelLink(channel, route)),
      h("h2", { class: "group" }, "Apps"),
      appLink(route)),
    switcher());
}

function channelLink(channel, route) {
  const count = channel.id === route.channel ? 0 : unread(channel);
  return h("a", {
    class: `item${channel.id === route.channel ? " here" : ""}${count ? " unread" : ""}`, href: `#/${channel.id}`, "data-channel-id": channel.id,
    "aria-current": channel.id === route.channel ? "page" : null, "aria-label": count ? `${channel.name}, ${count} unread` : channel.name,
  }, icon(channel.is_archived ? "archive" : "hash"), h("span", { class: "item-name" }, channel.name), count > 0 && h("span", { class: "count" }, count));
}

function appLink(route) {
  const im = store.channels.get(store.app.channel);
  const count = im && !route.app ? unread(im) : 0;
  return h("a", { class: `item${route.app ? " here" : ""}${count ? " unread" : ""}`, href: "#/app/home", "data-testid": "app-link" },
    avatar(store.app.user, "small"), h("span", { class: "item-name" }, store.app.name),
    h("span", { class: `presence${store.connected ? " on" : ""}`, title: store.connected ? "Connected" : "Not connected" }),
    count > 0 && h("span", { class: "count" }, count));
}

function switcher() {
  const me = store.people.find((p) => p.id === store.me);
  const open = (event) => popover(event.currentTarget, (close) => [
    h("div", { class: "menu-title" }, "Act as"),
    ...store.people.map((person) => h("button", {
      type: "button", role: "menuitemradio", class: "menu-item person", "aria-checked": String(person.id === store.me), "data-user-id": person.id,
      onclick: () => { close(); forgetNodes(); actAs(person.id); },
    }, avatar(person.id, "small"), h("span", {}, person.name, h("small", {}, person.role)))),
  ]);
  return h("button", { type: "button", class: "me", "data-testid": "act-as", "data-user-id": store.me, "aria-haspopup": "menu", "aria-label": `Act as: ${me?.name ?? ""}`, onclick: open },
    avatar(store.me), h("span", { class: "me-name" }, h("strong", {}, me?.name ?? ""), h("small", {}, me?.role ?? "")), icon("chevron"));
}
