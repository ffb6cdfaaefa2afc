// Messages to the server and its replies, in order, each handled once.
//
// A message holds several requests and a number; the reply comes with the element's data and the same
// number. One message is on its way at a time; one that gets no reply is sent again. Photos that were not
// answered for when the page was left wait in `leftBehind` for the next element of their place in this tab.
"use strict";

const MOST_LETTERS = 3e6; // of one message
const PATIENCE_MS = 20000;

const leftBehind = {
  // place -> items; on the window, since each element has a script of its own
  get all() {
    window.translearnLeftBehind ||= new Map();
    return window.translearnLeftBehind;
  },
  put(place, items) {
    if (items.length) this.all.set(place, [...(this.all.get(place) || []), ...items]);
  },
  take(place) {
    const items = this.all.get(place) || [];
    this.all.delete(place);
    return items;
  },
};

const isPhoto = ({ request }) => request.kind === "frame" || request.kind === "pile";

class Link {
  // place: what photos go to, the same after the page was left and opened again
  constructor(place) {
    this.place = place;
    this.waiting = [];
    this.sent = null;
    this.number = Date.now(); // larger than that of an element that was here before
    this.send = null;
  }

  get isIdle() {
    return !this.sent && !this.waiting.length;
  }

  // Resolves with the reply to one request; `text` is what makes it long.
  ask(request) {
    return new Promise((resolve) => {
      if (this.isClosed) {
        leftBehind.put(this.place, [{ request }].filter(isPhoto));
        return;
      }
      this.waiting.push({ request, resolve, letters: (request.jpeg || "").length });
      this.go();
    });
  }

  go() {
    if (this.sent || !this.waiting.length || !this.send) return;
    const items = [];
    for (let letters = 0; this.waiting.length; ) {
      letters += this.waiting[0].letters;
      if (items.length && letters > MOST_LETTERS) break;
      items.push(this.waiting.shift());
    }
    this.sent = { number: ++this.number, items };
    this.dispatch();
  }

  dispatch() {
    const { number, items } = this.sent;
    this.send({ number, requests: items.map(({ request }) => request) });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => { if (this.sent) this.dispatch(); }, PATIENCE_MS);
  }

  receive(reply) {
    if (reply && reply.number > this.number) { // the clock was set back
      this.number = reply.number;
      if (this.sent) {
        this.sent.number = ++this.number;
        this.dispatch();
      }
    }
    if (!this.sent || !reply || reply.number !== this.sent.number) return;
    const { items } = this.sent;
    clearTimeout(this.timer);
    this.sent = null;
    items.forEach(({ resolve }, place) => resolve(reply.answers[place] || {}));
    this.go();
  }

  close() {
    clearTimeout(this.timer);
    const items = [...(this.sent ? this.sent.items : []), ...this.waiting];
    leftBehind.put(this.place, items.filter(isPhoto));
    Object.assign(this, { send: null, sent: null, waiting: [], isClosed: true });
  }
}
