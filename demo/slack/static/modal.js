// Modals: the view on top of this person's stack, with its inline errors, its waiting state and its keyboard.

import { blocks } from "./blocks.js";
import { h, icon, spinner } from "./dom.js";
import { plain } from "./mrkdwn.js";
import { trap } from "./overlays.js";
import { act, changed, pressing, store } from "./store.js";

const drafts = new Map(); // view id -> what was entered
let shown = null; // { key, shade }
let status = { view: null, errors: {}, trouble: null, busy: false };
let before = null;

function draft(view) {
  if (!drafts.has(view.id)) drafts.set(view.id, {});
  return drafts.get(view.id);
}

// Only the fields that the view still has.
function entered(view) {
  const values = draft(view);
  const kept = {};
  for (const block of view.blocks) {
    const actions = [...(block.type === "actions" ? block.elements : []), block.accessory, block.element].filter((e) => e?.action_id).map((e) => e.action_id);
    for (const action of actions) {
      if (action in (values[block.block_id] ?? {})) (kept[block.block_id] ??= {})[action] = values[block.block_id][action];
    }
  }
  return kept;
}

export function drawModal() {
  const view = store.views.stack.at(-1);
  if (!view) return hide();
  if (status.view !== view.id) status = { view: view.id, errors: {}, trouble: null, busy: false };
  const pending = [...store.pending].filter((key) => key.startsWith(`${view.id}:`)).join();
  const key = JSON.stringify([view.id, view.hash, status, pending]);
  if (shown?.key === key) return undefined;
  const focused = document.activeElement?.closest?.(".modal") ? focusedField() : null;
  const scroll = shown?.shade.querySelector(".dialog-body")?.scrollTop ?? 0;
  const isNew = !shown;
  if (isNew) before = document.activeElement;
  shown?.shade.remove();
  const box = modal(view);
  const shade = h("div", { class: "dialog-shade" }, box);
  document.getElementById("layer").prepend(shade);
  shown = { key, shade };
  box.querySelector(".dialog-body").scrollTop = scroll;
  refocus(box, focused);
  return undefined;
}

function hide() {
  if (!shown) return;
  shown.shade.remove();
  shown = null;
  status = { view: null, errors: {}, trouble: null, busy: false };
  drafts.clear();
  if (before?.isConnected) before.focus({ preventScroll: true });
}

function focusedField() {
  const at = document.activeElement;
  const box = at.closest("[data-block-id]");
  return { block: box?.dataset.blockId, action: at.dataset.actionId, start: at.selectionStart, end: at.selectionEnd };
}

function refocus(box, focused) {
  const wrong = box.querySelector(".input-wrong [data-action-id]");
  const same = focused?.action && box.querySelector(`[data-block-id="${CSS.escape(focused.block ?? "")}"] [data-action-id="${CSS.escape(focused.action)}"]`);
  const first = box.querySelector("[data-autofocus]") ?? box.querySelector(".dialog-body input, .dialog-body textarea, .dialog-body select")
    ?? box.querySelector("footer .primary") ?? box.querySelector("button");
  const target = (Object.keys(status.errors).length && wrong) || same || first;
  target?.focus({ preventScroll: Boolean(same) });
  if (target === same && typeof focused?.start === "number") {
    try { same.setSelectionRange(focused.start, focused.end); } catch { /* not a text field */ }
  }
}

function modal(view) {
  const surface = {
    key: view.id, errors: status.errors, values: draft(view),
    press: (element, block, value) => pressing(`${view.id}:${element.action_id}`, async () => {
      const seen = await act("press_view", { user: store.me, view_id: view.id, action_id: element.action_id, block_id: block.block_id, value, values: entered(view) });
      if (seen.error) status.trouble = seen.error;
    }),
  };
  const close = (clear) => act("close", { user: store.me, view_id: view.id, clear });
  const box = h("form", { class: "dialog modal", role: "dialog", "aria-modal": "true", "aria-labelledby": "modal-title", "data-testid": "modal", "data-view-id": view.id, novalidate: true,
    onsubmit: (event) => { event.preventDefault(); submit(view); } },
    h("header", {},
      view.previous_view_id ? h("button", { type: "button", class: "icon-button", "aria-label": "Back", onclick: () => close(false) }, icon("back")) : h("img", { class: "app-icon", src: "/static/icon.svg", alt: "" }),
      h("h2", { id: "modal-title" }, plain(view.title.text)),
      h("button", { type: "button", class: "icon-button", "aria-label": "Close", "data-testid": "modal-close", onclick: () => close(true) }, icon("close"))),
    h("div", { class: "dialog-body" }, blocks(view.blocks, surface)),
    h("footer", {},
      status.trouble && h("p", { class: "trouble", role: "alert" }, icon("warning"), status.trouble),
      h("button", { type: "button", class: "button large", "data-testid": "modal-cancel", onclick: () => close(false) }, view.close ? plain(view.close.text) : view.submit ? "Cancel" : "Close"),
      view.submit && h("button", { type: "submit", class: "button large primary", "data-testid": "modal-submit", disabled: status.busy || view.submit_disabled, "aria-busy": String(status.busy) },
        status.busy && spinner("Submitting"), h("span", { class: "button-text" }, plain(view.submit.text)))));
  trap(box, () => close(true));
  return box;
}

async function submit(view) {
  if (status.busy) return;
  Object.assign(status, { busy: true, errors: {}, trouble: null });
  changed();
  const seen = await act("submit", { user: store.me, view_id: view.id, values: entered(view) });
  if (status.view !== view.id) return;
  Object.assign(status, { busy: false, errors: seen.errors ?? {}, trouble: seen.error ?? null });
  changed();
}

