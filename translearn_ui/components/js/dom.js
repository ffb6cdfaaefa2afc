// Small things that several elements use: making elements, pictures as text, words.
"use strict";

function make(tag, properties = {}, ...children) {
  const { dataset = {}, aria = {}, style, ...plain } = properties;
  const element = Object.assign(document.createElement(tag), plain);
  Object.assign(element.dataset, dataset);
  if (style) element.style.cssText = style;
  for (const [name, value] of Object.entries(aria)) element.setAttribute(`aria-${name}`, value);
  element.append(...children);
  return element;
}

function fill(text, values) {
  // A sentence of the server with its values: "{n} photos".
  return String(text || "").replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

function counted(forms, n, values = {}) {
  // A sentence with a number: `forms` holds that for one and that for any other number.
  return fill(n === 1 ? forms.one : forms.other, { n, ...values });
}

function asText(blob) {
  // Base64 of a blob, without the head of a data URL.
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).split(",", 2)[1] || "");
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

function asBytes(text) {
  const letters = atob(text), bytes = new Uint8Array(letters.length);
  for (let at = 0; at < letters.length; at++) bytes[at] = letters.charCodeAt(at);
  return bytes;
}

function jpegOf(source, width, height, longest) {
  // A JPEG of a picture or of what a video shows now, no side longer than `longest`; never mirrored.
  const shrink = Math.min(1, longest / Math.max(width, height));
  const canvas = make("canvas", {
    width: Math.max(1, Math.round(width * shrink)), height: Math.max(1, Math.round(height * shrink)),
  });
  const context = canvas.getContext("2d");
  context.fillStyle = "white"; // behind what is transparent
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no picture"))), "image/jpeg", 0.92);
  });
}

const wait = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
