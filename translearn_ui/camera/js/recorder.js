// Hold to record: the classes side by side, each with its name, its button, its counter and its photos.
//
// Where photos are to be sorted later there is one card without a name, the pile of unsorted ones.
//
// Leaves to others: the camera (camera.js), what becomes of the photos (the server).
"use strict";

const LONGEST = 640; // of a frame's sides
const LONGEST_FILE = 1600;
const MOST_WAITING = 240; // frames that the server has not taken yet
const MOST_SHOWN = 60; // photos of a class
const MOST_NAME = 80;

class ClassCard {
  constructor(recorder, name, color) {
    this.recorder = recorder;
    this.name = name;
    this.color = color;
    this.saved = 0; // photos that the server holds
    this.waiting = 0; // and that it has not taken yet
    this.photos = new Map(); // id -> { element, src }
    this.build();
  }

  build() {
    const { words } = this.recorder;
    this.input = make("input", { type: "text", value: this.name, maxLength: MOST_NAME, aria: { label: words.name } });
    this.input.onchange = () => this.recorder.rename(this, this.input.value);
    this.input.onkeydown = (event) => { if (event.key === "Enter") this.input.blur(); };
    this.input.readOnly = Boolean(this.recorder.pile);
    this.count = make("span", { className: "tl-cam-count" });
    this.button = make("button", { type: "button", className: "tl-cam-hold" });
    this.listen();
    this.picker = make("input", { type: "file", accept: "image/*", multiple: true });
    this.picker.setAttribute("capture", "environment");
    this.picker.onchange = () => this.recorder.takeFiles(this);
    this.files = make("label", { className: "tl-cam-files" }, make("span", { textContent: words.files }), this.picker);
    this.strip = make("div", { className: "tl-cam-photos" });
    this.more = make("p", { className: "tl-cam-more" });
    this.dot = make("i", { style: `background:${this.color}` });
    this.drop = make("button", { type: "button", className: "tl-cam-drop", textContent: "×", hidden: true });
    this.drop.onclick = () => this.recorder.dropCard(this);
    this.element = make("section", { className: "tl-cam-class" },
      make("div", { className: "tl-cam-head" }, this.dot, this.input, this.drop), this.count,
      this.button, this.files, this.strip, this.more);
    this.show();
  }

  listen() {
    const { button, recorder } = this;
    const begin = (event) => {
      event.preventDefault();
      recorder.begin(this);
    };
    const end = () => recorder.end(this);
    button.onpointerdown = (event) => {
      if (event.button > 0) return;
      button.focus({ preventScroll: true });
      if (button.setPointerCapture) button.setPointerCapture(event.pointerId);
      begin(event);
    };
    button.onpointerup = button.onpointercancel = button.onlostpointercapture = end;
    button.onkeydown = (event) => {
      if (event.key !== " " && event.key !== "Enter") return;
      if (event.repeat) event.preventDefault();
      else begin(event);
    };
    button.onkeyup = (event) => {
      if (event.key !== " " && event.key !== "Enter") return;
      event.preventDefault();
      end();
    };
    button.onblur = end;
    button.oncontextmenu = (event) => event.preventDefault(); // a long touch
  }

  show() {
    const { words, active } = this.recorder, isOn = this.recorder.camera.isOn, n = this.saved + this.waiting;
    const isHeld = active && active.card === this;
    this.count.textContent = counted(words.photos, n);
    this.element.dataset.n = String(n);
    this.button.textContent = isHeld ? words.recording : words.hold;
    this.button.setAttribute("aria-label", fill(words.hold_for, { name: this.name }));
    this.button.disabled = !isOn;
    this.button.classList.toggle("held", Boolean(isHeld));
    this.picker.setAttribute("aria-label", fill(words.files_for, { name: this.name }));
    this.drop.hidden = n > 0 || this.recorder.cards.length < 3;
    this.drop.setAttribute("aria-label", fill(words.drop, { name: this.name }));
    const left = n - this.photos.size;
    this.more.textContent = this.photos.size && left > 0 ? fill(words.more, { n: left }) : "";
    this.element.setAttribute("aria-label", this.name);
  }

  // Shows a photo first of all; `src` is its picture.
  add(id, src) {
    const { words } = this.recorder;
    const image = make("img", { src, alt: "", loading: "lazy" });
    const element = make("button", {
      type: "button", className: "tl-cam-photo", aria: { label: fill(words.remove, { n: this.photos.size + 1, name: this.name }) },
    }, image, make("span", { textContent: "×", aria: { hidden: "true" } }));
    element.onclick = () => this.recorder.remove(this, id);
    this.photos.set(id, { element, src });
    this.strip.prepend(element);
    if (this.photos.size > MOST_SHOWN) this.forget(this.photos.keys().next().value);
  }

  forget(id) {
    const photo = this.photos.get(id);
    if (!photo) return;
    photo.element.remove();
    if (photo.src.startsWith("blob:")) URL.revokeObjectURL(photo.src);
    this.photos.delete(id);
  }
}

class Recorder {
  constructor(data, camera, link) {
    Object.assign(this, { words: data.words, colors: data.colors, pile: data.pile, camera, link });
    this.cards = [];
    this.active = null;
    this.removed = null;
    this.renaming = new Map(); // a name that the server still has -> its card
    this.rate = data.rate;
    this.build(data);
    this.greet(data);
    this.takeUp();
  }

  build(data) {
    const { words } = this;
    this.speed = make("select", { aria: { label: words.rate } }, ...data.rates.map((rate) => make("option", {
      value: String(rate), textContent: fill(words.per_second, { n: rate }), selected: rate === data.rate,
    })));
    this.speed.onchange = () => { this.rate = Number(this.speed.value); };
    this.camera.tools.append(this.speed);
    this.addButton = make("button", { type: "button", className: "tl-cam-add", textContent: words.add });
    this.addButton.onclick = () => {
      const card = this.addCard(this.newName());
      card.input.focus();
      card.input.select();
    };
    this.list = make("div", { className: "tl-cam-classes" }, this.addButton);
    this.addButton.hidden = Boolean(this.pile);
    this.say = make("p", { className: "tl-cam-say", role: "status" });
    this.undo = make("button", { type: "button", className: "tl-cam-plain", textContent: words.undo, hidden: true });
    this.undo.onclick = () => this.putBack();
    this.foot = make("div", { className: "tl-cam-foot" }, this.say, this.undo);
    this.element = make("div", {}, this.list, this.foot);
    for (const name of data.classes) this.addCard(name);
    this.stopAtHide = () => { if (document.hidden) this.end(); };
    document.addEventListener("visibilitychange", this.stopAtHide);
    this.askBeforeLeaving = (event) => { if (this.waiting) event.preventDefault(); };
    window.addEventListener("beforeunload", this.askBeforeLeaving);
  }

  // Frames that were on their way when this page was left before.
  async takeUp() {
    const left = leftBehind.take(this.link.place), kept = left.map(({ request }) => {
      const name = this.pile ? this.cards[0].name : request.name;
      const card = this.cards.find((one) => one.name === name) || this.addCard(name);
      return this.keep(card, request.file, new Blob([asBytes(request.jpeg)], { type: "image/jpeg" }));
    });
    if (!kept.length) return;
    await Promise.all(kept);
    this.tell(counted(this.words.taken_up, kept.length));
  }

  async greet(data) {
    // What the set holds already.
    if (!Object.keys(data.counts).length) return;
    const { classes = [] } = await this.link.ask({ kind: "hello", classes: data.classes });
    for (const { name, thumbnails } of classes) {
      const card = this.cards.find((one) => one.name === name);
      if (!card) continue;
      const newer = [...card.photos.entries()];
      for (const { id, src } of thumbnails) card.add(id, src);
      for (const [id, photo] of newer) { card.photos.delete(id); card.photos.set(id, photo); card.strip.prepend(photo.element); }
      card.show();
    }
  }

  // counts: the photos that the server holds, class name -> their number; classes: those to show.
  update({ counts, classes }) {
    for (const card of this.cards) card.saved = 0;
    for (const [name, n] of Object.entries(counts)) {
      const known = this.renaming.get(name) || this.cards.find((one) => one.name === name);
      if (!known && !classes.includes(name)) continue; // there are many, and it was not chosen
      const card = known || this.addCard(name);
      card.saved += n;
    }
    this.show();
  }

  show() {
    for (const card of this.cards) card.show();
  }

  newName() {
    for (let n = this.cards.length + 1; ; n++) {
      const name = fill(this.words.class_n, { n });
      if (!this.cards.some((card) => card.name === name)) return name;
    }
  }

  addCard(name) {
    const card = new ClassCard(this, name, this.colors[this.cards.length % this.colors.length]);
    this.cards.push(card);
    this.addButton.before(card.element);
    this.show();
    return card;
  }

  dropCard(card) {
    this.cards = this.cards.filter((one) => one !== card);
    card.element.remove();
    this.addButton.focus();
    this.show();
  }

  async rename(card, wanted) {
    const name = wanted.trim().replace(/\s+/g, " "), before = card.name;
    if (!name || name === before) {
      card.input.value = before;
      return;
    }
    if (this.cards.some((one) => one !== card && one.name.toLowerCase() === name.toLowerCase())) {
      this.tell(fill(this.words.taken, { name }));
      card.input.value = before;
      return;
    }
    card.name = card.input.value = name; // frames that follow come after the request, under the new name
    card.show();
    if (!card.saved && !card.waiting) return;
    this.renaming.set(before, card);
    const { problem } = await this.link.ask({ kind: "rename", from: before, to: name });
    this.renaming.delete(before);
    this.settle();
    if (!problem) return;
    card.name = card.input.value = before;
    card.show();
    this.tell(problem);
  }

  begin(card) {
    if (this.active || !this.camera.isReady) return;
    const now = new Date(), two = (n) => String(n).padStart(2, "0");
    const day = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`;
    const time = `${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}${String(now.getMilliseconds()).padStart(3, "0")}`;
    const recording = { card, id: `camera-${day}-${time}`, n: 0, number: 0, began: performance.now() };
    this.active = recording;
    this.tell("");
    card.show();
    this.run(recording);
  }

  async run(recording) {
    for (;;) {
      if (this.waiting >= MOST_WAITING) {
        this.end();
        this.tell(this.words.slow);
        return;
      }
      const due = recording.began + (1000 / this.rate) * recording.n;
      await wait(Math.max(0, due - performance.now()));
      if (this.active !== recording && recording.n > 0) return; // the first is taken even of a tap
      if (!this.camera.isReady) return;
      // its place in time, in hundredths of a second
      const number = Math.max(recording.number + 1, Math.round((performance.now() - recording.began) / 10));
      recording.n++;
      recording.number = number;
      let blob;
      try {
        blob = await this.camera.take(LONGEST);
      } catch {
        return; // the camera went
      }
      this.keep(recording.card, `${recording.id}~${String(number).padStart(5, "0")}.jpg`, blob);
      if (this.active !== recording) return;
    }
  }

  end(card) {
    const recording = this.active;
    if (!recording || (card && recording.card !== card)) return;
    this.active = null;
    recording.card.show();
    const words = this.pile ? this.words.recorded_pile : this.words.recorded;
    this.tell(counted(words, recording.n || 1, { name: recording.card.name }));
  }

  // Tells the page once that photos have come or gone.
  settle() {
    clearTimeout(this.settling);
    this.settling = setTimeout(() => {
      if (this.active || !this.link.isIdle) this.settle();
      else this.link.ask({ kind: "settled" });
    }, 500);
  }

  get waiting() {
    return this.cards.reduce((sum, card) => sum + card.waiting, 0);
  }

  async keep(card, id, blob) {
    card.waiting++;
    card.add(id, URL.createObjectURL(blob));
    card.show();
    const jpeg = await asText(blob);
    const kind = this.pile ? "pile" : "frame";
    const { problem } = await this.link.ask({ kind, name: card.name, file: id, jpeg });
    card.waiting--;
    this.settle();
    if (problem) {
      card.forget(id);
      this.tell(problem);
    }
    card.show();
  }

  async takeFiles(card) {
    const files = [...card.picker.files];
    card.picker.value = "";
    const now = Date.now();
    let unread = 0;
    for (const [place, file] of files.entries()) {
      try {
        const picture = await createImageBitmap(file, { imageOrientation: "from-image" });
        const blob = await jpegOf(picture, picture.width, picture.height, LONGEST_FILE);
        picture.close();
        const base = file.name.replace(/\.[^.]*$/, "").replace(/[^\p{L}\p{N}_-]+/gu, "_").slice(0, 60);
        await this.keep(card, `${base || "photo"}-${now}-${place}.jpg`, blob);
      } catch {
        unread++;
      }
    }
    if (unread) this.tell(counted(this.words.unread, unread));
  }

  async remove(card, id) {
    const photo = card.photos.get(id);
    if (!photo) return;
    const following = photo.element.nextElementSibling || photo.element.previousElementSibling;
    card.photos.delete(id);
    photo.element.remove();
    (following || card.button).focus();
    this.tell(fill(this.words.removed, { name: card.name }));
    const { problem, file, jpeg } = await this.link.ask({ kind: "remove", id });
    this.settle();
    if (problem) this.tell(problem);
    if (file) {
      this.removed = { card, id: file, blob: new Blob([asBytes(jpeg)], { type: "image/jpeg" }) };
      this.undo.hidden = false;
    }
    card.show();
  }

  putBack() {
    const { card, id, blob } = this.removed;
    this.tell("");
    this.keep(card, id, blob);
  }

  tell(sentence) {
    this.say.textContent = sentence;
    this.undo.hidden = true;
  }

  leave() {
    this.end();
    clearTimeout(this.settling);
    document.removeEventListener("visibilitychange", this.stopAtHide);
    window.removeEventListener("beforeunload", this.askBeforeLeaving);
  }
}
