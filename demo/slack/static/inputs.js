// The fields of Block Kit: text, numbers, menus, choices, dates. A field keeps what was entered in `surface.values`
// ({block_id: {action_id: plain value}}), so that it survives a redraw, and calls `surface.use` when it acts at once.

import { h, icon } from "./dom.js";
import { textObject } from "./mrkdwn.js";
import { popover } from "./overlays.js";
import { store } from "./store.js";

export function field(e, block, surface, id) {
  const make = MAKE[e.type];
  if (!make) return h("span", { class: "placeholder" }, `${e.type} is not supported here`);
  const wrong = surface.errors?.[block.block_id];
  return make(e, holder(e, block, surface), {
    id, "data-action-id": e.action_id, "aria-invalid": wrong ? "true" : null,
    "aria-label": block.type === "input" ? null : placeholder(e) ?? e.type.replaceAll("_", " "),
  });
}

// Reads and keeps the value of one field.
function holder(e, block, surface) {
  const kept = surface.values?.[block.block_id];
  const acts = surface.use ?? (block.dispatch_action ? (value) => surface.press(e, block, value) : null);
  return {
    value: kept && e.action_id in kept ? kept[e.action_id] : initial(e),
    set(value, commit = true) {
      if (surface.values) (surface.values[block.block_id] ??= {})[e.action_id] = value;
      if (acts && commit) acts(value);
    },
  };
}

function initial(e) {
  if (e.initial_options) return e.initial_options.map((option) => option.value);
  if (e.initial_option) return e.initial_option.value;
  const key = Object.keys(e).find((name) => name.startsWith("initial_"));
  return key ? e[key] : null;
}

const placeholder = (e) => e.placeholder?.text ?? null;

function textInput(type, extra = {}) {
  return (e, held, attributes) => {
    const common = {
      ...attributes, ...extra, class: "field", placeholder: placeholder(e), maxlength: e.max_length, "data-autofocus": e.focus_on_load ? "true" : null,
      oninput: (event) => held.set(event.target.value, false), onchange: (event) => held.set(event.target.value),
    };
    if (e.multiline) {
      const area = h("textarea", { ...common, rows: "4" });
      area.value = held.value ?? "";
      return area;
    }
    const input = h("input", { ...common, type, autocomplete: "off" });
    input.value = held.value ?? "";
    return input;
  };
}

function optionsOf(e) {
  const single = (option) => ({ value: option.value, label: option.text.text });
  if (e.option_groups) return e.option_groups.map((g) => ({ group: g.label.text, options: g.options.map(single) }));
  if (e.type.includes("users_select")) {
    return [{ options: Object.entries(store.users).filter(([, u]) => !u.bot).map(([id, u]) => ({ value: id, label: u.name })) }];
  }
  if (/channels_select|conversations_select/.test(e.type)) {
    const channels = [...store.channels.values()].filter((c) => !c.is_im && !c.is_archived);
    return [{ options: channels.map((c) => ({ value: c.id, label: `#${c.name}` })) }];
  }
  return [{ options: e.options.map(single) }];
}

function select(e, held, attributes) {
  const tags = optionsOf(e).map(({ group, options }) => {
    const made = options.map((o) => h("option", { value: o.value }, o.label));
    return group ? h("optgroup", { label: group }, made) : made;
  });
  const menu = h("select", {
    ...attributes, onchange: (event) => held.set(event.target.value || null),
  }, h("option", { value: "" }, placeholder(e) ?? "Choose an option"), tags);
  menu.value = held.value ?? "";
  return h("span", { class: "select" }, menu, icon("chevron"));
}

function multiSelect(e, held, attributes) {
  const every = optionsOf(e).flatMap((g) => g.options);
  let chosen = held.value ?? [];
  const chips = () => {
    const made = chosen.map((value) => h("span", { class: "chip" }, every.find((o) => o.value === value)?.label ?? value));
    return made.length ? made : [h("span", { class: "muted" }, placeholder(e) ?? "Choose options")];
  };
  const trigger = h("button", { ...attributes, type: "button", class: "field multi", "aria-haspopup": "listbox", onclick: open }, chips(), icon("chevron"));
  function toggle(value, on) {
    chosen = on ? [...chosen, value].slice(0, e.max_selected_items ?? 100) : chosen.filter((v) => v !== value);
    held.set(chosen, false);
    trigger.replaceChildren(...chips(), icon("chevron"));
  }
  function open() {
    popover(trigger, () => every.map((o) => h("label", { class: "menu-item choice" },
      h("input", { type: "checkbox", value: o.value, checked: chosen.includes(o.value), onchange: (event) => toggle(o.value, event.target.checked) }), o.label,
    )), () => held.set(chosen));
  }
  return trigger;
}

function choices(type) {
  return (e, held, attributes) => {
    const name = `${attributes.id}-choices`;
    const change = (event) => {
      const box = event.currentTarget.closest(".choices");
      const on = [...box.querySelectorAll("input:checked")].map((input) => input.value);
      held.set(type === "radio" ? on[0] ?? null : on);
    };
    return h("div", { ...attributes, class: "choices", role: type === "radio" ? "radiogroup" : "group" }, e.options.map((option) => h("label", { class: "choice" },
      h("input", { type, name, value: option.value, checked: type === "radio" ? held.value === option.value : (held.value ?? []).includes(option.value), onchange: change }),
      h("span", {}, textObject(option.text), option.description && h("small", {}, textObject(option.description))))));
  };
}

function dateTime(e, held, attributes) {
  const input = h("input", {
    ...attributes, class: "field", type: "datetime-local",
    onchange: (event) => held.set(event.target.value ? Math.floor(new Date(event.target.value).getTime() / 1000) : null),
  });
  if (held.value) {
    const at = new Date(held.value * 1000);
    input.value = new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
  }
  return input;
}

const MAKE = {
  plain_text_input: textInput("text"),
  email_text_input: textInput("email"),
  url_text_input: textInput("url"),
  number_input: textInput("text", { inputmode: "decimal" }),
  datepicker: textInput("date"),
  timepicker: textInput("time"),
  datetimepicker: dateTime,
  static_select: select,
  users_select: select,
  conversations_select: select,
  channels_select: select,
  multi_static_select: multiSelect,
  multi_users_select: multiSelect,
  multi_conversations_select: multiSelect,
  multi_channels_select: multiSelect,
  radio_buttons: choices("radio"),
  checkboxes: choices("checkbox"),
};

