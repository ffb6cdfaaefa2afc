// Prepares a photo for the model as TransLearn does: upright, over white (a drawing in white over
// black), resized from all of its pixels with an antialiased triangle filter in whole numbers (never by
// the canvas, whose way of resizing differs from browser to browser).
//
// Owns: from the browser's picture to the numbers for the network, which picture of an animation is taken.
// Leaves to others: what a file says of itself (files.js), decoding and colour profiles (the browser),
// what the model makes of it (network.js). `resize` and `pattern` work in a page and in Node.
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

const MOST_PIXELS = 16e6; // what every browser's canvas holds
const OPTIONS = { imageOrientation: "from-image", colorSpaceConversion: "default", premultiplyAlpha: "none" };
const FLAT = 4, CLEAR = 40, MOST_FRAMES = 30; // levels within which a picture is of one colour, or plainly not

function drawn(picture, shrink = 1) {
  // Its pixels, over a background where some are transparent; the picture is closed.
  const across = picture.displayWidth || picture.width, down = picture.displayHeight || picture.height;
  shrink = Math.min(shrink, Math.sqrt(MOST_PIXELS / (across * down)));
  const width = Math.max(1, Math.floor(across * shrink)), height = Math.max(1, Math.floor(down * shrink));
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0, width, height);
  picture.close();
  let { data } = context.getImageData(0, 0, width, height);
  if (isOpaque(data)) return { data, width, height };
  context.globalCompositeOperation = "destination-over";
  context.fillStyle = isWhiteInk(data) ? "black" : "white";
  context.fillRect(0, 0, width, height);
  ({ data } = context.getImageData(0, 0, width, height));
  return { data, width, height };
}

function isOpaque(data) {
  for (let at = 3; at < data.length; at += 4) if (data[at] < 255) return false;
  return true;
}

function isWhiteInk(data) {
  // A drawing in white: some pixels are transparent, and nearly all others are near white.
  let opaque = 0, white = 0;
  for (let at = 0; at < data.length; at += 4) {
    if (data[at + 3] < 128) continue;
    opaque++;
    white += Math.min(data[at], data[at + 1], data[at + 2]) >= 240;
  }
  return opaque > 0 && opaque < data.length / 4 && white >= 0.99 * opaque;
}

function isFlat({ data, width }, levels, left, top, right, bottom) {
  // Whether the pixels of a part agree within some levels.
  const low = [255, 255, 255], high = [0, 0, 0];
  for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) for (let c = 0; c < 3; c++) {
    const value = data[(y * width + x) * 4 + c];
    low[c] = Math.min(low[c], value);
    high[c] = Math.max(high[c], value);
  }
  return high.every((value, c) => value - low[c] <= levels);
}

async function movedOn(first, bytes, type) {
  // Of an animation that begins with one colour, the first other picture.
  const isBlank = (one, levels) => isFlat(one, levels, 0, 0, one.width, one.height);
  if (!isBlank(first, FLAT)) return first;
  if (typeof ImageDecoder === "undefined") {
    throw new Unreadable("begins with a picture of one colour, and this browser shows no other of it");
  }
  const decoder = new ImageDecoder({ data: bytes, type });
  try {
    await Promise.all([decoder.completed, decoder.tracks.ready]);
    const n = Math.min(decoder.tracks.selectedTrack.frameCount, MOST_FRAMES);
    for (let frameIndex = 0; frameIndex < n; frameIndex++) {
      const frame = drawn((await decoder.decode({ frameIndex })).image);
      if (!isBlank(frame, CLEAR)) return frame;
    }
  } finally {
    decoder.close();
  }
  return first;
}

async function checkWhole(pixels, scan) {
  // Refuses a JPEG whose coded data ends early, which decoders fill with the last colour.
  const { width, height } = pixels;
  const isCornerFlat = isFlat(pixels, 1, Math.max(0, width - 24), Math.max(0, height - 4), width, height);
  const isFootFlat = isFlat(pixels, 1, 0, height - Math.max(1, height >> 2), width, height);
  if (scan.hasEnd && (!isCornerFlat || (!isFootFlat && repeatsAtEnd(scan.data)))) return;
  const copies = await Promise.all(endlessJpegs(scan).map((blob) => createImageBitmap(blob, OPTIONS)));
  const [one, other] = copies.map((picture) => drawn(picture, 1 / 4).data);
  if (one.some((value, at) => value !== other[at])) throw scan.hasEnd ? partMissing() : cut();
}

async function decode(file, ranges) {
  // Pixels as they are stored (data, width, height), and their turn.
  const { blob, turn, kind, scan, grey, moving, bytes } = await readFile(file);
  if (grey) return { ...(await readDeepGrey(grey, ranges.uint16)), turn };
  let pixels;
  try {
    pixels = drawn(await createImageBitmap(blob, OPTIONS));
  } catch (error) {
    if (!kind) throw error;
    throw new Unreadable(`is ${kind}, which this browser does not read: save it as JPEG or PNG`);
  }
  if (scan) await checkWhole(pixels, scan);
  if (moving) pixels = await movedOn(pixels, moving === "image/png" ? bytes : await blob.arrayBuffer(), moving);
  return { ...pixels, turn };
}

// source: a file (Blob), or a video; reading: as labels.json gives it, how values of more than 8 bits
// become 8 bits; fit: stretch, crop or pad; returns the numbers for the network.
async function prepare(source, size, reading = {}, fit = "stretch") {
  const { data, width, height, turn } = source instanceof Blob
    ? await decode(source, reading.ranges || {})
    : { ...drawn(await createImageBitmap(source, OPTIONS)), turn: 1 };
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
