// What a photo file says of itself, read from its bytes: its turn, whether it is whole, its kind.
//
// Owns: the copy of a file that the browser may decode (a browser turns photos by some of the places
// where a file may say how, and TransLearn by the orientation in EXIF alone, so the copy is without
// such side data), missing parts of a JPEG, grey of 16 bits (a browser gives 8), and what is said of a
// file that is not read.
// Leaves to others: decoding (the browser), pixels (prepare.js).
"use strict";

const MOST_BYTES = 100 * 2 ** 20, MOST_READ = 100e6; // of a file, and pixels of a photo, as in TransLearn

class Unreadable extends Error {}

function pictureOf(parts) {
  // A file of these parts, in one piece: Firefox tells what a blob is by the first of its parts alone.
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => { whole.set(part, at); return at + part.length; }, 0);
  return new Blob([whole]);
}

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

function partMissing() {
  return new Unreadable("is damaged: a part of it is missing");
}

function checkSize(width, height) {
  if (width * height > MOST_READ) throw new Unreadable("has more than 100 million pixels");
}

// ------------------------------------------------------------------------------------------ JPEG

const JPEG_KINDS = {
  0xc3: "a lossless JPEG", 0xc9: "a JPEG with arithmetic coding", 0xca: "a JPEG with arithmetic coding",
};
const JPEG_END = new Uint8Array([0xff, 0xd9]);
const isFrame = (kind) => kind >= 0xc0 && kind <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(kind);

function readJpeg(bytes) {
  const parts = [bytes.subarray(0, 2)], side = {}, view = viewOf(bytes);
  let at = 2, frame = 0;
  for (;;) {
    while (bytes[at] === 0xff && bytes[at + 1] === 0xff) at++; // filling
    if (at + 4 > bytes.length) throw cut();
    if (bytes[at] !== 0xff) return { parts: [bytes], ...side };
    const kind = bytes[at + 1], end = at + 2 + view.getUint16(at + 2);
    if (end > bytes.length) throw cut();
    const content = bytes.subarray(at + 4, end);
    if (kind === 0xda) break;
    if (isFrame(kind)) {
      checkSize(view.getUint16(at + 7), view.getUint16(at + 5));
      frame = kind;
      side.kind = JPEG_KINDS[kind] || (bytes[at + 4] === 8 ? "" : `a JPEG of ${bytes[at + 4]} bits`);
    }
    if (kind !== 0xe1) parts.push(bytes.subarray(at, end));
    else if (word(content, 0, 6) === "Exif\0\0") side.exif = side.exif || content;
    at = end;
  }
  const hasEnd = endOfScan(bytes, at, [0xd9]) < bytes.length;
  if (frame === 0xc2 && lacksScans(bytes)) throw hasEnd ? partMissing() : cut();
  if (frame <= 0xc1 && isPartZeroed(bytes)) throw partMissing();
  const stop = lastScan(bytes);
  if (frame && frame <= 0xc1) side.scan = { data: bytes.subarray(at, stop), head: [...parts], hasEnd };
  return { parts: [...parts, bytes.subarray(at), ...(hasEnd ? [] : [JPEG_END])], ...side };
}

function endOfScan(bytes, at, marks = [0xd9, 0xc4, 0xda, 0xdb, 0xdd, 0xfe]) {
  // Where the next of some markers begins; the length of the file where there is none.
  for (;;) {
    at = bytes.indexOf(0xff, at);
    if (at < 0 || at + 1 >= bytes.length) return bytes.length;
    if (marks.includes(bytes[at + 1])) return at;
    at++;
  }
}

function* segmentsOf(bytes) {
  // Marker, begin and end of the content of every segment, over the coded data behind a scan's head.
  for (let at = 2; ;) {
    at = bytes.indexOf(0xff, at);
    if (at < 0 || at + 2 > bytes.length) return;
    const kind = bytes[at + 1];
    if (kind === 0xff) at++;
    else if (kind === 0xd9) return;
    else if (kind < 2 || (kind >= 0xd0 && kind < 0xda)) at += 2;
    else {
      if (at + 4 > bytes.length) return;
      const end = at + 2 + Math.max(2, bytes[at + 2] * 256 + bytes[at + 3]);
      yield [kind, at + 4, Math.min(end, bytes.length)];
      at = kind === 0xda ? endOfScan(bytes, end) : end;
    }
  }
}

function lastScan(bytes) {
  // Where the coded data of the last scan ends.
  let stop = bytes.length;
  for (const [kind, , end] of segmentsOf(bytes)) if (kind === 0xda) stop = endOfScan(bytes, end);
  return stop;
}

function lacksScans(bytes) {
  // Whether a progressive JPEG ends before the scans that complete its luminance.
  const whole = new Set();
  let first = -1;
  for (const [kind, begin, end] of segmentsOf(bytes)) {
    if (isFrame(kind)) first = bytes[begin + 6];
    if (kind !== 0xda || end - begin < 6) continue;
    const [low, high, bits] = bytes.subarray(end - 3, end);
    const named = Array.from({ length: bytes[begin] }, (_, i) => bytes[begin + 1 + 2 * i]);
    if (!named.includes(first) || bits & 15) continue;
    for (let place = low; place <= Math.min(high, 63); place++) whole.add(place);
  }
  return whole.size < 64;
}

function hasZeros(bytes, from, to) {
  // Whether 32 bytes of zero follow one another.
  for (let at = from + 31; at < to; at += 32) {
    if (bytes[at]) continue;
    let begin = at, end = at;
    while (begin > from && !bytes[begin - 1]) begin--;
    while (end < to && !bytes[end]) end++;
    if (end - begin >= 32) return true;
  }
  return false;
}

function isPartZeroed(bytes) {
  // Whether coded data was overwritten: zeros are plausible only where the first code means no change.
  const first = new Map();
  for (const [kind, begin, end] of segmentsOf(bytes)) {
    for (let at = begin; kind === 0xc4 && at + 17 < end;) {
      const n = bytes.subarray(at + 1, at + 17).reduce((sum, one) => sum + one, 0);
      if (n) first.set(bytes[at], bytes[at + 17]);
      at += 17 + n;
    }
    if (kind === 0xda && hasZeros(bytes, end, endOfScan(bytes, end))) {
      return [...first.values()].some((value) => value !== 0);
    }
  }
  return false;
}

function endlessJpegs({ head, data }) {
  // Two copies that show the same where all coded data is there: noise stands behind it in one.
  const noise = Uint8Array.from({ length: 4096 }, (_, n) => (n * 89 + 37) % 251);
  return [[], [noise]].map((more) => pictureOf([...head, data, ...more, JPEG_END]));
}

function repeatsAtEnd(data) {
  // Whether the coded data ends with the codes of equal blocks.
  const tail = data.subarray(Math.max(0, data.length - 40), Math.max(0, data.length - 2));
  for (let period = 1; period < 18; period++) {
    if (tail.subarray(period).every((byte, at) => byte === tail[at])) return true;
  }
  return false;
}

// ------------------------------------------------------------------------------------------- PNG

const PNG_KEPT = ["IHDR", "PLTE", "tRNS", "IDAT", "iCCP", "sRGB"];
const PNG_END = new Uint8Array([0, 0, 0, 0, 73, 69, 78, 68, 0xae, 0x42, 0x60, 0x82]);

function readPng(bytes) {
  // Only the picture itself is kept: of an animation, the still picture.
  const parts = [bytes.subarray(0, 8)], side = { coded: [] }, view = viewOf(bytes);
  checkSize(view.getUint32(16), view.getUint32(20));
  let at = 8;
  while (at + 8 <= bytes.length) {
    const length = view.getUint32(at), kind = word(bytes, at + 4, 4), end = at + 12 + length;
    if (kind === "IEND") break;
    if (end > bytes.length) throw cut();
    const content = bytes.subarray(at + 8, end - 4);
    if (PNG_KEPT.includes(kind)) parts.push(bytes.subarray(at, end));
    if (kind === "IDAT") side.coded.push(content);
    else if (kind === "tRNS" && length === 2) side.clear = viewOf(content).getUint16(0);
    else if (kind === "eXIf") side.exif = content;
    else if (kind === "acTL") side.moving = "image/png";
    at = end;
  }
  const isDeepGrey = bytes[24] === 16 && bytes[25] === 0;
  const head = { width: view.getUint32(16), height: view.getUint32(20), isLaced: bytes[28] === 1 };
  if (isDeepGrey) side.grey = { ...head, coded: side.coded, clear: side.clear };
  return { parts: [...parts, PNG_END], ...side };
}

async function inflated(parts) {
  const stream = new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate"));
  try {
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch {
    throw cut();
  }
}

function unfiltered(rows, from, n, length) {
  // n rows of `length` bytes, each behind the number of its filter; two bytes a pixel.
  const result = new Uint8Array(n * length);
  for (let y = 0; y < n; y++, from += length + 1) {
    const filter = rows[from], at = y * length;
    for (let x = 0; x < length; x++) {
      const left = x < 2 ? 0 : result[at + x - 2], up = y ? result[at + x - length] : 0;
      const corner = y && x >= 2 ? result[at + x - length - 2] : 0;
      let guess = [0, left, up, (left + up) >> 1][filter];
      if (filter === 4) {
        const p = left + up - corner;
        const [a, b, c] = [Math.abs(p - left), Math.abs(p - up), Math.abs(p - corner)];
        guess = a <= b && a <= c ? left : b <= c ? up : corner;
      }
      result[at + x] = rows[from + 1 + x] + guess;
    }
  }
  return result;
}

const LACED = [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]];

async function deepGrey({ width, height, isLaced, coded }) {
  // The values of a grey PNG of 16 bits.
  const rows = await inflated(coded), values = new Uint16Array(width * height);
  let from = 0;
  for (const [left, top, across, down] of isLaced ? LACED : [[0, 0, 1, 1]]) {
    const columns = Math.ceil((width - left) / across), lines = Math.ceil((height - top) / down);
    if (columns <= 0 || lines <= 0) continue;
    if (from + lines * (2 * columns + 1) > rows.length) throw cut();
    const bytes = unfiltered(rows, from, lines, 2 * columns);
    from += lines * (2 * columns + 1);
    for (let y = 0, at = 0; y < lines; y++) for (let x = 0; x < columns; x++, at += 2) {
      values[(top + y * down) * width + left + x * across] = bytes[at] * 256 + bytes[at + 1];
    }
  }
  return values;
}

function rangeOf(values) {
  // Black and white of a photo that is read on its own: the smallest usual full scale that holds it.
  const step = Math.max(1, Math.floor(values.length / 200000));
  const some = values.filter((_, place) => place % step === 0).sort();
  let tail = Math.floor(some.length * 0.001);
  if (some.length > 20) tail = Math.max(tail, 1);
  const high = some[some.length - 1 - tail];
  return [0, [255, 1023, 4095, 16383, 65535].find((top) => high <= top)];
}

async function readDeepGrey(grey, range) {
  // As the canvas gives pixels: red, green, blue, and opaque.
  const values = await deepGrey(grey), [low, high] = range || rangeOf(values);
  const data = new Uint8ClampedArray(values.length * 4), scale = 255 / (high - low);
  values.forEach((value, place) => {
    const level = value === grey.clear ? 255 : (value - low) * scale;
    data.fill(level, place * 4, place * 4 + 3);
    data[place * 4 + 3] = 255;
  });
  return { data, width: grey.width, height: grey.height };
}

// ----------------------------------------------------------------------------------- other kinds

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
    if (kind === "ANIM") side.moving = "image/webp";
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
  return { parts: [bytes], moving: "image/gif" };
}

function isNeverFilled(bytes, from, to) {
  // Whether the mask for opacity of a BMP is zero everywhere, as in copies of a screen.
  for (let at = from + 3; at < to; at += 4) if (bytes[at]) return false;
  return true;
}

function readBmp(bytes) {
  const view = viewOf(bytes);
  if (bytes.length < 26) throw cut();
  if (view.getUint32(14, true) >= 40 && bytes.length >= 34) {
    const width = view.getInt32(18, true), height = Math.abs(view.getInt32(22, true));
    checkSize(width, height);
    const row = Math.ceil((width * view.getUint16(28, true)) / 32) * 4;
    const plain = [0, 3].includes(view.getUint32(30, true));
    const start = view.getUint32(10, true);
    if (plain && start + row * height > bytes.length) throw cut();
    const isMasked = view.getUint32(14, true) >= 56 && view.getUint32(66, true) === 0xff000000;
    if (isMasked && view.getUint16(28, true) === 32 && isNeverFilled(bytes, start, start + row * height)) {
      const copy = bytes.slice();
      viewOf(copy).setUint32(66, 0, true);
      return { parts: [copy] };
    }
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

const NOT_READ = "this page does not read: save it as JPEG or PNG";

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

function withoutBlanks(bytes) {
  // From its first byte that is no white space.
  let at = 0;
  while (at < 64 && [9, 10, 13, 32].includes(bytes[at])) at++;
  return /^(\xff\xd8|\x89PNG|GIF8|RIFF)/.test(word(bytes, at, 4)) ? bytes.subarray(at) : bytes;
}

async function readFile(file) {
  // The copy for the browser (blob), the turn that it must not know of, what the file is in words
  // (kind), and, where there are any, `scan`, `grey` and `moving` as the readers above find them.
  if (file.size > MOST_BYTES) throw new Unreadable("is larger than 100 MB");
  if (!file.size) throw new Unreadable("is empty (0 bytes)");
  const bytes = withoutBlanks(new Uint8Array(await file.arrayBuffer())), kind = kindOf(bytes);
  let found = { parts: [bytes] };
  if (kind === "a TIFF picture") throw new Unreadable(`is ${kind}, which ${NOT_READ}`);
  if (kind) found.parts = [bytes]; // read by the browser as it is, if at all
  else if (word(bytes, 0, 2) === "\xff\xd8") found = readJpeg(bytes);
  else if (word(bytes, 0, 8) === "\x89PNG\r\n\x1a\n" && bytes.length > 33) found = readPng(bytes);
  else if (word(bytes, 0, 4) === "RIFF" && word(bytes, 8, 4) === "WEBP") found = readWebp(bytes);
  else if (/^GIF8[79]a$/.test(word(bytes, 0, 6))) found = readGif(bytes);
  else if (word(bytes, 0, 2) === "BM") found = readBmp(bytes);
  if (word(bytes, 4, 8) === "ftypavis") found.moving = "image/avif";
  const { parts, exif: _exif, ...rest } = found;
  return { ...rest, blob: pictureOf(parts), turn: turnOf(found), kind: kind || found.kind || "", bytes };
}
