// Block Kit, as elements. A surface says where the blocks stand and what happens when something in them is used:
//   { key, press(element, block, value), values (modals only), change(), errors }

import { append, h, icon, spinner } from "./dom.js";
import { emojiByName } from "./emoji.js";
import { field } from "./inputs.js";
import { inline, link, mrkdwn, plain, textObject } from "./mrkdwn.js";
import { confirmed, popover } from "./overlays.js";
import { store } from "./store.js";

export function blocks(list, surface) {
  return (list ?? []).map((block) => {
    const draw = DRAW[block.type];
    return draw ? h("div", { class: `block block-${block.type}`, "data-block-id": block.block_id }, draw(block, surface)) : null;
  });
}

const DRAW = {
  section(block, surface) {
    const body = h("div", { class: "section-body" });
    if (block.text) append(body, h("div", { class: "text" }, textObject(block.text)));
    if (block.fields) append(body, h("div", { class: "fields" }, block.fields.map((f) => h("div", { class: "text" }, textObject(f)))));
    return [body, block.accessory && h("div", { class: "accessory" }, element(block.accessory, block, surface))];
  },
  context: (block) => block.elements.map((e) => (e.type === "image" ? picture(e, "context-image") : h("span", { class: "text" }, textObject(e)))),
  actions: (block, surface) => block.elements.map((e) => element(e, block, surface)),
  divider: () => h("hr", {}),
  header: (block) => h("h3", {}, plain(block.text.text, block.text.emoji)),
  image: (block) => h("figure", {}, block.title && h("figcaption", {}, plain(block.title.text)), picture(block, "block-picture")),
  markdown: (block) => h("div", { class: "text" }, mrkdwn(block.text.replace(/\*\*(.+?)\*\*/g, "*$1*"))),
  rich_text: (block) => h("div", { class: "text" }, block.elements.map(richText)),
  table: (block) => h("div", { class: "table-scroll" }, h("table", {}, block.rows.map((row, i) =>
    h("tr", {}, row.map((cell) => h(i ? "td" : "th", {}, cell.type === "rich_text" ? cell.elements.map(richText) : String(cell.text ?? cell.value ?? ""))))))),
  input(block, surface) {
    const error = surface.errors?.[block.block_id];
    const id = `${surface.key}-${block.block_id}`;
    const group = ["radio_buttons", "checkboxes"].includes(block.element.type);
    return h(group ? "fieldset" : "div", { class: `input${error ? " input-wrong" : ""}`, "aria-describedby": error ? `${id}-error` : null },
      h(group ? "legend" : "label", { class: "input-label", for: group ? null : id }, plain(block.label.text),
        block.optional && h("span", { class: "optional" }, " (optional)")),
      field(block.element, block, surface, id),
      error && h("p", { class: "input-error", id: `${id}-error`, role: "alert" }, icon("warning"), error),
      block.hint && h("p", { class: "hint" }, plain(block.hint.text)));
  },
};

function picture(image, className) {
  const file = image.slack_file;
  const source = image.image_url ?? file?.url ?? (file?.id ? `${location.origin}/files-pri/T-${encodeURIComponent(file.id)}/image` : "");
  const local = source.startsWith(`${location.origin}/`) || source.startsWith("data:image/");
  if (local) return h("img", { class: className, src: source, alt: image.alt_text, loading: "lazy" });
  return h("span", { class: `${className} placeholder`, role: "img", "aria-label": image.alt_text, title: image.alt_text },
    icon("file"), className === "context-image" ? null : image.alt_text);
}

// Rich text, as far as apps use it: sections, lists, quotes, code; text, links, mentions, emoji.
function richText(part) {
  if (part.type === "rich_text_preformatted") return h("pre", { class: "code-block" }, part.elements.map(richLeaf));
  if (part.type === "rich_text_quote") return h("blockquote", {}, part.elements.map(richLeaf));
  if (part.type === "rich_text_list") {
    return h(part.style === "ordered" ? "ol" : "ul", { class: `rich-list indent-${part.indent ?? 0}` }, part.elements.map((item) => h("li", {}, richText(item))));
  }
  return h("div", {}, part.elements.map(richLeaf));
}

function richLeaf(leaf) {
  const style = leaf.style ?? {};
  let node;
  if (leaf.type === "link") node = link(leaf.url, null, leaf.text ?? leaf.url) ?? leaf.text;
  else if (leaf.type === "emoji") node = emojiByName(leaf.name) ?? `:${leaf.name}:`;
  else if (leaf.type === "user") node = h("span", {}, inline(`<@${leaf.user_id}>`));
  else if (leaf.type === "channel") node = h("span", {}, inline(`<#${leaf.channel_id}>`));
  else if (leaf.type === "usergroup") node = h("span", {}, inline(`<!subteam^${leaf.usergroup_id}>`));
  else if (leaf.type === "date") node = h("span", {}, inline(`<!date^${leaf.timestamp}^${leaf.format}|${leaf.fallback ?? ""}>`));
  else node = h("span", { class: "keep-lines" }, plain(leaf.text ?? "", false));
  if (style.code) node = h("code", {}, node);
  if (style.bold) node = h("strong", {}, node);
  if (style.italic) node = h("em", {}, node);
  if (style.strike) node = h("s", {}, node);
  return node;
}

// An interactive element outside an input block.
export function element(e, block, surface) {
  if (e.type === "image") return picture(e, "accessory-image");
  if (e.type === "button") return button(e, block, surface);
  if (e.type === "overflow") return overflow(e, block, surface);
  const use = async (value) => {
    if (await confirmed(e.confirm)) surface.press(e, block, value);
  };
  return h("div", { class: "inline-field" }, field(e, block, { ...surface, use }, `${surface.key}-${e.action_id}`),
    isPending(surface, e) && spinner("Waiting for the app"));
}

const isPending = (surface, e) => store.pending.has(`${surface.key}:${e.action_id}`);

function button(e, block, surface) {
  const pending = isPending(surface, e);
  const press = async () => {
    if (pending || !(await confirmed(e.confirm))) return;
    if (e.url && /^https?:\/\//.test(e.url)) window.open(e.url, "_blank", "noopener,noreferrer");
    surface.press(e, block);
  };
  return h("button", {
    type: "button", class: `button ${e.style ?? ""}`, "data-action-id": e.action_id, "data-value": e.value,
    "aria-label": e.accessibility_label, "aria-busy": pending ? "true" : null, "aria-disabled": pending ? "true" : null, onclick: press,
  }, pending && spinner("Waiting for the app"), h("span", { class: "button-text" }, plain(e.text.text, e.text.emoji)));
}

function overflow(e, block, surface) {
  const pending = isPending(surface, e);
  const open = (event) => popover(event.currentTarget, (close) => e.options.map((option) => h("button", {
    type: "button", role: "menuitem", class: "menu-item", "data-value": option.value,
    onclick: async () => {
      close();
      if (option.url && /^https?:\/\//.test(option.url)) window.open(option.url, "_blank", "noopener,noreferrer");
      if (await confirmed(e.confirm)) surface.press(e, block, option.value);
    },
  }, textObject(option.text), option.description && h("small", {}, textObject(option.description)))));
  return h("button", { type: "button", class: "button overflow", "data-action-id": e.action_id, "aria-label": "More actions", "aria-haspopup": "menu", disabled: pending, onclick: open },
    pending ? spinner("Waiting for the app") : icon("more"));
}
