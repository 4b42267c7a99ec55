// Keeps a page up to date: when the server says that something is new, the page
// is fetched again and what differs is put in its place, so that what the reader
// has focused, unfolded or typed stays as they left it.
"use strict";
(() => {
  const main = document.querySelector("main[data-events]");
  if (!main || !window.EventSource) return;

  // merge makes the children of old those of now. Children with an id are known
  // by it, the others by their place.
  function merge(old, now) {
    const known = new Map();
    for (const e of old.children) if (e.id) known.set(e.id, e);
    let here = old.firstElementChild;
    for (const is of [...now.children]) {
      const was = is.id ? known.get(is.id) : here && !here.id && here.tagName === is.tagName ? here : null;
      if (!was) {
        old.insertBefore(is, here);
        continue;
      }
      if (was === here) here = here.nextElementSibling;
      else old.insertBefore(was, here);
      patch(was, is);
    }
    while (here) {
      const next = here.nextElementSibling;
      here.remove();
      here = next;
    }
  }

  // patch makes one element look like another of its kind.
  function patch(was, is) {
    if (was.isEqualNode(is) || (was.matches("form") && inUse(was))) return;
    for (const { name } of [...was.attributes]) if (!is.hasAttribute(name) && !kept(was, name)) was.removeAttribute(name);
    for (const { name, value } of [...is.attributes]) if (was.getAttribute(name) !== value) was.setAttribute(name, value);
    if (!onlyElements(was) || !onlyElements(is)) {
      if (was.innerHTML === is.innerHTML) return;
      const focus = was.contains(document.activeElement) && document.activeElement;
      was.replaceChildren(...is.childNodes);
      if (focus && focus !== was) again(was, focus);
      return;
    }
    merge(was, is);
  }

  const kept = (e, name) => name === "open" && e.matches("details");
  const inUse = (form) => [...form.querySelectorAll("input")].some((i) => i === document.activeElement
    || i.value !== i.defaultValue || i.checked !== i.defaultChecked);
  const onlyElements = (e) => e.children.length > 0 && [...e.childNodes].every((n) => n.nodeType === Node.ELEMENT_NODE
    || (n.nodeType === Node.TEXT_NODE && !n.data.trim()));

  // again finds in root what had the focus before.
  function again(root, focus) {
    const same = [...root.querySelectorAll("a, button, summary, [tabindex]")]
      .find((e) => e.tagName === focus.tagName && e.getAttribute("href") === focus.getAttribute("href"));
    if (same) same.focus({ preventScroll: true });
  }

  let busy = false, stale = false, next = 0;

  async function refresh() {
    stale = true;
    if (busy || document.hidden) return;
    const began = performance.now();
    if (began < next) {
      setTimeout(refresh, next - began + 20);
      return;
    }
    busy = true;
    stale = false;
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      if (answer.ok) show(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch { /* the agent is away; the stream says when it is back */ }
    busy = false;
    // A page that takes long to make is asked for less often.
    const ended = performance.now();
    next = ended + 10 * (ended - began);
    if (stale) refresh();
  }

  function show(page) {
    document.title = page.title;
    for (const selector of ['link[rel="icon"]', "footer", "main"]) {
      const was = document.querySelector(selector), is = page.querySelector(selector);
      if (was && is) patch(was, is);
    }
  }

  new EventSource(main.dataset.events).onmessage = refresh;
  document.addEventListener("visibilitychange", () => { if (stale) refresh(); });
})();
