// Brings a part of the page into view where its beginning is out of sight, once for each `when`.
"use strict";

const HEAD = 112; // pixels of the bar that stays at the top
const last = new WeakMap();

export default function show({ data, parentElement }) {
  if (!data.when || last.get(parentElement) === data.when) return;
  last.set(parentElement, data.when);
  requestAnimationFrame(() => {
    const part = document.querySelector(`.st-key-${data.key}`);
    if (!part) return;
    const { top } = part.getBoundingClientRect();
    const lowest = window.innerWidth < 700 ? 0.4 : 0.75; // of the window; a phone shows little below
    if (top >= HEAD && top < lowest * window.innerHeight) return;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    part.scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "start" });
  });
}
