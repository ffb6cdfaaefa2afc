// Live answers: what the camera sees, asked again and again, as bars that move.
//
// The network runs in a worker of this browser as in the exported web page, so that photos stay here;
// until it is there, and where the server is quicker, the server answers. Freeze a picture to ask why,
// or to put it into a class.
"use strict";

const MOST_BARS = 6;
const TRIES = 12; // answers by which the two are compared
const ENOUGH_MS = 60; // a browser that takes no longer is kept, whatever the server takes
const FRESH_MS = 500; // a picture that was taken ahead and had to wait longer is taken again

class Browser {
  // The network in a worker; rejects where it cannot be opened or answers differently.
  static async open({ model, check, labels, reference }) {
    const browser = new Browser();
    Object.assign(browser, { labels, reference: reference && readReference(reference), waiting: new Map(), last: 0 });
    const url = URL.createObjectURL(new Blob([NETWORK], { type: "text/javascript" }));
    browser.worker = new Worker(url);
    URL.revokeObjectURL(url);
    browser.worker.onmessage = ({ data }) => {
      const { resolve, reject } = browser.waiting.get(data.id);
      browser.waiting.delete(data.id);
      if (data.error) reject(new Error(data.error));
      else resolve(data);
    };
    const bytes = asBytes(model).buffer, size = labels.image_size, pixels = pattern(size);
    await browser.post({ model: bytes }, [bytes]);
    const { shares, pooled } = await browser.post({ pixels, size }, [pixels.buffer]);
    const off = Math.max(...shares.map((share, place) => Math.abs(share - check.probabilities[place])));
    if (!(off <= check.tolerance)) throw new Error("other answers");
    if (reference && (!pooled || pooled.length !== reference.width)) throw new Error("other features");
    return browser;
  }

  post(message, moved) {
    const id = ++this.last;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ ...message, id }, moved);
    });
  }

  // While the network looks at one picture, the next one is prepared.
  async ask(source) {
    const { image_size: size, classes } = this.labels;
    const pixels = await (this.next && this.next.source === source ? this.next.pixels : this.prepare(source));
    const answer = this.post({ pixels, size }, [pixels.buffer]);
    this.next = { source, pixels: this.prepare(source) };
    this.next.pixels.catch(() => { this.next = null; });
    const { shares, pooled } = await answer;
    const unlike = this.reference && pooled ? distance(this.reference, pooled) > this.reference.threshold : false;
    return { shares: shares.slice(0, classes.length), unlike };
  }

  prepare(source) {
    const { image_size: size, reading, fit } = this.labels;
    return prepare(source, size, reading, fit);
  }

  close() {
    this.worker.terminate();
  }
}

function fromHalf(bits) {
  // The value of a float of 16 bits.
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, rest = bits & 1023;
  if (exponent === 0) return sign * rest * 2 ** -24;
  if (exponent === 31) return rest ? NaN : sign * Infinity;
  return sign * (1 + rest / 1024) * 2 ** (exponent - 15);
}

function readReference({ units, width, threshold, neighbours }) {
  const bytes = asBytes(units), halves = new Uint16Array(bytes.buffer, 0, bytes.length >> 1);
  return { units: Float32Array.from(halves, fromHalf), width, threshold, neighbours };
}

function certainty(share, { nearly_all: most, hardly_any: least }) {
  // As `formatting.certainty`: never quite certain, nor impossible.
  return share > 0.99 ? most : share < 0.01 ? least : `${Math.round(100 * share)} %`;
}

function distance({ units, width, neighbours }, pooled) {
  // As `evaluation/ood.py`: 1 minus the mean cosine to the nearest, after the cube root of each value.
  const roots = Float32Array.from(pooled, Math.cbrt);
  const length = Math.max(Math.sqrt(roots.reduce((sum, root) => sum + root * root, 0)), 1e-12);
  const nearest = new Array(neighbours).fill(-Infinity);
  for (let from = 0; from < units.length; from += width) {
    let sum = 0;
    for (let at = 0; at < width; at++) sum += units[from + at] * roots[at];
    const likeness = sum / length;
    if (likeness <= nearest[neighbours - 1]) continue;
    nearest[neighbours - 1] = likeness;
    nearest.sort((a, b) => b - a);
  }
  const known = nearest.filter((likeness) => likeness > -Infinity);
  return 1 - known.reduce((sum, likeness) => sum + likeness, 0) / known.length;
}

class Live {
  constructor(camera, link) {
    Object.assign(this, { camera, link, browser: null, run: "", frozen: null, filed: null, ahead: null, isOver: false, times: {} });
    this.element = make("div", { className: "tl-live" });
    this.element.hidden = true;
  }

  // data: the run that answers; null for none.
  update(data) {
    if (!data || (this.data && data.run === this.run)) {
      if (data) Object.assign(this.data, { sure_from: data.sure_from, into: data.into });
      else this.reset();
      return;
    }
    this.reset();
    this.data = { ...data };
    this.run = data.run;
    this.build();
    this.element.hidden = false;
    this.loop(data.run);
    this.fetch(data.run);
  }

  reset() {
    if (this.browser) this.browser.close();
    if (this.frozen) this.frozen.remove();
    Object.assign(this, { browser: null, run: "", data: null, frozen: null, filed: null, ahead: null, times: {} });
    this.element.hidden = true;
    this.element.replaceChildren();
  }

  build() {
    const { words, classes, colors } = this.data;
    this.head = make("p", { className: "tl-live-answer" });
    this.rows = new Map(classes.map((name, place) => {
      const bar = make("b", { style: `background:${colors[place]}` }), figure = make("em");
      const put = make("button", { type: "button", className: "tl-cam-plain", textContent: words.put, hidden: true,
        aria: { label: fill(words.put_into, { name }) } });
      put.onclick = () => this.put(name);
      const element = make("div", { className: "tl-live-bar" },
        make("span", { textContent: name, title: name }), make("i", {}, bar), figure, put);
      return [name, { element, bar, figure, put, place }];
    }));
    this.bars = make("div", { className: "tl-live-bars" }, ...[...this.rows.values()].map(({ element }) => element));
    this.pile = make("button", { type: "button", className: "tl-cam-plain", textContent: words.put_pile, hidden: true });
    this.pile.onclick = () => this.put("");
    this.freeze = make("button", { type: "button", className: "tl-cam-plain", textContent: words.freeze });
    this.freeze.onclick = () => (this.frozen ? this.thaw() : this.stop());
    this.why = make("button", { type: "button", className: "tl-cam-plain", textContent: words.why, hidden: true });
    this.why.onclick = () => this.askWhy();
    this.note = make("p", { className: "tl-cam-say", role: "status" });
    this.undo = make("button", { type: "button", className: "tl-cam-plain", textContent: words.undo, hidden: true });
    this.undo.onclick = () => this.takeBack();
    this.pace = make("p", { className: "tl-live-pace" });
    this.element.append(this.head, this.bars,
      make("div", { className: "tl-cam-tools" }, this.freeze, this.why, this.pile),
      make("div", { className: "tl-cam-foot" }, this.note, this.undo), this.pace);
    this.showPace();
  }

  async fetch(run) {
    // The network for this browser, as soon as the server has it; where no camera runs, it is made for none.
    while (this.run === run && !this.isOver && !this.camera.isReady) await wait(150);
    for (;;) {
      if (this.run !== run || this.isOver) return;
      const answer = await this.link.ask({ kind: "model", run });
      if (this.run !== run || this.isOver || answer.state === "none") return;
      if (answer.state === "ready") {
        try {
          const browser = await Browser.open(answer);
          if (this.run === run && !this.isOver) this.browser = browser;
          else browser.close();
        } catch {
          // this browser cannot: the server goes on answering
        }
        return;
      }
      await wait(1500);
    }
  }

  // Who answers next: the browser, unless it proves slow and the server quicker.
  get by() {
    if (!this.browser) return "server";
    const { browser = [], server = [] } = this.times;
    if (browser.length < TRIES) return "browser";
    const middle = (times) => [...times].sort((a, b) => a - b)[times.length >> 1];
    const isQuick = middle(browser) <= ENOUGH_MS || !server.length || middle(browser) <= middle(server);
    return isQuick || !this.data.is_here ? "browser" : "server";
  }

  async loop(run) {
    const moments = [];
    while (this.run === run && !this.isOver) {
      if (document.hidden || (!this.frozen && !this.camera.isReady)) {
        await wait(150);
        continue;
      }
      const { frozen, by } = this, began = performance.now(), another = this.camera.nextPicture();
      let answer = null;
      try {
        answer = by === "browser" ? await this.browser.ask(frozen || this.camera.video) : await this.askServer(frozen);
      } catch {
        await wait(200);
      }
      if (this.run !== run || this.isOver) return;
      if (!answer || !answer.shares || this.frozen !== frozen) continue;
      const now = performance.now();
      this.times[by] = [...(this.times[by] || []), now - began].slice(-TRIES);
      moments.push(now);
      while (moments.length > 1 && now - moments[0] > 3000) moments.shift();
      this.pacePerS = moments.length > 1 ? (1000 * (moments.length - 1)) / (now - moments[0]) : 0;
      this.show(answer, by);
      if (frozen) {
        while (this.frozen === frozen && this.run === run && !this.isOver) await wait(100);
        moments.length = 0;
      } else await Promise.all([another, wait(0)]); // no picture is asked about twice, and the page stays awake
    }
  }

  // While the server looks at one picture, the next one is taken.
  async askServer(frozen) {
    while (!this.link.isIdle) await wait(10); // photos that were taken go first
    const { ahead, run } = this;
    this.ahead = null;
    const isFresh = ahead && !frozen && performance.now() - ahead.at < FRESH_MS;
    const jpeg = await (isFresh ? ahead.jpeg : frozen
      ? jpegOf(frozen, frozen.width, frozen.height, LONGEST).then(asText) : this.takeText());
    const answer = this.link.ask({ kind: "answer", run, jpeg });
    if (!frozen) {
      this.ahead = { at: performance.now(), jpeg: this.takeText() };
      this.ahead.jpeg.catch(() => { this.ahead = null; });
    }
    return answer;
  }

  async takeText() {
    return asText(await this.camera.take(LONGEST));
  }

  show({ shares, unlike }, by) {
    const { words, classes, sure_from: sureFrom } = this.data;
    const order = shares.map((share, place) => [share, place]).sort((a, b) => b[0] - a[0]);
    const [best, place] = order[0], name = classes[place], share = certainty(best, words);
    const isSure = best >= sureFrom;
    const sentence = unlike ? words.unlike : isSure ? words.is : words.not_sure;
    this.head.textContent = fill(sentence, { name, share });
    this.head.className = `tl-live-answer${unlike ? " unlike" : isSure ? "" : " unsure"}`;
    const shown = new Set(order.slice(0, MOST_BARS).map(([, at]) => at));
    for (const [of, { element, bar, figure, place: at }] of this.rows) {
      element.hidden = classes.length > MOST_BARS && !shown.has(at);
      bar.style.width = `${(100 * shares[at]).toFixed(1)}%`;
      figure.textContent = certainty(shares[at], words);
      element.classList.toggle("best", of === name && isSure && !unlike);
    }
    this.showPace(by);
    this.element.dispatchEvent(new CustomEvent("tl-answer", { bubbles: true, detail: { name, share: best, unlike, sure: isSure, by } }));
  }

  showPace(by = "") {
    const { words } = this.data, n = (this.pacePerS || 0).toFixed(0);
    const sentence = { browser: words.by_browser, server: words.by_server }[by] || words.waiting;
    this.pace.textContent = typeof sentence === "string" ? sentence : counted(sentence, Number(n));
    Object.assign(this.element.dataset, { by, pace: (this.pacePerS || 0).toFixed(1) });
  }

  stop() {
    // Freeze what is seen now.
    if (!this.camera.isReady) return;
    const { video } = this.camera;
    const canvas = make("canvas", { width: video.videoWidth, height: video.videoHeight, className: "tl-live-still" });
    canvas.getContext("2d").drawImage(video, 0, 0);
    this.frozen = canvas;
    this.ahead = null;
    this.camera.frame.append(canvas);
    this.toggle();
  }

  thaw() {
    if (this.frozen) this.frozen.remove();
    this.frozen = null;
    this.toggle();
  }

  toggle() {
    const { words, into } = this.data, isFrozen = Boolean(this.frozen);
    this.freeze.textContent = isFrozen ? words.go_on : words.freeze;
    this.why.hidden = !isFrozen;
    for (const { put } of this.rows.values()) put.hidden = !isFrozen || !into;
    this.pile.hidden = !isFrozen || !into;
    this.tell(isFrozen && into ? words.frozen : "");
  }

  async askWhy() {
    const blob = await jpegOf(this.frozen, this.frozen.width, this.frozen.height, LONGEST);
    this.tell(this.data.words.looking);
    const { problem } = await this.link.ask({ kind: "why", run: this.run, jpeg: await asText(blob) });
    this.tell(problem || "");
  }

  async put(name) {
    const blob = await jpegOf(this.frozen, this.frozen.width, this.frozen.height, LONGEST);
    const file = `camera-${Date.now()}.jpg`;
    this.thaw();
    const { words } = this.data, kind = name ? "frame" : "pile";
    const { problem } = await this.link.ask({ kind, name, file, jpeg: await asText(blob) });
    this.tell(problem || (name ? fill(words.filed, { name }) : words.filed_pile));
    if (!problem) this.filed = { name: name || words.put_pile, file };
    this.undo.hidden = Boolean(problem);
  }

  async takeBack() {
    const { name, file } = this.filed, { words } = this.data;
    this.freeze.focus();
    this.tell("");
    const { problem } = await this.link.ask({ kind: "remove", id: file });
    this.tell(problem || fill(words.removed, { name }));
  }

  tell(sentence) {
    this.note.textContent = sentence;
    this.undo.hidden = true;
  }

  leave() {
    this.isOver = true;
    this.reset();
  }
}
