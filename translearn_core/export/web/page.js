// The page: photos and the camera in, answers out. The model runs in a worker (network.js), so that
// the page stays awake; photos are read in files.js and prepared in prepare.js.
//
// Its data are files beside it or, in the page that is one file, stand in it as base64.
"use strict";

const byId = (id) => document.getElementById(id);
const MOST_BARS = 5;
const STEP = 2 ** 22; // signs of base64 that are read at a time: a multiple of 4
const IS_FILE = location.protocol === "file:";
const WORDS = {}; // filled in at the export, see page_words.py

// A sentence of the page, with its values.
function say(key, values = {}) {
  return WORDS[key].replace(/\{(\w+)\}/g, (_all, name) => values[name]);
}

class Model {
  // The worker with the model; questions are answered one after the other.
  static async open() {
    const names = ["labels.json", "check.json", "network.js", "model.onnx"];
    const [labels, check, code, { buffer }] = await Promise.all(names.map(readPart));
    const model = new Model();
    model.labels = JSON.parse(asText(labels));
    model.waiting = new Map();
    model.last = 0;
    // from a text: some servers do not call a script a script, and a worker insists on it
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    model.worker = new Worker(url);
    model.worker.onmessage = ({ data }) => {
      const { resolve, reject } = model.waiting.get(data.id);
      model.waiting.delete(data.id);
      if (data.error) reject(new Error(data.error));
      else resolve(data);
    };
    model.worker.onerror = () => {
      // it did not start, or is at its end: nobody shall wait for it
      for (const { reject } of model.waiting.values()) {
        reject(new Error(say("no_runtime")));
      }
    };
    await model.send({ model: buffer }, [buffer]);
    await model.check(JSON.parse(asText(check)));
    return model;
  }

  send(message, moved) {
    const id = ++this.last;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ ...message, id }, moved);
    });
  }

  async ask(source) {
    const { image_size: size, reading, fit } = this.labels;
    const pixels = await prepare(source, size, reading, fit);
    return (await this.send({ pixels, size }, [pixels.buffer])).shares;
  }

  async check({ probabilities, tolerance }) {
    // A drawn pattern must get the answer that TransLearn gave it.
    const size = this.labels.image_size, pixels = pattern(size);
    const { shares } = await this.send({ pixels, size }, [pixels.buffer]);
    this.difference = Math.max(...shares.map((share, i) => Math.abs(share - probabilities[i])));
    if (!(this.difference <= tolerance)) {
      throw new Error(say("differs"));
    }
  }
}

const asText = (bytes) => new TextDecoder().decode(bytes);

// The bytes of a file of the page, from within it or from beside it.
async function readPart(name) {
  const part = document.querySelector(`script[data-part="${name}"]`);
  if (part) {
    const bytes = asBytes(part.textContent);
    part.remove(); // its text is not kept beside the bytes
    return bytes;
  }
  const answer = await fetch(name).catch(() => null);
  if (answer && answer.ok) return new Uint8Array(await answer.arrayBuffer());
  throw new Error(
    IS_FILE ? say("from_disk") : say("part_missing", { name }),
  );
}

function asBytes(text) {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  for (let from = 0, to = 0; from < text.length; from += STEP) {
    const some = atob(text.slice(from, from + STEP));
    for (let at = 0; at < some.length; at++) bytes[to++] = some.charCodeAt(at);
  }
  return bytes;
}

function percent(share) {
  // never quite certain, nor impossible
  const n = share > 0.99 ? "> 99" : share < 0.01 ? "< 1" : Math.round(share * 100);
  return say("percent", { n });
}

function describe(labels, shares) {
  // The answer to each question: in a row of shares they follow one another.
  const box = document.createElement("div");
  let at = labels.classes.length;
  describeOne(box, labels.classes, shares.slice(0, at), (best, share) =>
    share >= labels.sure_from ? best : say("not_sure", { name: best }));
  box.dataset.answer = box.firstChild.dataset.answer;
  for (const { name, classes } of labels.tasks || []) {
    describeOne(box, classes, shares.slice(at, at + classes.length), (best, share) =>
      say("of_task", { task: name, answer: share >= labels.sure_from ? best : say("not_sure", { name: best }) }));
    at += classes.length;
  }
  return box;
}

function describeOne(box, classes, shares, inWords) {
  // The answer in words and a bar for each of the likeliest classes.
  const order = shares.map((share, place) => [share, classes[place]]).sort((a, b) => b[0] - a[0]);
  const head = document.createElement("h2");
  const [share, best] = order[0];
  head.textContent = inWords(best, share);
  head.dataset.answer = best;
  box.append(head);
  for (const [part, name] of order.slice(0, MOST_BARS)) {
    const line = document.createElement("div"), words = document.createElement("span");
    const track = document.createElement("i"), fill = document.createElement("b");
    const figure = document.createElement("em");
    line.className = "bar";
    words.textContent = words.title = name;
    fill.style.width = `${part * 100}%`;
    figure.textContent = percent(part);
    track.append(fill);
    line.append(words, track, figure);
    box.append(line);
  }
}

function showProblem(text) {
  byId("state").textContent = text;
  byId("state").className = "problem";
}

function reasonOf(error) {
  if (!(error instanceof Unreadable)) return say("unreadable");
  return WORDS.language === "en" ? error.message : WORDS.reasons[error.message] || say("not_read");
}

async function answerFiles(model, files) {
  let done = 0;
  for (const file of files) {
    byId("state").textContent = say("looking", { n: ++done, total: files.length });
    const row = document.createElement("div"), image = document.createElement("img");
    row.className = "answer";
    row.dataset.file = file.name;
    image.src = URL.createObjectURL(file);
    image.alt = file.name;
    row.append(image);
    try {
      row.append(describe(model.labels, await model.ask(file)));
    } catch (error) {
      const words = document.createElement("div");
      words.className = "problem";
      words.textContent = say("no_photo", { file: file.name, reason: reasonOf(error) });
      row.append(words);
    }
    byId("answers").prepend(row);
  }
  byId("state").textContent = done === 1 ? say("one_answered") : say("answered", { n: done });
}

// The camera that looks away from a person where there are two; `other` asks for another one.
async function openCamera(other) {
  const video = other ? { deviceId: { exact: other } } : { facingMode: "environment" };
  return navigator.mediaDevices.getUserMedia({ video });
}

async function otherCamera(stream) {
  // The camera after the one in use; nothing where there is one alone.
  const all = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === "videoinput");
  const { deviceId } = stream.getVideoTracks()[0].getSettings();
  const at = all.findIndex((one) => one.deviceId === deviceId);
  return all.length > 1 ? all[(at + 1) % all.length].deviceId : null;
}

async function watchCamera(model, other) {
  const button = byId("camera"), row = document.createElement("div");
  const video = Object.assign(document.createElement("video"), { muted: true, playsInline: true });
  let stream;
  button.disabled = true;
  try {
    stream = await openCamera(other);
  } catch {
    showProblem(say("camera_refused"));
    return;
  } finally {
    button.disabled = false;
  }
  row.className = "answer live";
  row.setAttribute("aria-live", "off"); // it changes many times a second
  row.append(video, document.createElement("div"));
  byId("answers").prepend(row);
  video.srcObject = stream;
  const [track] = stream.getVideoTracks();
  if (track.getSettings().facingMode !== "environment") video.className = "mirrored";
  let next = null, going = true;
  track.onended = () => { going = false; };
  button.textContent = say("camera_off");
  button.onclick = () => { going = false; };
  const following = await otherCamera(stream), turn = byId("turn");
  turn.hidden = !following;
  turn.onclick = () => { next = following; going = false; };
  try {
    await video.play();
    while (going) row.lastChild.replaceWith(describe(model.labels, await model.ask(video)));
  } catch (error) {
    showProblem(say("camera_ended", { cause: error.message }));
  }
  track.stop();
  row.remove();
  turn.hidden = true;
  button.textContent = say("camera_on");
  button.onclick = () => watchCamera(model);
  if (next) watchCamera(model, next);
}

function offerCamera(model) {
  const button = byId("camera"), shot = byId("shot");
  if (navigator.mediaDevices) {
    button.disabled = false;
    button.onclick = () => watchCamera(model);
    return;
  }
  button.hidden = true;
  if (matchMedia("(pointer: coarse)").matches) { // a phone: its own camera app takes the photo
    shot.disabled = false;
    byId("shot-box").hidden = false;
  }
  byId("no-camera").textContent = say(IS_FILE ? "no_camera_from_disk" : "no_camera");
}

async function main() {
  document.documentElement.lang = WORDS.language;
  for (const element of document.querySelectorAll("[data-say]")) {
    element.textContent = say(element.dataset.say);
  }
  let model;
  try {
    model = await Model.open();
  } catch (error) {
    showProblem(error.message);
    return;
  }
  const { labels } = model, drop = byId("drop");
  byId("title").textContent = document.title = labels.name;
  byId("knows").textContent = say("knows", { classes: labels.classes.join(", ") });
  byId("state").textContent = say("ready");
  document.body.dataset.ready = String(model.difference);
  byId("files").disabled = false;
  for (const input of [byId("files"), byId("shot")]) {
    input.onchange = () => answerFiles(model, [...input.files]).then(() => { input.value = ""; });
  }
  drop.ondragover = (event) => { event.preventDefault(); drop.className = "over"; };
  drop.ondragleave = () => { drop.className = ""; };
  drop.ondrop = (event) => {
    event.preventDefault();
    drop.className = "";
    answerFiles(model, [...event.dataTransfer.files]);
  };
  offerCamera(model);
}

main();
