// Brings what it stands in into view where it is out of sight, once for each `mark`.
"use strict";

export default function show({ parentElement, data }) {
  const root = parentElement.querySelector(".tl-reveal");
  if (root.dataset.mark === data.mark) return;
  root.dataset.mark = data.mark;
  const { top, bottom } = root.getBoundingClientRect();
  if (top >= 0 && bottom <= window.innerHeight * 0.6) return;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  root.scrollIntoView({ behavior: still ? "auto" : "smooth", block: "start" });
}
