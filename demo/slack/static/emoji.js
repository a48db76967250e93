// Emoji by shortcode and by character. The ones that an on-call bot uses are drawn here, so that they look the same on a
// machine without a colour emoji font; all others are left to the machine's fonts.

import { h, svg } from "./dom.js";

const disc = (fill, edge) => [["circle", { cx: 18, cy: 18, r: 16, fill, stroke: edge, "stroke-width": 1.5 }]];
const square = (fill) => ["rect", { x: 3, y: 3, width: 30, height: 30, rx: 5, fill }];
const path = (d, fill = "none", stroke = "none", width = 3) =>
  ["path", { d, fill, stroke, "stroke-width": width, "stroke-linecap": "round", "stroke-linejoin": "round" }];
const onBlue = (...shapes) => [square("#3b88c3"), ...shapes];
const word = (content, fill, size = 14) => ["text", {
  x: 18, y: 18 + size * 0.36, fill, "font-size": size, "font-weight": 900, "text-anchor": "middle", content,
}];

const WARNING = [path("M18 3 34.500 32H1.500z", "#ffcc4d", "#ffcc4d", 2), path("M18 12v10M18 27v.1", "none", "#231f20", 3.6)];
const BELL = path("M18 4a9 9 0 0 1 9 9c0 9 4 12 4 14H5c0-2 4-5 4-14a9 9 0 0 1 9-9zM14 29a4 4 0 0 0 8 0z", "#ffac33");
const HOURGLASS = [
  path("M9 4h18v5c0 5-6 7-6 9s6 4 6 9v5H9v-5c0-5 6-7 6-9s-6-4-6-9z", "#bbddf5"),
  path("M8 4h20M8 32h20", "none", "#8a5a34", 4), path("M12 9h12c-1 3-5 4-6 7-1-3-5-4-6-7zM12 30c0-4 5-5 6-7 1 2 6 3 6 7z", "#ffac33"),
];
const WRENCH = path("M27 4a8 8 0 0 0-7.500 10.500L5 29l3.500 3.500L23 18.500A8 8 0 0 0 33 9l-4.500 4.500-4-1-1-4L28 4z", "#8899a6");
const GLASS = [path("M14 4a10 10 0 1 1 0 20 10 10 0 0 1 0-20z", "#bdddf4", "#55707f", 3), path("m22 22 10 10", "none", "#55707f", 5)];
const CHART = (line, colour) => [square("#e1e8ed"), path("M3 12h30M3 20h30M12 3v30M22 3v30", "none", "#ccd6dd", 1.5), path(line, "none", colour, 3)];
const CLOCK = [path("M18 5a14 14 0 1 1 0 28 14 14 0 0 1 0-28z", "#fff", "#8899a6", 3), path("M18 11v8l5 3", "none", "#dd2e44", 3)];
const LOCK = [path("M11 17v-5a7 7 0 0 1 14 0v5", "none", "#aab8c2", 4), path("M6 16h24v17H6z", "#ffac33", "#ffac33", 2)];
const HAND = "M8 17h5l3-12c4-1 5 2 4 6l-1 4h9c3 0 3 4 1 5 1 2 0 4-2 4 1 2 0 4-2 4 0 2-1 3-3 3H13l-5-2z";
const SPEECH = path("M4 6h28v18H17l-7 7v-7H4z", "#bdddf4", "#5dadec", 2);
const LOOP = path("M8 15a10 10 0 0 1 18-3M28 21a10 10 0 0 1-18 3M27 6v7h-7M9 30v-7h7", "none", "#fff", 3.4);
const SHEET = [path("M7 3h16l7 7v23H7z", "#fff", "#ccd6dd", 2), path("M12 14h13M12 19h13M12 24h9", "none", "#8899a6", 2)];

// shortcode, character, drawing
const TABLE = [
  ["red_circle", "🔴", disc("#dd2e44")], ["large_orange_circle", "🟠", disc("#f4900c")],
  ["large_yellow_circle", "🟡", disc("#fdcb58")], ["large_green_circle", "🟢", disc("#78b159")],
  ["large_blue_circle", "🔵", disc("#55acee")], ["large_purple_circle", "🟣", disc("#aa8ed6")],
  ["white_circle", "⚪", disc("#e6e7e8", "#ccd6dd")], ["black_circle", "⚫", disc("#31373d")],
  ["white_check_mark", "✅", [square("#77b255"), path("m9 19 6 6 12-14", "none", "#fff", 4.5)]],
  ["heavy_check_mark", "✔️", [path("m6 19 8 8L30 8", "none", "#31373d", 5)]],
  ["x", "❌", [path("M7 7l22 22M29 7 7 29", "none", "#dd2e44", 6)]],
  ["warning", "⚠️", WARNING],
  ["rotating_light", "🚨", [
    path("M9 28V17a9 9 0 0 1 18 0v11z", "#dd2e44"), path("M5 28h26v5H5z", "#66757f"), path("M18 13v8", "none", "#f9b3bd", 3),
    path("M18 2v3M5 6l2.500 3M31 6l-2.500 3M2 16h3M31 16h3", "none", "#f4900c", 2.5)]],
  ["bell", "🔔", [BELL]], ["no_bell", "🔕", [BELL, path("M5 5l26 26", "none", "#dd2e44", 4)]],
  ["zzz", "💤", [word("z", "#3b88c3", 34)]],
  ["eyes", "👀", [
    path("M10 6c5 0 7 6 7 12s-2 12-7 12-7-6-7-12S5 6 10 6zM26 6c5 0 7 6 7 12s-2 12-7 12-7-6-7-12 2-12 7-12z", "#fff", "#ccd6dd", 2),
    path("M8 14a3 4 0 1 1 0 8 3 4 0 0 1 0-8zM24 14a3 4 0 1 1 0 8 3 4 0 0 1 0-8z", "#292f33")]],
  ["wrench", "🔧", [WRENCH]], ["hammer_and_wrench", "🛠️", [WRENCH, path("m6 8 22 22", "none", "#8a5a34", 4)]],
  ["gear", "⚙️", [["circle", { cx: 18, cy: 18, r: 10, fill: "none", stroke: "#66757f", "stroke-width": 6, "stroke-dasharray": "5 2.800" }], ["circle", { cx: 18, cy: 18, r: 8, fill: "none", stroke: "#66757f", "stroke-width": 4 }]]],
  ["hourglass_flowing_sand", "⏳", HOURGLASS], ["hourglass", "⌛", HOURGLASS],
  ["stopwatch", "⏱️", [path("M15 2h6v4h-6z", "#66757f"), ...CLOCK]], ["alarm_clock", "⏰", CLOCK], ["clock3", "🕒", CLOCK],
  ["lock", "🔒", LOCK], ["mag", "🔍", GLASS], ["mag_right", "🔎", GLASS],
  ["chart_with_upwards_trend", "📈", CHART("m5 28 8-9 6 5L31 8", "#dd2e44")],
  ["chart_with_downwards_trend", "📉", CHART("m5 9 8 8 6-4 12 14", "#3b88c3")],
  ["bar_chart", "📊", [square("#e1e8ed"), path("M8 30V18h5v12z", "#78b159"), path("M16 30V8h5v22z", "#3b88c3"), path("M24 30V13h5v17z", "#dd2e44")]],
  ["thread", "🧵", [path("M8 4h20v5H8zM8 27h20v5H8z", "#c1694f"), path("M10 9h16v18H10z", "#dd2e44"), path("M10 14l16-3M10 19l16-3M10 24l16-3", "none", "#a0041e", 1.5)]],
  ["bulb", "💡", [path("M18 3a10 10 0 0 1 6 18c-1 1-1 3-1 4H13c0-1 0-3-1-4a10 10 0 0 1 6-18z", "#ffd983"), path("M13 27h10v3l-3 3h-4l-3-3z", "#99aab5")]],
  ["fire", "🔥", [path("M18 2c3 6 11 10 11 20a11 11 0 0 1-22 0c0-5 3-8 4-11 2 1 3 3 3 5 3-3 4-8 4-14z", "#f4900c"), path("M18 17c2 3 5 5 5 9a5 5 0 0 1-10 0c0-4 4-5 5-9z", "#ffcc4d")]],
  ["leftwards_arrow_with_hook", "↩️", onBlue(path("M13 9 7 15l6 6M8 15h13a5 5 0 0 1 0 11h-8", "none", "#fff", 3.4))],
  ["repeat", "🔁", onBlue(LOOP)], ["arrows_counterclockwise", "🔄", onBlue(LOOP)],
  ["arrow_right", "➡️", onBlue(path("M8 18h19M19 9l9 9-9 9", "none", "#fff", 4))],
  ["arrow_up", "⬆️", onBlue(path("M18 28V9M9 17l9-9 9 9", "none", "#fff", 4))],
  ["arrow_down", "⬇️", onBlue(path("M18 8v19M9 19l9 9 9-9", "none", "#fff", 4))],
  ["arrow_forward", "▶️", onBlue(path("M12 9l15 9-15 9z", "#fff"))],
  ["double_vertical_bar", "⏸️", onBlue(path("M13 10v16M23 10v16", "none", "#fff", 5))],
  ["information_source", "ℹ️", onBlue(word("i", "#fff", 26))],
  ["octagonal_sign", "🛑", [path("M11 2h14l9 9v14l-9 9H11l-9-9V11z", "#dd2e44"), word("STOP", "#fff", 10)]],
  ["no_entry", "⛔", [...disc("#dd2e44"), path("M9 18h18", "none", "#fff", 6)]],
  ["no_entry_sign", "🚫", [["circle", { cx: 18, cy: 18, r: 14, fill: "none", stroke: "#dd2e44", "stroke-width": 4 }], path("M9 9l18 18", "none", "#dd2e44", 4)]],
  ["exclamation", "❗", [path("M18 5v17M18 30v.1", "none", "#dd2e44", 6)]], ["question", "❓", [word("?", "#dd2e44", 34)]],
  ["pushpin", "📌", [path("M14 3h8l-1 11 6 6H9l6-6z", "#dd2e44"), path("M18 20v12", "none", "#99aab5", 3)]],
  ["memo", "📝", [...SHEET, path("M32 15 20 30l-4 2 1-5 12-14z", "#ffac33")]], ["page_facing_up", "📄", SHEET],
  ["robot_face", "🤖", [path("M6 11h24v20H6z", "#99aab5", "#99aab5", 3), path("M18 3v7", "none", "#66757f", 3), path("M12 19v.1M24 19v.1", "none", "#55acee", 6), path("M12 27h12", "none", "#fff", 3)]],
  ["+1", "👍", [path(HAND, "#ffdc5d", "#ef9645", 1.5)]], ["thumbsup", "👍", [path(HAND, "#ffdc5d", "#ef9645", 1.5)]],
  ["tada", "🎉", [path("M5 31 14 10l12 12z", "#ffac33"), path("M22 6v.1M29 9v.1M31 17v.1M18 3v.1", "none", "#dd2e44", 4), path("M26 14c2-4 5-4 6-8", "none", "#55acee", 3)]],
  ["speech_balloon", "💬", [SPEECH]], ["moneybag", "💰", [path("M13 6h10l-2 5c6 4 9 9 9 14 0 6-5 8-12 8S6 31 6 25c0-5 3-10 9-14z", "#ffcc4d"), word("$", "#9e7a00", 18)]],
  ["link", "🔗", [path("M15 21a5 5 0 0 0 8 0l6-6a5 5 0 0 0-8-8l-3 3M21 15a5 5 0 0 0-8 0l-6 6a5 5 0 0 0 8 8l3-3", "none", "#8899a6", 4)]],
  ["rocket", "🚀", [path("M31 4c-10 0-16 6-20 13l8 8c7-4 13-10 12-21z", "#ccd6dd"), path("M11 17H4l5-6h5zM19 25v7l6-5v-5z", "#a0041e"), path("M23 10a3 3 0 1 1 0 6 3 3 0 0 1 0-6z", "#55acee"), path("M10 24c-4 1-4 6-5 8 3-1 7-1 8-5z", "#f4900c")]],
  ["wheel_of_dharma", "☸️", onBlue(["circle", { cx: 18, cy: 18, r: 9, fill: "none", stroke: "#fff", "stroke-width": 2.4 }], path("M18 6v24M6 18h24M10 10l16 16M26 10 10 26", "none", "#fff", 2))],
  ["crescent_moon", "🌙", [path("M23 3a15 15 0 1 0 10 22A14 14 0 0 1 23 3z", "#ffd983")]],
  ["clipboard", "📋", [path("M6 5h24v28H6z", "#c1694f", "#c1694f", 2), path("M9 9h18v21H9z", "#fff"), path("M13 15h10M13 20h10M13 25h7", "none", "#99aab5", 2), path("M13 3h10v5H13z", "#99aab5")]],
  ["bust_in_silhouette", "👤", [["circle", { cx: 18, cy: 12, r: 8, fill: "#269" }], path("M4 33c0-8 5-12 14-12s14 4 14 12z", "#269")]],
  ["busts_in_silhouette", "👥", [["circle", { cx: 13, cy: 12, r: 7, fill: "#269" }], ["circle", { cx: 25, cy: 13, r: 6, fill: "#55acee" }], path("M2 32c0-8 4-11 11-11s11 3 11 11z", "#269")]],
  ["hammer", "🔨", [path("m16 14 14 16", "none", "#8a5a34", 5), path("M5 14 16 3l8 7-5 2-6 8z", "#66757f")]],
  ["package", "📦", [path("M3 11 18 4l15 7v16l-15 6-15-6z", "#d99e82"), path("m3 11 15 6 15-6M18 17v16", "none", "#a8764f", 2)]],
];

const BY_NAME = new Map(TABLE.map(([name, character, shapes]) => [name, { name, character, shapes }]));
const BY_CHARACTER = new Map();
for (const entry of BY_NAME.values()) {
  BY_CHARACTER.set(entry.character, entry);
  BY_CHARACTER.set(entry.character.replace("\uFE0F", ""), entry);
}
const OTHER_NAMES = {
  smile: "😄", slightly_smiling_face: "🙂", heart: "❤️", wave: "👋", ok_hand: "👌", raised_hands: "🙌", thinking_face: "🤔",
  sweat_smile: "😅", pray: "🙏", clap: "👏", "-1": "👎", point_right: "👉", calendar: "📅", brain: "🧠", dna: "🧬",
};

export const PATTERN = new RegExp(
  [...BY_CHARACTER.keys()].filter((c) => c.length > 1 || c > "\u2000").sort((a, b) => b.length - a.length).join("|"), "gu",
);

function drawn(entry) {
  const picture = svg("0 0 36 36", entry.shapes, "emoji");
  return h("span", { class: "emoji-box", role: "img", "aria-label": entry.name.replaceAll("_", " "), title: `:${entry.name}:` },
    picture, h("span", { class: "emoji-copy" }, entry.character));
}

export function emojiByName(name) {
  const plain = name.replace(/::skin-tone-\d$/, "");
  if (BY_NAME.has(plain)) return drawn(BY_NAME.get(plain));
  if (plain in OTHER_NAMES) return h("span", { class: "emoji-font", role: "img", "aria-label": plain }, OTHER_NAMES[plain]);
  return null;
}

// Text with the characters that can be drawn as pictures.
export function withEmoji(text) {
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(PATTERN)) {
    if (match.index > from) nodes.push(document.createTextNode(text.slice(from, match.index)));
    nodes.push(drawn(BY_CHARACTER.get(match[0])));
    from = match.index + match[0].length;
    if (text[from] === "\uFE0F") from += 1;
  }
  if (from < text.length) nodes.push(document.createTextNode(text.slice(from)));
  return nodes;
}
