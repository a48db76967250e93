// Dates in the reader's own time zone, in the words that Slack uses.

const parts = (options) => new Intl.DateTimeFormat("en-US", options);
const TIME = parts({ hour: "numeric", minute: "2-digit" });
const TIME_SECONDS = parts({ hour: "numeric", minute: "2-digit", second: "2-digit" });
const MONTH = parts({ month: "long" });
const SHORT = parts({ month: "short", day: "numeric", year: "numeric" });
const WEEKDAY = parts({ weekday: "long" });

export const fromTs = (ts) => new Date(Number(ts) * 1000);
export const time = (at) => TIME.format(at);

function ordinal(day) {
  const teen = day % 100 >= 11 && day % 100 <= 13;
  return `${day}${teen ? "th" : { 1: "st", 2: "nd", 3: "rd" }[day % 10] ?? "th"}`;
}

const long = (at) => `${MONTH.format(at)} ${ordinal(at.getDate())}, ${at.getFullYear()}`;

function daysFromToday(at) {
  const midnight = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
  return Math.round((midnight(at) - midnight(new Date())) / 86_400_000);
}

function pretty(at, otherwise) {
  return { "-1": "yesterday", 0: "today", 1: "tomorrow" }[daysFromToday(at)] ?? otherwise;
}

export function ago(at) {
  const seconds = Math.max(0, (Date.now() - at.getTime()) / 1000);
  const steps = [[60, "second"], [60, "minute"], [24, "hour"], [365, "day"]];
  let amount = seconds;
  for (const [size, name] of steps) {
    if (amount < size) return `${Math.floor(amount)} ${name}${Math.floor(amount) === 1 ? "" : "s"} ago`;
    amount /= size;
  }
  return `${Math.floor(amount)} years ago`;
}

// The format of <!date^…>: docs.slack.dev/messaging/formatting-message-text#date-formatting.
export function formatDate(at, format) {
  const values = {
    date_num: `${at.getFullYear()}-${String(at.getMonth() + 1).padStart(2, "0")}-${String(at.getDate()).padStart(2, "0")}`,
    date: long(at), date_long: `${WEEKDAY.format(at)}, ${long(at)}`, date_short: SHORT.format(at),
    date_pretty: pretty(at, long(at)), date_short_pretty: pretty(at, SHORT.format(at)),
    date_long_pretty: pretty(at, `${WEEKDAY.format(at)}, ${long(at)}`),
    time: TIME.format(at), time_secs: TIME_SECONDS.format(at), ago: ago(at),
  };
  const text = format.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  return /^\{date\w*_pretty\}/.test(format) ? text[0].toUpperCase() + text.slice(1) : text;
}

export function dayLabel(at) {
  const near = pretty(at, null);
  return near ? near[0].toUpperCase() + near.slice(1) : `${WEEKDAY.format(at)}, ${MONTH.format(at)} ${ordinal(at.getDate())}`;
}

export const lastReply = (at) => `${pretty(at, SHORT.format(at))} at ${time(at)}`;
export const sameDay = (a, b) => a.toDateString() === b.toDateString();
