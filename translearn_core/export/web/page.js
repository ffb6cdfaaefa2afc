// The page: photos and the webcam in, answers out. The model runs in a worker (network.js), so that
// the page stays awake; photos are read in files.js and prepared in prepare.js.
"use strict";

const byId = (id) => document.getElementById(id);
const MOST_BARS = 5;

class Model {
  // The worker with the model; questions are answered one after the other.
  static async open() {
    const [labels, check, code, bytes] = await Promise.all([
      fetchPart("labels.json").then((part) => part.json()),
      fetchPart("check.json").then((part) => part.json()),
      fetchPart("network.js").then((part) => part.text()),
      fetchPart("model.onnx").then((part) => part.arrayBuffer()),
    ]);
    const model = new Model();
    model.labels = labels;
    // from a text: some servers do not call a script a script, and a worker insists on it
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    model.worker = new Worker(url);
    model.waiting = new Map();
    model.worker.onmessage = ({ data }) => {
      const { resolve, reject } = model.waiting.get(data.id);
      model.waiting.delete(data.id);
      if (data.error) reject(new Error(data.error));
      else resolve(data);
    };
    model.last = 0;
    await model.send({ model: bytes }, [bytes]);
    await model.check(check);
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
      throw new Error("This browser computes other answers than TransLearn. Try another browser.");
    }
  }
}

async function fetchPart(name) {
  const part = await fetch(name).catch(() => null);
  if (part && part.ok) return part;
  throw new Error(
    location.protocol === "file:"
      ? "A browser does not load a model from a file: see README.txt, it takes one line to serve this folder."
      : `${name} could not be loaded. Is the whole folder here, and is its server still running?`,
  );
}

function percent(share) {
  return `${Math.round(share * 100)} %`;
}

function describe(labels, shares) {
  // The answer to each question: in a row of shares they follow one another.
  const box = document.createElement("div");
  let at = labels.classes.length;
  describeOne(box, labels.classes, shares.slice(0, at), (best, share) =>
    share >= labels.sure_from ? best : `Not sure. Closest: ${best}`);
  box.dataset.answer = box.firstChild.dataset.answer;
  for (const { name, classes } of labels.tasks || []) {
    describeOne(box, classes, shares.slice(at, at + classes.length), (best, share) =>
      share >= labels.sure_from ? `${name}: ${best}` : `${name}: Not sure. Closest: ${best}`);
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

async function answerFiles(model, files) {
  let done = 0;
  for (const file of files) {
    byId("state").textContent = `Looking at photo ${++done} of ${files.length}`;
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
      const what = error instanceof Unreadable ? error.message : "cannot be read as a photo by this browser";
      words.textContent = `${file.name} ${what}.`;
      row.append(words);
    }
    byId("answers").prepend(row);
  }
  byId("state").textContent = done === 1 ? "1 photo answered." : `${done} photos answered.`;
}

async function watchCamera(model) {
  const button = byId("camera"), row = document.createElement("div");
  const video = Object.assign(document.createElement("video"), { muted: true, playsInline: true });
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: true });
  } catch {
    showProblem("The webcam cannot be used: allow it in the browser, and close what else uses it.");
    return;
  }
  row.className = "answer";
  row.append(video, document.createElement("div"));
  byId("answers").prepend(row);
  video.srcObject = stream;
  await video.play();
  button.textContent = "Stop the webcam";
  let going = true;
  button.onclick = () => { going = false; };
  while (going) row.lastChild.replaceWith(describe(model.labels, await model.ask(video)));
  for (const track of stream.getTracks()) track.stop();
  row.remove();
  button.textContent = "Use the webcam";
  button.onclick = () => watchCamera(model);
}

async function main() {
  let model;
  try {
    model = await Model.open();
  } catch (error) {
    showProblem(error.message);
    return;
  }
  const { labels } = model, input = byId("files"), drop = byId("drop"), camera = byId("camera");
  byId("title").textContent = document.title = labels.name;
  byId("knows").textContent = `It knows: ${labels.classes.join(", ")}`;
  byId("state").textContent = "Ready. Checked in this browser: it answers as TransLearn does.";
  document.body.dataset.ready = String(model.difference);
  input.disabled = false;
  input.onchange = () => answerFiles(model, [...input.files]).then(() => { input.value = ""; });
  drop.ondragover = (event) => { event.preventDefault(); drop.className = "over"; };
  drop.ondragleave = () => { drop.className = ""; };
  drop.ondrop = (event) => {
    event.preventDefault();
    drop.className = "";
    answerFiles(model, [...event.dataTransfer.files]);
  };
  if (navigator.mediaDevices) {
    camera.disabled = false;
    camera.onclick = () => watchCamera(model);
  } else camera.title = "A browser lends the webcam only to https pages and to this machine.";
}

main();
