// The camera: which one, its picture on the page (mirrored where it looks at the person), and why
// there is none.
"use strict";

const PICTURE_MS = 250; // a camera that gives no picture in so long is not waited for
const WANTED = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } };

class Camera {
  // onChange is called when the camera comes, goes, or cannot be used.
  constructor(words, onChange) {
    this.words = words;
    this.onChange = onChange;
    this.stream = null;
    this.problem = "";
    this.attempt = null; // the latest start that was not stopped
    const touch = typeof matchMedia === "function" && matchMedia("(pointer: coarse)").matches;
    this.facing = touch ? "environment" : "user";
    this.device = "";
    this.build();
  }

  build() {
    const { words } = this;
    this.video = make("video", { muted: true, playsInline: true, autoplay: true, aria: { label: words.preview } });
    this.video.setAttribute("playsinline", "");
    this.choice = make("select", { className: "tl-cam-choice", aria: { label: words.which }, hidden: true });
    this.choice.onchange = () => { this.device = this.choice.value; this.start(); };
    this.turn = make("button", { type: "button", className: "tl-cam-plain", textContent: words.turn, hidden: true });
    this.turn.onclick = () => {
      this.facing = this.facing === "user" ? "environment" : "user";
      this.device = "";
      this.start();
    };
    this.toggle = make("button", { type: "button", className: "tl-cam-plain" });
    this.toggle.onclick = () => (this.isOn ? this.stop() : this.start());
    this.note = make("p", { className: "tl-cam-problem", role: "status" });
    this.frame = make("div", { className: "tl-cam-frame" }, this.video);
    this.tools = make("div", { className: "tl-cam-tools" }, this.choice, this.turn, this.toggle);
    this.show();
  }

  get isOn() {
    return Boolean(this.stream);
  }

  // Whether there is a picture to take.
  get isReady() {
    return this.isOn && this.video.readyState >= 2 && this.video.videoWidth > 0;
  }

  async start() {
    this.stop();
    const attempt = this.attempt = {};
    const media = navigator.mediaDevices;
    if (!media || !media.getUserMedia) {
      this.fail(window.isSecureContext ? this.words.none : this.words.insecure);
      return;
    }
    const which = this.device ? { deviceId: { exact: this.device } } : { facingMode: { ideal: this.facing } };
    try {
      const stream = await media.getUserMedia({ audio: false, video: { ...WANTED, ...which } });
      if (this.attempt !== attempt) { // stopped or started anew meanwhile
        for (const track of stream.getTracks()) track.stop();
        return;
      }
      this.stream = stream;
      this.problem = "";
      this.video.srcObject = stream;
      for (const track of stream.getTracks()) track.onended = () => this.stop();
      const { facingMode } = stream.getVideoTracks()[0].getSettings();
      this.frame.classList.toggle("mirrored", facingMode !== "environment");
      await this.video.play().catch(() => {});
      const found = (await media.enumerateDevices()).filter(({ kind }) => kind === "videoinput");
      if (this.attempt !== attempt) return;
      this.list(found);
    } catch (error) {
      if (this.attempt !== attempt) return;
      const { refused, none, busy } = this.words;
      const known = { NotAllowedError: refused, SecurityError: refused, NotFoundError: none,
        OverconstrainedError: none, NotReadableError: busy, AbortError: busy };
      if (error.name === "OverconstrainedError" && this.device) {
        this.device = ""; // it was unplugged
        await this.start();
        return;
      }
      this.fail(known[error.name] || busy);
      return;
    }
    this.show();
    this.onChange();
  }

  list(found) {
    const now = this.stream.getVideoTracks()[0].getSettings().deviceId;
    this.choice.replaceChildren(...found.map(({ deviceId, label }, place) => make("option", {
      value: deviceId, selected: deviceId === now,
      textContent: label || fill(this.words.camera_n, { n: place + 1 }),
    })));
    this.choice.hidden = found.length < 2;
    this.turn.hidden = found.length < 2;
  }

  fail(sentence) {
    this.problem = sentence;
    this.show();
    this.onChange();
  }

  stop() {
    this.attempt = null;
    if (!this.stream) return;
    for (const track of this.stream.getTracks()) { track.onended = null; track.stop(); }
    this.stream = null;
    this.video.srcObject = null;
    this.show();
    this.onChange();
  }

  show() {
    const { on, off, again } = this.words;
    this.toggle.textContent = this.isOn ? off : this.problem ? again : on;
    this.note.textContent = this.problem;
    this.note.hidden = !this.problem;
    this.frame.classList.toggle("dark", !this.isOn);
  }

  // When there is another picture than now.
  nextPicture() {
    const { video } = this;
    if (!video.requestVideoFrameCallback) return wait(0);
    return Promise.race([new Promise((resolve) => { video.requestVideoFrameCallback(resolve); }), wait(PICTURE_MS)]);
  }

  // A JPEG of what is seen now, as a blob.
  take(longest) {
    return jpegOf(this.video, this.video.videoWidth, this.video.videoHeight, longest);
  }
}
