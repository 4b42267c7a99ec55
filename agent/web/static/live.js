// Keeps a page up to date: when the server says that something is new, the page
// is fetched again and what differs is put in its place.
"use strict";
(() => {
  const main = document.querySelector("main[data-events]");
  if (!main || !window.EventSource) return;
  let busy = false, stale = false, next = 0;

  // place puts what differs of a new list of children into the old one. What the
  // reader is using, an input or something unfolded, is left as they have it.
  function place(old, now) {
    const before = [...old.children], after = [...now.children];
    if (before.length !== after.length) {
      old.replaceChildren(...after);
      return;
    }
    before.forEach((was, i) => {
      const is = after[i];
      for (const open of was.querySelectorAll("details[open][id]")) {
        const same = is.querySelector("#" + CSS.escape(open.id));
        if (same) same.open = true;
      }
      if (was.isEqualNode(is) || was.querySelector("input:focus, details[open]:not([id])")) return;
      const focus = was.contains(document.activeElement) && document.activeElement;
      if (was.tagName === is.tagName && was.role !== "status" && deep(was)) {
        copy(was, is);
        place(was, is);
        return;
      }
      was.replaceWith(is);
      if (focus) again(is, focus);
    });
  }

  const deep = (e) => e.matches("section, article, div, table, tbody, thead") && e.children.length > 0;

  function copy(was, is) {
    for (const { name } of [...was.attributes]) if (!is.hasAttribute(name)) was.removeAttribute(name);
    for (const { name, value } of [...is.attributes]) was.setAttribute(name, value);
  }

  // again finds the element that had the focus in what replaced it.
  function again(root, focus) {
    const key = focus.getAttribute("href") || focus.getAttribute("action");
    const all = [root, ...root.querySelectorAll("a, button, summary, [tabindex]")];
    const same = all.find((e) => e.tagName === focus.tagName && (e.getAttribute("href") || e.getAttribute("action")) === key
      && e.textContent === focus.textContent) || all.find((e) => e.tagName === focus.tagName);
    if (same) same.focus({ preventScroll: true });
  }

  async function refresh() {
    if (document.hidden) { stale = true; return; }
    if (busy || performance.now() < next) { stale = true; return; }
    busy = true;
    stale = false;
    const began = performance.now();
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      if (answer.ok) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        document.title = page.title;
        for (const selector of ['link[rel="icon"]', "footer"]) {
          const was = document.querySelector(selector), is = page.querySelector(selector);
          if (was && is && !was.isEqualNode(is)) was.replaceWith(is);
        }
        const is = page.querySelector("main");
        if (is) place(main, is);
      }
    } catch { /* the agent is away; the stream says when it is back */ }
    busy = false;
    // A page that is slow to make is asked for less often.
    const now = performance.now();
    next = now + 10 * (now - began);
    if (stale) setTimeout(refresh, next - now + 50);
  }

  const events = new EventSource(main.dataset.events);
  events.onmessage = refresh;
  document.addEventListener("visibilitychange", () => { if (!document.hidden && stale) refresh(); });
})();
