// What this browser knows: one person's view of the workspace, kept up to date by a websocket, and what is on screen.

const PENDING_LISTENERS = new Set();

export const store = {
  me: sessionStorage.getItem("act-as") || "U0ANA0001",
  ready: false,
  online: false,
  connected: false,
  team: "",
  app: {},
  people: [],
  users: {},
  groups: {},
  channels: new Map(),
  ephemerals: [],
  views: { stack: [], home: null },
  pending: new Set(),
  failed: new Map(),
  newFrom: new Map(),
};

export const onChange = (listener) => PENDING_LISTENERS.add(listener);

let scheduled = false;
export function changed() {
  if (scheduled) return;
  scheduled = true;
  queueMicrotask(() => {
    scheduled = false;
    PENDING_LISTENERS.forEach((listener) => listener());
  });
}

let socket = null;
let wait = 250;

export function connect() {
  socket?.close();
  const mine = new WebSocket(`ws://${location.host}/_page/socket?user=${store.me}`);
  socket = mine;
  mine.onmessage = (frame) => {
    const { type, data, ...rest } = JSON.parse(frame.data);
    APPLY[type]?.(data ?? rest);
    changed();
  };
  mine.onopen = () => { wait = 250; };
  mine.onclose = () => {
    if (socket !== mine) return;
    store.online = false;
    changed();
    setTimeout(connect, wait);
    wait = Math.min(wait * 2, 4000);
  };
}

export function actAs(user) {
  sessionStorage.setItem("act-as", user);
  Object.assign(store, { me: user, ready: false, ephemerals: [], views: { stack: [], home: null } });
  store.failed.clear();
  store.newFrom.clear();
  connect();
}

const APPLY = {
  snapshot(data) {
    const { team, app, people, users, groups, ephemerals, views, connected } = data;
    Object.assign(store, { team, app, people, users, groups, ephemerals, views, connected, ready: true, online: true });
    store.channels = new Map(data.channels.map((c) => [c.id, { ...c, messages: new Map(c.messages.map((m) => [m.ts, m])) }]));
    for (const channel of store.channels.values()) {
      if (readUntil(channel.id) === null) markRead(channel.id);
    }
  },
  message(data) {
    store.channels.get(data.channel)?.messages.set(data.ts, data);
    store.failed.delete(`${data.channel}:${data.ts}`);
  },
  message_deleted({ channel, ts }) {
    store.channels.get(channel)?.messages.delete(ts);
  },
  ephemeral(data) {
    store.ephemerals = [...store.ephemerals.filter((e) => e.ts !== data.ts || e.channel !== data.channel), data];
  },
  ephemeral_removed({ channel, ts }) {
    store.ephemerals = store.ephemerals.filter((e) => e.ts !== ts || e.channel !== channel);
  },
  views(data) { store.views = data; },
  channel(data) {
    const known = store.channels.get(data.id);
    if (known && data.members.includes(store.me)) Object.assign(known, data, { messages: known.messages });
    else if (known) store.channels.delete(data.id);
    else connect();
  },
  press_failed({ channel, ts, error }) { store.failed.set(`${channel}:${ts}`, error); },
  connected(data) { store.connected = data.connected; },
};

// Acting. Every action goes to the same endpoint that tests use; the answer says what this person saw of it.
export async function act(name, body) {
  try {
    const answer = await fetch(`/_test/interact/${name}`, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    });
    return await answer.json();
  } catch {
    return { ok: false, error: "The stand-in cannot be reached.", errors: {} };
  }
}

// Pending marks of buttons: a spinner until the app has acknowledged.
export async function pressing(key, work) {
  if (store.pending.has(key)) return null;
  store.pending.add(key);
  changed();
  try {
    return await work();
  } finally {
    store.pending.delete(key);
    changed();
  }
}

// Unread markers live in the browser, a mark for each person and channel.
const readKey = (channel) => `read:${location.host}:${store.me}:${channel}`;
export const readUntil = (channel) => localStorage.getItem(readKey(channel));
export function markRead(channel) {
  const last = [...(store.channels.get(channel)?.messages.keys() ?? [])].sort().at(-1) ?? "0";
  if (readUntil(channel) !== last) localStorage.setItem(readKey(channel), last);
}
export function unread(channel) {
  const until = readUntil(channel.id) ?? "0";
  return [...channel.messages.values()].filter((m) => m.ts > until && m.user !== store.me && isTopLevel(m)).length;
}

export const isTopLevel = (message) => !message.thread_ts || message.thread_ts === message.ts || message.broadcast;
export const topLevel = (channel) => [...channel.messages.values()].filter(isTopLevel).sort((a, b) => (a.ts < b.ts ? -1 : 1));
export const repliesOf = (channel, ts) =>
  [...channel.messages.values()].filter((m) => m.thread_ts === ts && m.ts !== ts).sort((a, b) => (a.ts < b.ts ? -1 : 1));
