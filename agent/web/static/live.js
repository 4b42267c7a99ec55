// Keeps a page up to date: when the server says that something is new, the page
// is fetched again and what differs is put in its place, so that what the reader
// has focused, unfolded or typed stays as they left it. Forms that only filter
// are followed as they are filled in. Without this script all of it works by
// loading pages.
"use strict";
(() => {
  const main = document.getElementById("main");
  const said = document.getElementById("said"), stale = document.getElementById("stale");

  // merge makes the children of old those of now. Elements with an id are known
  // by it, the others by their kind and order.
  function merge(old, now) {
    const known = new Map();
    for (const e of old.children) if (e.id) known.set(e.id, e);
    let here = old.firstChild;
    for (const is of [...now.childNodes]) {
      const was = is.id ? known.get(is.id) : next(here, is);
      if (!was || was.nodeName !== is.nodeName) {
        old.insertBefore(is, here);
        continue;
      }
      if (!is.id) while (here !== was) here = drop(here);
      if (was === here) here = here.nextSibling;
      else move(old, was, here);
      patch(was, is);
    }
    while (here) here = drop(here);
  }

  // next finds the node that becomes is, from here on: one that follows with
  // nothing before it that is known by an id.
  function next(here, is) {
    for (let n = here; n && !n.id; n = n.nextSibling) if (n.nodeName === is.nodeName) return n;
    return null;
  }

  function drop(node) {
    const after = node.nextSibling;
    node.remove();
    return after;
  }

  // move keeps the focus within the node, where the browser knows how to.
  function move(parent, node, before) {
    if (parent.moveBefore) parent.moveBefore(node, before);
    else parent.insertBefore(node, before);
  }

  // patch makes one node look like another of its kind.
  function patch(was, is) {
    if (was.nodeType !== Node.ELEMENT_NODE) {
      if (was.data !== is.data) was.data = is.data;
      return;
    }
    if (was.isEqualNode(is) || was.matches("noscript") || (was.matches("form") && inUse(was))) return;
    for (const { name } of [...was.attributes]) if (!is.hasAttribute(name) && !kept(was, name)) was.removeAttribute(name);
    for (const { name, value } of [...is.attributes]) if (was.getAttribute(name) !== value) was.setAttribute(name, value);
    merge(was, is);
  }

  const kept = (e, name) => name === "open" && e.matches("details");

  // inUse tells whether somebody has begun to fill in the form.
  const inUse = (form) => [...form.elements].some((e) => (e === document.activeElement && !e.matches("button"))
    || ("defaultValue" in e && e.value !== e.defaultValue) || ("defaultChecked" in e && e.checked !== e.defaultChecked)
    || [...(e.options || [])].some((o) => o.selected !== o.defaultSelected));

  // show puts another version of the page in the place of this one.
  function show(page) {
    const focus = document.activeElement;
    document.title = page.title;
    for (const selector of ['link[rel="icon"]', "footer", "main", ".top nav"]) {
      const was = document.querySelector(selector), is = page.querySelector(selector);
      if (was && is) patch(was, is);
    }
    if (focus && focus !== document.body && !focus.isConnected) again(focus);
    setClock();
    const says = main.dataset.says || "";
    if (says !== told) said.textContent = told = says;
  }
  let told = main.dataset.says || "";

  // again focuses what is like the element that had the focus and has gone.
  function again(gone) {
    const like = [...main.querySelectorAll(gone.tagName)].find((e) => (gone.id && e.id === gone.id)
      || (e.getAttribute("href") === gone.getAttribute("href") && e.textContent === gone.textContent));
    (like || main).focus({ preventScroll: true });
  }

  // load fetches a version of the page; the last one asked for wins. A page that
  // has gone, as its site left the configuration, says so.
  let asked = 0, loaded = performance.now();
  async function load(url) {
    const mine = ++asked;
    const answer = await fetch(url, { cache: "no-store", headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!(answer.ok || answer.status === 404) || !page.getElementById("main")) throw new Error(`answered ${answer.status}`);
    loaded = performance.now();
    if (mine === asked) show(page);
  }

  // Times are said relative to now, by the server's clock.
  let skew = 0;
  function setClock() {
    const time = document.querySelector("footer time");
    if (time) skew = Date.parse(time.dateTime) - Date.now();
  }
  function span(ms) {
    const s = Math.max(0, Math.floor(ms / 1000)), m = Math.floor(s / 60), h = Math.floor(m / 60), d = Math.floor(h / 24);
    const two = (n, unit, rest, restUnit) => `${n} ${unit}${rest ? ` ${rest} ${restUnit}` : ""}`;
    if (s < 60) return `${s} s`;
    if (m < 60) return `${m} min`;
    if (h < 24) return two(h, "h", m % 60, "min");
    return d < 730 ? two(d, "d", h % 24, "h") : null;
  }
  function tick() {
    if (document.hidden) return;
    const now = Date.now() + skew;
    for (const t of document.querySelectorAll("time.ago, time.lasting")) {
      const text = span(now - Date.parse(t.dateTime));
      const full = text && (t.className === "ago" ? `${text} ago` : text);
      if (full && t.textContent !== full) t.textContent = full;
    }
  }
  setClock();
  setInterval(tick, 10000);

  // What is filled into a form that only filters is followed at once.
  for (const form of document.querySelectorAll("form[data-follow]")) {
    let timer;
    form.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
        const url = form.action.split("?")[0] + (query.size ? `?${query}` : "");
        load(url).then(() => history.replaceState(null, "", url), () => {});
      }, 200);
    });
  }

  if (!main.dataset.events) return;
  let busy = false, behind = false, earliest = 0, stream = null, worry = 0, source = "";

  async function refresh() {
    behind = true;
    if (busy || document.hidden) return;
    const began = performance.now();
    if (began < earliest) {
      setTimeout(refresh, earliest - began + 20);
      return;
    }
    busy = true;
    behind = false;
    try {
      await load(location.href);
    } catch { /* the agent is away; the stream says so, and when it is back */ }
    busy = false;
    // A page that takes long to make is asked for less often.
    const ended = performance.now();
    earliest = ended + 10 * (ended - began);
    if (behind) refresh();
  }

  // A page that nobody sees listens to nothing.
  function listen() {
    if (document.hidden || stream) return;
    source = main.dataset.events || source; // a page that has gone has none, and may come back
    stream = new EventSource(source);
    stream.onopen = calm;
    stream.onmessage = refresh;
    stream.onerror = () => {
      worry ||= setTimeout(doubt, 5000);
      if (stream.readyState !== EventSource.CLOSED) return;
      close();
      setTimeout(() => { listen(); refresh(); }, 15000);
    };
  }
  function close() {
    if (stream) stream.close();
    stream = null;
  }
  // doubt asks whether it is the agent that is away, or only the stream: too many
  // pages listen, or a proxy lets none through. Then the page asks by itself.
  function doubt() {
    worry = 0;
    if (!document.hidden) load(location.href).then(calm, warn);
  }
  function calm() {
    clearTimeout(worry);
    worry = 0;
    stale.hidden = true;
    stale.textContent = "";
  }
  function warn() {
    if (!stale.hidden) return;
    const time = document.querySelector("footer time");
    stale.textContent = `This page is not kept up to date: the agent does not answer. It shows how things were at ${time.textContent}.`;
    stale.hidden = false;
  }
  // A stream can be silent without an end: a proxy collects it, a machine slept.
  const longest = 60000;
  setInterval(() => { if (performance.now() - loaded > longest) doubt(); }, 10000);

  listen();
  addEventListener("pagehide", close);
  addEventListener("pageshow", listen);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      close();
      return;
    }
    listen();
    tick();
    if (behind) refresh();
  });
})();
