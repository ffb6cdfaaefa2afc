// Keeps the focus in a dialog where a download takes it away, since its button rests meanwhile: Escape closes a
// dialog only from inside of it.
"use strict";

const EVERY_MS = 150, LOOKS = 60;

export default function keep({ parentElement }) {
  const dialog = parentElement.closest("[role=dialog]");
  if (!dialog || dialog.dataset.keepsFocus) return;
  dialog.dataset.keepsFocus = "true";
  dialog.addEventListener("click", ({ target }) => {
    const button = target.closest("button");
    let looks = 0;
    const timer = setInterval(() => {
      if (!dialog.isConnected || ++looks > LOOKS) clearInterval(timer);
      else if (document.activeElement === document.body) (button && button.isConnected && !button.disabled ? button : dialog).focus();
    }, EVERY_MS);
  });
}
