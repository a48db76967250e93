// Uploaded files: texts as snippets that can be unfolded, pictures, and anything else as a card.

import { h, icon, replace, spinner } from "./dom.js";

export function fileCard(file) {
  if (!file.url_private.startsWith(location.origin)) return null;
  if (file.mimetype.startsWith("image/")) {
    return h("figure", { class: "file-picture", "data-file-id": file.id }, h("figcaption", {}, file.title),
      h("img", { src: file.url_private, alt: file.alt_txt || file.title, loading: "lazy" }));
  }
  return file.mode === "snippet" ? snippet(file) : card(file);
}

const size = (bytes) => (bytes < 1024 ? `${bytes} B` : bytes < 1_048_576 ? `${(bytes / 1024).toFixed(1)} kB` : `${(bytes / 1_048_576).toFixed(1)} MB`);

function heading(file) {
  return h("div", { class: "file-head" }, h("span", { class: "file-icon" }, icon("file")),
    h("div", { class: "file-name" }, h("strong", {}, file.title), h("span", {}, `${file.pretty_type} · ${size(file.size)}`)),
    h("a", { class: "file-action", href: file.url_private_download, "aria-label": `Download ${file.name}`, title: "Download" }, icon("download")));
}

const card = (file) => h("div", { class: "file", "data-file-id": file.id }, heading(file));

function snippet(file) {
  const code = h("div", { class: "snippet" });
  let open = false;
  const toggle = h("button", { type: "button", class: "link-button", "aria-expanded": "false", "data-testid": "expand-file", onclick: unfold });
  const fold = () => {
    numbered(code, file.preview);
    toggle.textContent = file.lines_more ? `Show ${file.lines_more} more line${file.lines_more === 1 ? "" : "s"}` : "Show all";
  };
  async function unfold() {
    open = !open;
    toggle.setAttribute("aria-expanded", String(open));
    if (!open) return fold();
    replace(toggle, spinner(), " Loading");
    const answer = await fetch(file.url_private);
    numbered(code, await answer.text());
    toggle.textContent = "Collapse";
  }
  fold();
  return h("div", { class: "file", "data-file-id": file.id }, heading(file), code, file.preview_is_truncated && toggle);
}

function numbered(box, text) {
  const lines = text.replace(/\n$/, "").split("\n");
  replace(box, h("pre", { class: "line-numbers", "aria-hidden": "true" }, lines.map((_, i) => `${i + 1}\n`).join("")), h("pre", { tabindex: "0" }, lines.join("\n")));
}
