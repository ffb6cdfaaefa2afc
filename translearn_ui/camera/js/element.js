// The camera element of the pages: recording classes, live answers, or both beside one camera.
"use strict";

class Element {
  constructor(root, data) {
    Object.assign(this, { root, wasShown: false });
    this.link = new Link(data.place);
    this.camera = new Camera(data.words, () => this.onCamera());
    this.live = new Live(this.camera, this.link);
    const look = make("div", { className: "tl-cam-look" },
      this.camera.frame, this.camera.tools, this.camera.note, this.live.element);
    root.replaceChildren(look);
    root.classList.toggle("only-live", !data.recorder);
    if (data.recorder) {
      this.recorder = new Recorder({ ...data.recorder, words: data.words }, this.camera, this.link);
      root.append(this.recorder.element);
    }
    // never behind a closed box: it begins when it is seen, and ends when it is folded away
    this.seen = new ResizeObserver(() => this.onSize());
    this.seen.observe(root);
  }

  onSize() {
    const isShown = this.root.offsetWidth > 0;
    if (isShown && !this.wasShown) this.camera.start();
    if (!isShown && this.wasShown) this.camera.stop();
    this.wasShown = isShown;
  }

  onCamera() {
    if (this.recorder) {
      if (!this.camera.isOn) this.recorder.end();
      this.recorder.show();
    }
    this.root.dataset.camera = this.camera.isOn ? "on" : this.camera.problem ? "none" : "off";
  }

  update(data, send) {
    this.link.send = send;
    this.link.place = data.place;
    this.link.receive(data.reply);
    this.link.go();
    if (this.recorder && data.recorder) this.recorder.update(data.recorder);
    this.live.update(data.live);
  }

  leave() {
    this.seen.disconnect();
    this.link.close();
    this.live.leave();
    if (this.recorder) this.recorder.leave();
    this.camera.stop();
  }
}

export default function show({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".tl-cam");
  if (!root.element) root.element = new Element(root, data);
  root.element.update(data, (message) => setTriggerValue("sent", message));
  return () => {
    if (root.element) root.element.leave();
    root.element = null;
  };
}
