// A strip of photos that are ticked by a press and dragged to another strip or to a class.
//
// Leaves to others: what becomes of them (the server), the ways without dragging (ticks and the boxes
// beneath a strip), which are all there is on a touch screen and by keyboard.
"use strict";

const KIND = "application/x-translearn-photos";

class Strip {
  constructor(root) {
    this.root = root;
    this.ticked = new Set();
    this.number = Date.now();
    root.ondragover = (event) => this.over(event);
    root.ondragleave = (event) => { if (!root.contains(event.relatedTarget)) this.mark(null); };
    root.ondrop = (event) => this.drop(event);
  }

  update(data, send) {
    Object.assign(this, { data, send });
    const signature = JSON.stringify([data.round, data.photos.map(({ path }) => path), data.classes]);
    if (signature === this.signature) return;
    const there = new Set(data.photos.map(({ path }) => path));
    this.ticked = new Set(data.ticked.filter((path) => there.has(path)));
    this.signature = signature;
    this.root.classList.toggle("classes", data.classes.length > 0);
    this.root.replaceChildren(...data.photos.map((photo) => this.tile(photo)), ...this.chips());
  }

  tile({ path, file, src }) {
    const { words } = this.data, image = make("img", { src, alt: "", draggable: false });
    const element = make("button", { type: "button", className: "tl-strip-photo", title: file, draggable: true,
      aria: { label: fill(words.tick, { file }), pressed: String(this.ticked.has(path)) } },
    image, make("span", { textContent: "✓", aria: { hidden: "true" } }));
    element.onclick = () => {
      const isTicked = !this.ticked.delete(path);
      if (isTicked) this.ticked.add(path);
      element.setAttribute("aria-pressed", String(isTicked));
      this.send.state("ticked", [...this.ticked]);
    };
    element.ondragstart = (event) => {
      const paths = this.ticked.has(path) ? [...this.ticked] : [path];
      event.dataTransfer.setData(KIND, JSON.stringify({ from: this.data.id, paths }));
      event.dataTransfer.effectAllowed = "move";
      document.body.classList.add("tl-dragging");
    };
    element.ondragend = () => document.body.classList.remove("tl-dragging");
    return element;
  }

  chips() {
    // The classes, to drop photos on.
    return this.data.classes.map(({ name, value }) => make("span", { className: "tl-strip-class", textContent: name,
      dataset: { value } }));
  }

  place(event) {
    // What photos are dropped on: a class, or this strip; null for neither.
    if (![...event.dataTransfer.types].includes(KIND)) return null;
    if (!this.data.classes.length) return this.root;
    return event.target.closest ? event.target.closest(".tl-strip-class") : null;
  }

  over(event) {
    const place = this.place(event);
    this.mark(place);
    if (place) event.preventDefault();
  }

  mark(place) {
    for (const one of [this.root, ...this.root.children]) one.classList.toggle("over", one === place);
  }

  drop(event) {
    const place = this.place(event);
    this.mark(null);
    document.body.classList.remove("tl-dragging");
    if (!place) return;
    event.preventDefault();
    const { from, paths } = JSON.parse(event.dataTransfer.getData(KIND));
    if (from === this.data.id) return;
    this.send.trigger("dropped", { number: ++this.number, paths, value: place.dataset.value || "" });
  }
}

export default function show({ parentElement, data, setStateValue, setTriggerValue }) {
  const root = parentElement.querySelector(".tl-strip");
  if (!root.strip) root.strip = new Strip(root);
  root.strip.update(data, { state: setStateValue, trigger: setTriggerValue });
}
