// Prepares a photo for the model as TransLearn does: upright, over white, resized from all of its
// pixels with an antialiased triangle filter in whole numbers (never by the canvas, whose way of
// resizing differs from browser to browser).
//
// Leaves to others: what the model makes of it (network.js). Works in a page and in Node.
"use strict";

const BITS = 22; // of the weights' fractions, so that sums stay whole

function weightsOf(from, to) {
  // For each of `to` new pixels: the first of the `from` old ones that it takes, and their weights.
  const scale = from / to, reach = Math.max(scale, 1), found = [];
  for (let place = 0; place < to; place++) {
    const centre = (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const end = Math.min(from, Math.trunc(centre + reach + 0.5));
    const weights = [], narrow = 1 / reach;
    for (let x = first; x < end; x++) {
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

// data: red, green, blue and a fourth byte for each pixel; returns size * size * 3 numbers in
// [0, 255] as the network takes them.
function resize(data, width, height, size) {
  const across = weightsOf(width, size), down = weightsOf(height, size);
  const middle = new Uint8Array(height * size * 3), result = new Float32Array(size * size * 3);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < size; x++) {
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
  const row = size * 3;
  for (let y = 0, at = 0; y < size; y++) {
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

// source: what createImageBitmap takes (a file), or a video; returns the numbers for the network.
async function prepare(source, size) {
  const options = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
  const picture = await createImageBitmap(source, { imageOrientation: "from-image", ...options });
  const shrink = Math.min(1, Math.sqrt(MOST_PIXELS / (picture.width * picture.height)));
  const width = Math.max(1, Math.floor(picture.width * shrink));
  const height = Math.max(1, Math.floor(picture.height * shrink));
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(picture, 0, 0, width, height);
  picture.close();
  return resize(context.getImageData(0, 0, width, height).data, width, height, size);
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
