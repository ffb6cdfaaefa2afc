// Tells the file chooser of an upload box which files are wanted; the box takes others, too.
"use strict";

const TRIES = 100, PAUSE_MS = 100; // the box may be drawn later than this

export default function show({ data }) {
  let tries = 0;
  const tell = () => {
    const input = document.querySelector(`.st-key-${data.key} input[type="file"]`);
    if (input) input.accept = data.wanted;
    else if (++tries < TRIES) setTimeout(tell, PAUSE_MS);
  };
  tell();
}
