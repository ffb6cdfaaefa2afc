// Prepares a photo for the model as TransLearn does: upright, over white, resized from all of its
// pixels with an antialiased triangle filter in whole numbers (never by the canvas, whose way of
// resizing differs from browser to browser).
//
// Owns: which side data of a file count (its turn, and nothing else), and what is said of a file that
// a browser cannot read.
// Leaves to others: decoding (the browser), what the model makes of it (network.js). Works in a page and in Node.
"use strict";

const BITS = 22; // of the weights' fractions, so that sums stay whole

function weightsOf(from, to, begin = 0, end = from) {
  // For each of `to` new pixels: the first of the `from` old ones that it takes, and their weights.
  // The new pixels share the stretch of the old ones between `begin` and `end`.
  const scale = (end - begin) / to, reach = Math.max(scale, 1), found = [];
  for (let place = 0; place < to; place++) {
    const centre = begin + (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const last = Math.min(from, Math.trunc(centre + reach + 0.5));
    const weights = [], narrow = 1 / reach;
    for (let x = first; x < last; x++) {
      weights.push(Math.max(0, 1 - Math.abs((x - centre + 0.5) * narrow)));
    }
    const sum = weights.reduce((total, weight) => total + weight, 0);
    found.push({ first, weights: weights.map((w) => Math.trunc(0.5 + (w / sum) * 2 ** BITS)) });
  }
  return found;
}

function rounded(sum) {
  return Math.max(0, Math.min(255, Math.floor((sum + 2 ** (BITS - 1)) / 2 ** BITS)));
}

const BORDER = [124, 116, 104]; // of padded photos, as in TransLearn

// data: red, green, blue and a fourth byte for each pixel; fit: stretch, crop or pad; returns
// size * size * 3 numbers in [0, 255] as the network takes them.
function resize(data, width, height, size, fit = "stretch") {
  if (fit === "pad") return pad(data, width, height, size);
  const side = Math.min(width, height), cut = fit === "crop";
  const left = cut ? (width - side) / 2 : 0, top = cut ? (height - side) / 2 : 0;
  const across = weightsOf(width, size, left, width - left);
  return resample(data, width, height, across, weightsOf(height, size, top, height - top));
}

function pad(data, width, height, size) {
  // The whole photo in its own proportions; two borders of one width beside its shorter sides.
  const longest = Math.max(width, height);
  const border = (side) => Math.min(
    Math.floor((size * (longest - side) + longest) / (2 * longest)), Math.floor((size - 1) / 2));
  const left = border(width), top = border(height), wide = size - 2 * left, high = size - 2 * top;
  const inner = resample(data, width, height, weightsOf(width, wide), weightsOf(height, high));
  const result = new Float32Array(size * size * 3).map((_, at) => BORDER[at % 3]);
  for (let y = 0; y < high; y++) {
    const row = inner.subarray(y * wide * 3, (y + 1) * wide * 3);
    result.set(row, ((y + top) * size + left) * 3);
  }
  return result;
}

function resample(data, width, height, across, down) {
  const wide = across.length, row = wide * 3;
  const middle = new Uint8Array(height * row), result = new Float32Array(down.length * row);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < wide; x++) {
      const { first, weights } = across[x];
      let red = 0, green = 0, blue = 0, from = (y * width + first) * 4;
      for (let i = 0; i < weights.length; i++, from += 4) {
        red += data[from] * weights[i];
        green += data[from + 1] * weights[i];
        blue += data[from + 2] * weights[i];
      }
      middle[at++] = rounded(red);
      middle[at++] = rounded(green);
      middle[at++] = rounded(blue);
    }
  }
  for (let y = 0, at = 0; y < down.length; y++) {
    const { first, weights } = down[y];
    for (let x = 0; x < row; x++) {
      let sum = 0, from = first * row + x;
      for (let i = 0; i < weights.length; i++, from += row) sum += middle[from] * weights[i];
      result[at++] = rounded(sum);
    }
  }
  return result;
}

const MOST_PIXELS = 16e6; // what every browser's canvas holds
const MOST_BYTES = 100 * 2 ** 20, MOST_READ = 100e6; // of a file, and pixels of a photo, as in TransLearn

// ---------------------------------------------------------------------------- what a file says
//
// A browser turns photos by some of the places where a file may say how, and TransLearn by the
// orientation in EXIF alone. So that is read here, and the browser gets a copy without such side data.

class Unreadable extends Error {}

const word = (bytes, at, length) => String.fromCharCode(...bytes.subarray(at, at + length));
const viewOf = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function turnOfExif(bytes) {
  // The orientation in EXIF data, undefined where they name none or are odd.
  if (word(bytes, 0, 6) === "Exif\0\0") bytes = bytes.subarray(6);
  const mark = word(bytes, 0, 4), little = mark === "II*\0", view = viewOf(bytes);
  if (bytes.length < 10 || !(little || mark === "MM\0*")) return undefined;
  const start = view.getUint32(4, little);
  if (start + 2 > bytes.length) return undefined;
  for (let i = 0, at = start + 2; i < view.getUint16(start, little); i++, at += 12) {
    if (at + 12 > bytes.length) return undefined;
    if (view.getUint16(at, little) !== 0x0112) continue;
    const type = view.getUint16(at + 2, little), count = view.getUint32(at + 4, little);
    if (count !== 1) return 1;
    if (type === 3) return view.getUint16(at + 8, little);
    return type === 4 ? view.getUint32(at + 8, little) : 1;
  }
  return undefined;
}

function turnOf({ exif }) {
  const turn = exif ? turnOfExif(exif) : 1;
  return turn >= 2 && turn <= 8 ? turn : 1;
}

function cut() {
  return new Unreadable("is damaged or cut off");
}

function checkSize(width, height) {
  if (width * height > MOST_READ) throw new Unreadable("has more than 100 million pixels");
}

const JPEG_KINDS = {
  0xc3: "a lossless JPEG", 0xc9: "a JPEG with arithmetic coding", 0xca: "a JPEG with arithmetic coding",
};

function readJpeg(bytes) {
  const parts = [bytes.subarray(0, 2)], side = {}, view = viewOf(bytes);
  let at = 2;
  for (;;) {
    while (bytes[at] === 0xff && bytes[at + 1] === 0xff) at++; // filling
    if (at + 4 > bytes.length) throw cut();
    if (bytes[at] !== 0xff) return { parts: [bytes], ...side };
    const kind = bytes[at + 1], end = at + 2 + view.getUint16(at + 2);
    if (end > bytes.length) throw cut();
    const content = bytes.subarray(at + 4, end);
    if (kind === 0xda) break;
    if (kind >= 0xc0 && kind <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(kind)) {
      checkSize(view.getUint16(at + 7), view.getUint16(at + 5));
      side.kind = JPEG_KINDS[kind] || (bytes[at + 4] === 8 ? "" : `a JPEG of ${bytes[at + 4]} bits`);
    }
    if (kind !== 0xe1) parts.push(bytes.subarray(at, end));
    else if (word(content, 0, 6) === "Exif\0\0") side.exif = side.exif || content;
    at = end;
  }
  let end = bytes.length - 2;
  while (end > at && !(bytes[end] === 0xff && bytes[end + 1] === 0xd9)) end--;
  if (end <= at) throw cut();
  return { parts: [...parts, bytes.subarray(at)], ...side };
}

const PNG_KEPT = ["IHDR", "PLTE", "tRNS", "IDAT", "iCCP", "sRGB"];
const PNG_END = new Uint8Array([0, 0, 0, 0, 73, 69, 78, 68, 0xae, 0x42, 0x60, 0x82]);

function readPng(bytes) {
  // Only the picture itself is kept: of an animation, the still picture.
  const parts = [bytes.subarray(0, 8)], side = {}, view = viewOf(bytes);
  checkSize(view.getUint32(16), view.getUint32(20));
  let at = 8;
  while (at + 8 <= bytes.length) {
    const length = view.getUint32(at), kind = word(bytes, at + 4, 4), end = at + 12 + length;
    if (kind === "IEND") break;
    if (end > bytes.length) throw cut();
    const content = bytes.subarray(at + 8, end - 4);
    if (PNG_KEPT.includes(kind)) parts.push(bytes.subarray(at, end));
    else if (kind === "eXIf") side.exif = content;
    at = end;
  }
  return { parts: [...parts, PNG_END], ...side };
}

function readWebp(bytes) {
  const parts = [], side = {}, view = viewOf(bytes);
  if (view.getUint32(4, true) + 8 > bytes.length) throw cut();
  let at = 12;
  while (at + 8 <= bytes.length) {
    const kind = word(bytes, at, 4), length = view.getUint32(at + 4, true);
    const end = Math.min(bytes.length, at + 8 + length + (length % 2));
    const content = bytes.subarray(at + 8, at + 8 + length);
    if (kind === "VP8X" && length >= 10) {
      const side24 = (from) => 1 + (view.getUint16(from, true) | (bytes[from + 2] << 16));
      checkSize(side24(at + 12), side24(at + 15));
      const copy = bytes.slice(at, end);
      copy[8] &= ~0x0c; // no EXIF, no XMP any more
      parts.push(copy);
    } else if (kind === "EXIF") side.exif = content;
    else if (kind !== "XMP ") parts.push(bytes.subarray(at, end));
    at = end;
  }
  const head = bytes.slice(0, 12), sum = parts.reduce((total, part) => total + part.length, 4);
  viewOf(head).setUint32(4, sum, true);
  return { parts: [head, ...parts], ...side };
}

function readGif(bytes) {
  // Its first picture must be there to its end.
  const table = (flags) => (flags & 128 ? 3 * 2 ** ((flags & 7) + 1) : 0);
  let at = 13 + table(bytes[10]);
  const skip = () => { while (bytes[at]) at += bytes[at] + 1; at++; };
  while (bytes[at] === 0x21) { at += 2; skip(); }
  if (bytes[at] === 0x2c) { at += 10 + table(bytes[at + 9]) + 1; skip(); }
  if (at > bytes.length) throw cut();
  return { parts: [bytes] };
}

function readBmp(bytes) {
  const view = viewOf(bytes);
  if (bytes.length < 26) throw cut();
  if (view.getUint32(14, true) >= 40 && bytes.length >= 34) {
    const width = view.getInt32(18, true), height = Math.abs(view.getInt32(22, true));
    checkSize(width, height);
    const row = Math.ceil((width * view.getUint16(28, true)) / 32) * 4;
    const plain = [0, 3].includes(view.getUint32(30, true));
    if (plain && view.getUint32(10, true) + row * height > bytes.length) throw cut();
  }
  return { parts: [bytes] };
}

const STARTS = [
  ["\xff\xd8\xff\xf7", "a JPEG-LS picture"], ["II*\0\x10\0\0\0CR", "a camera raw photo"],
  ["II*\0", "a TIFF picture"], ["MM\0*", "a TIFF picture"], ["II+\0", "a TIFF picture"],
  ["MM\0+", "a TIFF picture"], ["II\xbc", "a JPEG XR picture"], ["\0\0\0\x0cjP  ", "a JPEG 2000 picture"],
  ["\xff\x4f\xff\x51", "a JPEG 2000 picture"], ["\0\0\0\x0cJXL ", "a JPEG XL picture"],
  ["\xff\x0a", "a JPEG XL picture"], ["8BPS", "a Photoshop picture"], ["%PDF", "a PDF document"],
  ["PK\x03\x04", "an archive"], ["\x1f\x8b", "an archive"], ["\x1aE\xdf\xa3", "a video"],
];

function kindOf(bytes) {
  // What a file is by its first bytes, in words; empty for what is not known here.
  const start = STARTS.find(([mark]) => word(bytes, 0, mark.length) === mark);
  if (start) return start[1];
  if (word(bytes, 4, 4) !== "ftyp") return "";
  const brands = [word(bytes, 8, 4)];
  const size = Math.min(bytes.length, viewOf(bytes).getUint32(0));
  for (let at = 16; at + 4 <= size; at += 4) brands.push(word(bytes, at, 4));
  if (brands.some((brand) => ["avif", "avis"].includes(brand))) return "an AVIF photo";
  if (/^(hei[cxms]|hev[cx]|mif1|msf1)$/.test(brands[0])) return "a HEIC photo";
  return brands[0] === "crx " ? "a camera raw photo" : "a video";
}

async function readFile(file) {
  // The copy for the browser, the turn that it must not know of, and what the file is in words.
  if (file.size > MOST_BYTES) throw new Unreadable("is larger than 100 MB");
  if (!file.size) throw new Unreadable("is empty (0 bytes)");
  const bytes = new Uint8Array(await file.arrayBuffer()), kind = kindOf(bytes);
  let found = { parts: [bytes] };
  if (kind) found.parts = [bytes]; // read by the browser as it is, if at all
  else if (word(bytes, 0, 2) === "\xff\xd8") found = readJpeg(bytes);
  else if (word(bytes, 0, 8) === "\x89PNG\r\n\x1a\n" && bytes.length > 33) found = readPng(bytes);
  else if (word(bytes, 0, 4) === "RIFF" && word(bytes, 8, 4) === "WEBP") found = readWebp(bytes);
  else if (/^GIF8[79]a$/.test(word(bytes, 0, 6))) found = readGif(bytes);
  else if (word(bytes, 0, 2) === "BM") found = readBmp(bytes);
  return { blob: new Blob(found.parts), turn: turnOf(found), kind: kind || found.kind || "" };
}

async function decode(file, options) {
  const { blob, turn, kind } = await readFile(file);
  try {
    return { picture: await createImageBitmap(blob, options), turn };
  } catch (error) {
    if (!kind) throw error;
    throw new Unreadable(`is ${kind}, which this browser does not read: save it as JPEG or PNG`);
  }
}

// Where each pixel of the upright square comes from, for each turn of EXIF; n is the last place.
const FROM = {
  2: (x, y, n) => [n - x, y], 3: (x, y, n) => [n - x, n - y], 4: (x, y, n) => [x, n - y],
  5: (x, y) => [y, x], 6: (x, y, n) => [y, n - x], 7: (x, y, n) => [n - y, n - x],
  8: (x, y, n) => [n - y, x],
};

function upright(pixels, size, turn) {
  if (turn === 1) return pixels;
  const result = new Float32Array(pixels.length);
  for (let y = 0, at = 0; y < size; y++) for (let x = 0; x < size; x++) {
    const [u, v] = FROM[turn](x, y, size - 1), from = (v * size + u) * 3;
    for (let c = 0; c < 3; c++) result[at++] = pixels[from + c];
  }
  return result;
}

// source: a file (Blob), or a video; returns the numbers for the network.
async function prepare(source, size, fit = "stretch") {
  const options = {
    imageOrientation: "from-image", colorSpaceConversion: "none", premultiplyAlpha: "none",
  };
  const { picture, turn } = source instanceof Blob
    ? await decode(source, options)
    : { picture: await createImageBitmap(source, options), turn: 1 };
  const shrink = Math.min(1, Math.sqrt(MOST_PIXELS / (picture.width * picture.height)));
  const width = Math.max(1, Math.floor(picture.width * shrink));
  const height = Math.max(1, Math.floor(picture.height * shrink));
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(picture, 0, 0, width, height);
  picture.close();
  const { data } = context.getImageData(0, 0, width, height);
  return upright(resize(data, width, height, size, fit), size, turn);
}

// A pattern that can be drawn alike anywhere: what the page checks itself with.
function pattern(size) {
  const pixels = new Float32Array(size * size * 3);
  for (let y = 0, at = 0; y < size; y++) for (let x = 0; x < size; x++) for (let c = 0; c < 3; c++) {
    pixels[at++] = (x * 3 + y * 2 + c * 85 + ((x * y) >> 4)) % 256;
  }
  return pixels;
}

if (typeof module !== "undefined") module.exports = { resize, pattern };
