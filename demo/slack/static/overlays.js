// What lies over the page: small menus, confirmation dialogs, and the keyboard rules that they share with modals.

import { h } from "./dom.js";
import { textObject } from "./mrkdwn.js";

const layer = () => document.getElementById("layer");
const FOCUSABLE = "button:not(:disabled), input:not(:disabled), select, textarea, a[href]";

// Keep Tab inside `box`; Escape calls `onEscape`.
export function trap(box, onEscape) {
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      onEscape();
      return;
    }
    if (event.key !== "Tab") return;
    const stops = [...box.querySelectorAll(FOCUSABLE)].filter((e) => e.offsetParent !== null);
    const first = stops[0];
    const last = stops.at(-1);
    if (event.shiftKey && document.activeElement === first) last.focus();
    else if (!event.shiftKey && document.activeElement === last) first.focus();
    else return;
    event.preventDefault();
  });
}

// A menu below (or above) its opener.
export function popover(opener, fill, onClose = () => {}) {
  const menu = h("div", { class: "popover", role: "menu", tabindex: "-1" });
  const shade = h("div", { class: "shade", onclick: () => close() });
  function close() {
    shade.remove();
    menu.remove();
    onClose();
    if (opener.isConnected) opener.focus({ preventScroll: true });
  }
  menu.append(...[fill(close)].flat());
  layer().append(shade, menu);
  const at = opener.getBoundingClientRect();
  const below = at.bottom + menu.offsetHeight + 8 < window.innerHeight;
  menu.style.setProperty("top", `${Math.max(8, below ? at.bottom + 4 : at.top - menu.offsetHeight - 4)}px`);
  menu.style.setProperty("left", `${Math.max(8, Math.min(at.left, window.innerWidth - menu.offsetWidth - 8))}px`);
  trap(menu, close);
  menu.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const items = [...menu.querySelectorAll(FOCUSABLE)];
    items.at((items.indexOf(document.activeElement) + step) % items.length)?.focus();
    event.preventDefault();
  });
  (menu.querySelector(FOCUSABLE) ?? menu).focus({ preventScroll: true });
  return close;
}

// Slack's confirmation dialog; resolves to true at once when there is nothing to confirm.
export function confirmed(confirm) {
  if (!confirm) return Promise.resolve(true);
  return new Promise((resolve) => {
    const before = document.activeElement;
    const end = (answer) => {
      shade.remove();
      before?.focus?.({ preventScroll: true });
      resolve(answer);
    };
    const style = confirm.style === "danger" ? "danger" : "primary";
    const box = h("div", { class: "dialog confirm", role: "alertdialog", "aria-modal": "true", "aria-labelledby": "confirm-title", "data-testid": "confirm" },
      h("header", {}, h("h2", { id: "confirm-title" }, confirm.title ? textObject(confirm.title) : "Are you sure?")),
      h("div", { class: "dialog-body text" }, textObject(confirm.text)),
      h("footer", {},
        h("button", { type: "button", class: "button large", "data-testid": "confirm-deny", onclick: () => end(false) }, confirm.deny ? textObject(confirm.deny) : "Cancel"),
        h("button", { type: "button", class: `button large ${style}`, "data-testid": "confirm-ok", onclick: () => end(true) }, confirm.confirm ? textObject(confirm.confirm) : "Yes")));
    const shade = h("div", { class: "dialog-shade" }, box);
    layer().append(shade);
    trap(box, () => end(false));
    box.querySelector("footer .button").focus();
  });
}
