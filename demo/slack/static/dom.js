// Small helpers that build the page out of elements. Nothing here, and nothing in this folder, parses HTML from text:
// whatever the bot or a person wrote becomes text nodes.

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name === "color") element.style.setProperty("--color", value);
    else if (name in element && typeof value === "boolean") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  append(element, children);
  return element;
}

export function append(element, children) {
  for (const child of [children].flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

export function replace(element, ...children) {
  element.replaceChildren();
  return append(element, children);
}

export function svg(viewBox, shapes, className = "icon") {
  const root = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  root.setAttribute("viewBox", viewBox);
  root.setAttribute("class", className);
  root.setAttribute("aria-hidden", "true");
  for (const [tag, attributes] of shapes) {
    const shape = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name === "content") shape.textContent = value;
      else shape.setAttribute(name, value);
    }
    root.append(shape);
  }
  return root;
}

const LINES = {
  home: "M3 9.500 10 4l7 5.500V16a1 1 0 0 1-1 1h-3.500v-4.500h-5V17H4a1 1 0 0 1-1-1z",
  hash: "M8 3 6 17M14 3l-2 14M3.500 7.500h14M2.500 12.500h14",
  back: "M12.500 4 6.500 10l6 6",
  close: "m5 5 10 10M15 5 5 15",
  send: "M3 10 17 4l-5 13-3-5.500z",
  reply: "M4 4.500h12a1 1 0 0 1 1 1v7a1 1 0 0 1-1 1H9l-4 3v-3H4a1 1 0 0 1-1-1v-7a1 1 0 0 1 1-1z",
  chevron: "m5 8 5 5 5-5",
  more: "M4 10a.5.5 0 1 0 .01 0M10 10a.5.5 0 1 0 .01 0M16 10a.5.5 0 1 0 .01 0",
  eye: "M2 10s3-5.500 8-5.500S18 10 18 10s-3 5.500-8 5.500S2 10 2 10zM10 7.500a2.500 2.500 0 1 1 0 5 2.500 2.500 0 0 1 0-5z",
  warning: "M10 3 18 17H2zM10 8.500v4M10 14.800v.01",
  search: "M9 3.500a5.500 5.500 0 1 1 0 11 5.500 5.500 0 0 1 0-11zM13.200 13.200 17 17",
  bell: "M10 3a4.500 4.500 0 0 1 4.500 4.500c0 4 1.500 5.500 1.500 5.500H4s1.500-1.500 1.500-5.500A4.500 4.500 0 0 1 10 3zM8.500 16a1.500 1.500 0 0 0 3 0",
  smile: "M10 3a7 7 0 1 1 0 14 7 7 0 0 1 0-14zM7.500 8.500v.01M12.500 8.500v.01M7 12s1 2 3 2 3-2 3-2",
  pin: "M8 3h4l-.5 5 2.500 2.500H6L8.500 8zM10 10.500V17",
  file: "M5 3h7l3.500 3.500V17H5zM12 3v4h3.500",
  download: "M10 3v9M6.500 8.500 10 12l3.500-3.500M4 16h12",
  expand: "M12 3h5v5M8 17H3v-5M17 3l-6 6M3 17l6-6",
  bold: "M6 4h5a3 3 0 0 1 0 6H6zM6 10h6a3 3 0 0 1 0 6H6z",
  italic: "M9 4h6M5 16h6M12 4 8 16",
  code: "m7 6-4 4 4 4M13 6l4 4-4 4",
  plus: "M10 4v12M4 10h12",
  archive: "M3 4h14v3.500H3zM4 7.500V16h12V7.500M8 11h4",
};

export function icon(name, className = "icon") {
  const line = { d: LINES[name], fill: "none", stroke: "currentColor", "stroke-width": 1.6 };
  return svg("0 0 20 20", [["path", { ...line, "stroke-linecap": "round", "stroke-linejoin": "round" }]], className);
}

export const isPhone = () => window.matchMedia("(max-width: 760px)").matches;

export function spinner(label = "Loading") {
  return h("span", { class: "spinner", role: "status", "aria-label": label });
}
