// Runs the model: reads model.onnx and computes it, one photo at a time, in this browser alone.
//
// Owns: the ONNX reader, the operations that TransLearn's writer uses, and the one
// part that takes nearly all the time, a product of matrices, as WebAssembly with SIMD.
// Leaves to others: preparing a photo (prepare.js), showing anything (page.js).
//
// Tensors are { shape, data: Float32Array } in the order batch, channels, height, width, or batch,
// tokens, channels; the batch is one photo. Works as a script, in a worker and in Node.
"use strict";

// ------------------------------------------------------------------------------- reading a file

function readFields(bytes, visit) {
  // Protocol buffers: https://protobuf.dev/programming-guides/encoding/
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const varint = () => {
    let value = 0, factor = 1, byte;
    do {
      byte = bytes[at++];
      value += (byte & 127) * factor;
      factor *= 128;
    } while (byte & 128);
    return value;
  };
  while (at < bytes.length) {
    const key = varint(), field = key >>> 3, kind = key & 7;
    if (kind === 0) visit(field, varint());
    else if (kind === 1) { visit(field, view.getFloat64(at, true)); at += 8; }
    else if (kind === 5) { visit(field, view.getFloat32(at, true)); at += 4; }
    else {
      const length = varint();
      visit(field, bytes.subarray(at, at + length));
      at += length;
    }
  }
}

const asText = (bytes) => new TextDecoder().decode(bytes);

function readTensor(bytes) {
  const tensor = { shape: [], name: "", type: 1, raw: null };
  readFields(bytes, (field, value) => {
    if (field === 1) tensor.shape.push(value);
    else if (field === 2) tensor.type = value;
    else if (field === 8) tensor.name = asText(value);
    else if (field === 9) tensor.raw = value.slice().buffer;
  });
  if (tensor.type === 7) tensor.data = Array.from(new BigInt64Array(tensor.raw), Number);
  else tensor.data = new Float32Array(tensor.raw);
  return tensor;
}

function signed(value) {
  // whole numbers below zero come as 64 bits
  return value >= 2 ** 63 ? value - 2 ** 64 : value;
}

function readNode(bytes) {
  const node = { inputs: [], outputs: [], kind: "", is: {} };
  readFields(bytes, (field, value) => {
    if (field === 1) node.inputs.push(asText(value));
    else if (field === 2) node.outputs.push(asText(value));
    else if (field === 4) node.kind = asText(value);
    else if (field === 5) {
      let name = "", single, list = [];
      readFields(value, (part, content) => {
        if (part === 1) name = asText(content);
        else if (part === 2) single = content;
        else if (part === 3) single = signed(content);
        else if (part === 4) single = asText(content);
        else if (part === 8 && typeof content === "number") list.push(signed(content));
        else if (part === 8) {
          const whole = [];
          let current = 0, factor = 1;
          for (const byte of content) {
            current += (byte & 127) * factor;
            factor *= 128;
            if (!(byte & 128)) { whole.push(signed(current)); current = 0; factor = 1; }
          }
          list.push(...whole);
        }
      });
      node.is[name] = single === undefined ? list : single;
    }
  });
  return node;
}

function readModel(buffer) {
  const graph = { nodes: [], constants: new Map(), output: "" };
  readFields(new Uint8Array(buffer), (field, value) => {
    if (field !== 7) return;
    readFields(value, (part, content) => {
      if (part === 1) graph.nodes.push(readNode(content));
      else if (part === 5) {
        const tensor = readTensor(content);
        graph.constants.set(tensor.name, tensor);
      } else if (part === 12) {
        readFields(content, (inner, text) => { if (inner === 1) graph.output = asText(text); });
      }
    });
  });
  return graph;
}

// ---------------------------------------------------------------------------- product of matrices
//
// c = a b, where a is packed in tiles of 4 rows, `[rows / 4][k][4]`, and b in tiles of 8 columns,
// `[columns / 8][k][8]`; c has rows of `width` floats.

function productModule(fused) {
  // The bytes of a WebAssembly module with one function; https://webassembly.github.io/spec/
  // fused: multiply and add in one step (relaxed SIMD), which not every browser knows.
  const leb = (value) => {
    const bytes = [];
    do {
      const low = value & 127;
      value >>>= 7;
      bytes.push(value ? low | 128 : low);
    } while (value);
    return bytes;
  };
  const section = (id, content) => [id, ...leb(content.length), ...content];
  const text = (word) => [word.length, ...new TextEncoder().encode(word)];
  const get = (local) => [0x20, local], set = (local) => [0x21, local];
  const number = (value) => [0x41, ...leb(value)]; // all are below 64
  const add = [0x6a], times = [0x6c], below = [0x49];
  const simd = (code, ...rest) => [0xfd, ...leb(code), ...rest];
  const load = (offset) => simd(0x00, 2, offset), splat = (offset) => simd(0x09, 2, offset);
  const store = (offset) => simd(0x0b, 2, offset);
  const zero = simd(0x0c, ...new Array(16).fill(0));
  const plus = simd(0xe4), product = simd(0xe6), both = simd(0x105);
  const loop = (body, again) => [0x03, 0x40, ...body, ...again, 0x0d, 0, 0x0b];
  const [A, B, C, K, ROWS, COLUMNS, WIDTH] = [0, 1, 2, 3, 4, 5, 6];
  const [column, row, left, right, end, target, b0, b1, sum] = [7, 8, 9, 10, 11, 12, 13, 14, 15];
  const shift = (local, amount) => [...get(local), ...amount, ...add, ...set(local)];

  const step = [...get(right), ...load(0), ...set(b0), ...get(right), ...load(16), ...set(b1)];
  const out = [];
  for (let r = 0; r < 4; r++) {
    const splatted = 23;
    step.push(...get(left), ...splat(4 * r), ...set(splatted));
    for (let half = 0; half < 2; half++) {
      const total = sum + 2 * r + half;
      const pair = [...get(splatted), ...get(b0 + half)];
      const added = fused ? [...pair, ...get(total), ...both] : [...get(total), ...pair, ...product, ...plus];
      step.push(...added, ...set(total));
      out.push(...get(target), ...get(total), ...store(16 * half));
    }
    out.push(...shift(target, get(WIDTH)));
  }
  step.push(...shift(left, number(16)), ...shift(right, number(32)));
  const cleared = [];
  for (let i = 0; i < 8; i++) cleared.push(...zero, ...set(sum + i));
  const tile = [
    ...get(B), ...get(column), ...get(K), ...times, ...number(32), ...times, ...add, ...set(right),
    ...get(right), ...get(K), ...number(32), ...times, ...add, ...set(end),
    ...cleared,
    ...loop(step, [...get(right), ...get(end), ...below]),
    ...get(C), ...get(row), ...number(4), ...times, ...get(WIDTH), ...times, ...add,
    ...get(column), ...number(32), ...times, ...add, ...set(target),
    ...out,
    ...shift(row, number(1)),
  ];
  const panel = [
    ...number(0), ...set(row), ...get(A), ...set(left),
    ...loop(tile, [...get(row), ...get(ROWS), ...below]),
    ...shift(column, number(1)),
  ];
  const body = [
    2, 6, 0x7f, 11, 0x7b, // locals: six whole numbers, eleven vectors
    ...loop(panel, [...get(column), ...get(COLUMNS), ...below]),
    0x0b,
  ];
  return new Uint8Array([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, [1, 0x60, 7, ...new Array(7).fill(0x7f), 0]),
    ...section(2, [1, ...text("e"), ...text("m"), 2, 0, 1]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...text("multiply"), 0, 0]),
    ...section(10, [1, ...leb(body.length), ...body]),
  ]);
}

function multiplyPlainly(floats, a, b, c, k, rows, columns, width) {
  // The same without WebAssembly, for a browser that has no SIMD; places are in bytes.
  a /= 4; b /= 4; c /= 4; width /= 4;
  for (let column = 0; column < columns; column++) {
    for (let row = 0; row < rows; row++) {
      for (let r = 0; r < 4; r++) {
        for (let q = 0; q < 8; q++) {
          let sum = 0, left = a + row * k * 4 + r, right = b + column * k * 8 + q;
          for (let i = 0; i < k; i++, left += 4, right += 8) sum += floats[left] * floats[right];
          floats[c + (row * 4 + r) * width + column * 8 + q] = sum;
        }
      }
    }
  }
}

const MOST_COLUMNS = 1024;

function columnsOf(k) {
  // how many columns are multiplied at a time: about a megabyte, so that it stays near the processor
  return Math.max(8, Math.min(MOST_COLUMNS, (262144 / k) & ~7));
}

function sidesOf(shape) {
  // of a kernel: how many values come out, and how many go in for each
  return shape.length === 2 ? [shape[1], shape[0]] : [shape[0], sizeOf(shape.slice(1))];
}

class Multiplier {
  // Holds the packed kernels of all convolutions and dense layers in one memory.
  constructor(kernels) {
    let floats = 0, widest = 0, tallest = 0;
    for (const { shape } of kernels) {
      const [outputs, k] = sidesOf(shape), rows = Math.ceil(outputs / 4) * 4;
      floats += rows * k;
      widest = Math.max(widest, k * columnsOf(k));
      tallest = Math.max(tallest, rows * columnsOf(k));
    }
    this.b = floats;
    this.c = floats + widest;
    const pages = Math.ceil((4 * (this.c + tallest)) / 65536) + 1;
    const memory = new WebAssembly.Memory({ initial: pages });
    this.floats = new Float32Array(memory.buffer);
    this.places = new Map();
    let at = 0;
    for (const kernel of kernels) {
      this.places.set(kernel, at);
      at += this.pack(kernel, at);
    }
    try {
      const fused = productModule(true), isKnown = WebAssembly.validate(fused);
      const module = new WebAssembly.Module(isKnown ? fused : productModule(false));
      this.run = new WebAssembly.Instance(module, { e: { m: memory } }).exports.multiply;
      this.name = "WebAssembly";
    } catch (error) {
      if (!(error instanceof WebAssembly.CompileError)) throw error;
      this.run = (...all) => multiplyPlainly(this.floats, ...all);
      this.name = "JavaScript";
    }
  }

  pack({ shape, data }, at) {
    const [outputs, k] = sidesOf(shape), tiles = Math.ceil(outputs / 4);
    const [down, across] = shape.length === 2 ? [1, outputs] : [k, 1]; // dense: (k, outputs)
    for (let row = 0; row < outputs; row++) {
      let to = at + ((row >> 2) * k) * 4 + (row & 3);
      for (let i = 0, from = row * down; i < k; i++, from += across, to += 4) this.floats[to] = data[from];
    }
    return tiles * 4 * k;
  }
}

// -------------------------------------------------------------------------------- the operations

const sizeOf = (shape) => shape.reduce((product, side) => product * side, 1);
const stepsOf = (shape) => shape.map((_side, axis) => sizeOf(shape.slice(axis + 1)));
const one = (is, name, otherwise) => (is[name] === undefined ? otherwise : is[name]);

function erf(x) {
  // Abramowitz and Stegun 7.1.26 is too coarse; a series near zero, a continued fraction beyond.
  const z = Math.abs(x);
  if (z > 6) return Math.sign(x);
  if (z < 2.5) {
    let term = x, sum = x;
    for (let n = 1; n < 60; n++) {
      term *= (-x * x) / n;
      const part = term / (2 * n + 1);
      sum += part;
      if (Math.abs(part) < 1e-12) break;
    }
    return 1.1283791670955126 * sum;
  }
  let fraction = 0;
  for (let n = 30; n > 0; n--) fraction = n / 2 / (z + fraction);
  return Math.sign(x) * (1 - Math.exp(-z * z) / ((z + fraction) * 1.7724538509055159));
}

function clip(from, to, low, high) {
  // a loop of its own, without branches: it follows nearly every convolution
  for (let i = 0; i < to.length; i++) to[i] = Math.min(Math.max(from[i], low), high);
}

const UNARY = {
  Sigmoid: () => (x) => 1 / (1 + Math.exp(-x)),
  HardSwish: () => (x) => x * Math.max(0, Math.min(1, x / 6 + 0.5)),
  Sqrt: () => Math.sqrt,
  Erf: () => erf,
};
const BOUNDS = {
  Relu: () => [0, Infinity],
  Clip: (low, high) => [low, high],
};
const BINARY = {
  Add: (x, y) => x + y,
  Sub: (x, y) => x - y,
  Mul: (x, y) => x * y,
  Div: (x, y) => x / y,
};

// The same for many values at a time where a kind is met on large maps: `y` is one value, or as many.
const ALONG = {
  Add: (x, u, y, out, at, n) => { for (let i = 0; i < n; i++) out[at + i] = x[u + i] + y; },
  Mul: (x, u, y, out, at, n) => { for (let i = 0; i < n; i++) out[at + i] = x[u + i] * y; },
};
const EACH = {
  Add: (x, y, out) => { for (let i = 0; i < out.length; i++) out[i] = x[i] + y[i]; },
  Mul: (x, y, out) => { for (let i = 0; i < out.length; i++) out[i] = x[i] * y[i]; },
};

function combine(kind, left, right, make) {
  const act = BINARY[kind], along = ALONG[kind];
  const rank = Math.max(left.shape.length, right.shape.length);
  const padded = (shape) => [...new Array(rank - shape.length).fill(1), ...shape];
  const a = padded(left.shape), b = padded(right.shape);
  const shape = a.map((side, axis) => Math.max(side, b[axis]));
  const result = make(shape), out = result.data, x = left.data, y = right.data;
  if (x.length === out.length && y.length === out.length) {
    if (kind in EACH) EACH[kind](x, y, out);
    else for (let i = 0; i < out.length; i++) out[i] = act(x[i], y[i]);
  } else if (x.length === out.length && y.length === 1) {
    if (along) along(x, 0, y[0], out, 0, out.length);
    else for (let i = 0; i < out.length; i++) out[i] = act(x[i], y[0]);
  } else {
    const strides = (sides) => {
      const found = new Array(rank).fill(0);
      for (let axis = rank - 1, step = 1; axis >= 0; axis--) {
        found[axis] = sides[axis] === 1 ? 0 : step;
        step *= sides[axis];
      }
      return [...new Array(4 - rank).fill(0), ...found];
    };
    const [p, q] = [strides(a), strides(b)];
    const [n, c, h, w] = [...new Array(4 - rank).fill(1), ...shape];
    let at = 0;
    for (let i = 0; i < n; i++) for (let j = 0; j < c; j++) for (let k = 0; k < h; k++) {
      let u = i * p[0] + j * p[1] + k * p[2], v = i * q[0] + j * q[1] + k * q[2];
      if (along && p[3] === 1 && q[3] === 0) {
        along(x, u, y[v], out, at, w);
        at += w;
      } else for (let l = 0; l < w; l++, u += p[3], v += q[3]) out[at++] = act(x[u], y[v]);
    }
  }
  return result;
}

function convolve(network, node, [input, kernel, bias], make) {
  const [, channels, height, width] = input.shape, [filters, , kh, kw] = kernel.shape;
  const [sh, sw] = one(node.is, "strides", [1, 1]), [dh, dw] = one(node.is, "dilations", [1, 1]);
  const [top, left, bottom, right] = one(node.is, "pads", [0, 0, 0, 0]);
  const group = one(node.is, "group", 1);
  const rows = Math.floor((height + top + bottom - dh * (kh - 1) - 1) / sh) + 1;
  const columns = Math.floor((width + left + right - dw * (kw - 1) - 1) / sw) + 1;
  const result = make([1, filters, rows, columns]);
  const [low, high] = node.bounds || [-Infinity, Infinity];
  const how = { kh, kw, sh, sw, dh, dw, top, left, rows, columns, low, high };
  if (group === 1) convolveDensely(network, input, kernel, bias, result, how);
  else if (kernel.shape[1] === 1) {
    convolveByChannel(input, kernel, bias, result, { ...how, each: filters / channels });
  } else throw new Error("This kind of convolution is not known here.");
  return result;
}

function convolveDensely(network, input, kernel, bias, result, how) {
  const { multiplier } = network, { floats, b, c } = multiplier;
  const [filters, channels, kh, kw] = kernel.shape, k = channels * kh * kw;
  const places = how.rows * how.columns, tiles = Math.ceil(filters / 4), step = columnsOf(k);
  const at = multiplier.places.get(kernel), out = result.data, { low, high } = how;
  for (let first = 0; first < places; first += step) {
    const n = Math.min(step, places - first), panels = Math.ceil(n / 8);
    spread(input, floats, b, first, n, k, how);
    multiplier.run(4 * at, 4 * b, 4 * c, k, tiles, panels, 4 * step);
    for (let filter = 0; filter < filters; filter++) {
      const plus = bias ? bias.data[filter] : 0;
      let from = c + filter * step, to = filter * places + first;
      for (let i = 0; i < n; i++) out[to++] = Math.min(Math.max(floats[from++] + plus, low), high);
    }
  }
}

function spread(input, floats, b, first, n, k, how) {
  // The values under the kernel at `n` places, as columns packed by eights.
  const [, channels, height, width] = input.shape, x = input.data, size = height * width;
  const taps = how.kh * how.kw, offsets = new Int32Array(8 * taps), isRun = new Uint8Array(taps);
  for (let q = 0, to = b; q < n; q += 8) {
    place(offsets, isRun, first + q, Math.min(8, n - q), height, width, how);
    for (let channel = 0; channel < channels; channel++) {
      const plane = channel * size;
      for (let tap = 0; tap < taps; tap++) {
        const at = 8 * tap;
        if (isRun[tap]) {
          const from = plane + offsets[at];
          floats[to] = x[from];
          floats[to + 1] = x[from + 1];
          floats[to + 2] = x[from + 2];
          floats[to + 3] = x[from + 3];
          floats[to + 4] = x[from + 4];
          floats[to + 5] = x[from + 5];
          floats[to + 6] = x[from + 6];
          floats[to + 7] = x[from + 7];
        } else {
          for (let l = 0; l < 8; l++) {
            const offset = offsets[at + l];
            floats[to + l] = offset < 0 ? 0 : x[plane + offset];
          }
        }
        to += 8;
      }
    }
  }
}

function place(offsets, isRun, first, n, height, width, how) {
  // Where in a plane eight neighbouring places have each value of the kernel, -1 for none; and
  // whether the eight follow one another.
  const { kh, kw, sh, sw, dh, dw, top, left, columns } = how;
  offsets.fill(-1);
  for (let l = 0; l < n; l++) {
    const row = Math.floor((first + l) / columns), column = first + l - row * columns;
    for (let i = 0, tap = l; i < kh; i++) {
      const y = row * sh - top + i * dh;
      for (let j = 0; j < kw; j++, tap += 8) {
        const u = column * sw - left + j * dw;
        if (y >= 0 && y < height && u >= 0 && u < width) offsets[tap] = y * width + u;
      }
    }
  }
  for (let tap = 0; tap < isRun.length; tap++) {
    const at = 8 * tap;
    let l = 0;
    while (l < 8 && offsets[at + l] >= 0 && offsets[at + l] === offsets[at] + l) l++;
    isRun[tap] = l === 8 ? 1 : 0;
  }
}

function convolveByChannel(input, kernel, bias, result, how) {
  const [, , height, width] = input.shape, [filters, , kh, kw] = kernel.shape;
  const { sh, sw, dh, dw, top, left, rows, columns, each, low, high } = how;
  const across = (columns - 1) * sw + dw * (kw - 1) + 1, down = (rows - 1) * sh + dh * (kh - 1) + 1;
  const wide = Math.max(across, left + width), framed = new Float32Array(Math.max(down, top + height) * wide);
  const size = rows * columns, w = kernel.data, sums = new Float64Array(columns), isThree = kh === 3 && kw === 3;
  for (let filter = 0; filter < filters; filter++) {
    if (filter % each === 0) { // the plane within its border of zeros
      const plane = (filter / each) * height * width;
      for (let y = 0; y < height; y++) {
        const from = plane + y * width;
        framed.set(input.data.subarray(from, from + width), (top + y) * wide + left);
      }
    }
    const out = result.data.subarray(filter * size, (filter + 1) * size);
    const plus = bias ? bias.data[filter] : 0, first = filter * kh * kw;
    for (let row = 0, to = 0; row < rows; row++, to += columns) {
      const from = row * sh * wide;
      if (isThree) {
        addNine(out, to, columns, framed, from, wide * dh, sw, dw, w, first, plus, low, high);
        continue;
      }
      sums.fill(plus);
      for (let i = 0; i < kh; i++) for (let j = 0; j < kw; j++) {
        addOne(sums, framed, from + i * dh * wide + j * dw, sw, w[first + i * kw + j]);
      }
      for (let column = 0; column < columns; column++) {
        out[to + column] = Math.min(Math.max(sums[column], low), high);
      }
    }
  }
}

function multiplyTokens(network, input, kernel, make) {
  // Each token by the same kernel: a convolution of places that are not in rows, channels last.
  const { multiplier } = network, { floats, b, c } = multiplier;
  const [k, outputs] = kernel.shape, tokens = input.data.length / k;
  const result = make([...input.shape.slice(0, -1), outputs]), x = input.data, out = result.data;
  const at = multiplier.places.get(kernel), tiles = Math.ceil(outputs / 4), step = columnsOf(k);
  for (let first = 0; first < tokens; first += step) {
    const n = Math.min(step, tokens - first);
    for (let q = 0, from = first * k; q < n; q++) {
      let to = b + (q >> 3) * k * 8 + (q & 7);
      for (let row = 0; row < k; row++, to += 8) floats[to] = x[from++];
    }
    multiplier.run(4 * at, 4 * b, 4 * c, k, tiles, Math.ceil(n / 8), 4 * step);
    for (let row = 0; row < outputs; row++) {
      let from = c + row * step, to = first * outputs + row;
      for (let i = 0; i < n; i++, to += outputs) out[to] = floats[from++];
    }
  }
  return result;
}

function multiplyPairs(left, right, make) {
  // The last two axes as matrices, as many pairs as the axes before name.
  const [rows, k] = left.shape.slice(-2), columns = right.shape[right.shape.length - 1];
  const result = make([...left.shape.slice(0, -1), columns]), out = result.data.fill(0);
  const pairs = out.length / (rows * columns), x = left.data, y = right.data;
  for (let pair = 0; pair < pairs; pair++) {
    for (let row = 0; row < rows; row++) {
      const to = (pair * rows + row) * columns;
      for (let i = 0; i < k; i++) {
        const value = x[(pair * rows + row) * k + i];
        let from = (pair * k + i) * columns;
        for (let column = 0; column < columns; column++) out[to + column] += value * y[from++];
      }
    }
  }
  return result;
}

function addNine(out, to, n, x, from, below, step, apart, w, at, plus, low, high) {
  // A row of a kernel of three by three, which nearly all are.
  const a = w[at], b = w[at + 1], c = w[at + 2], d = w[at + 3], e = w[at + 4], f = w[at + 5];
  const g = w[at + 6], h = w[at + 7], k = w[at + 8], further = 2 * apart;
  for (let i = 0; i < n; i++, from += step) {
    const second = from + below, third = second + below;
    const sum = plus + (a * x[from] + b * x[from + apart] + c * x[from + further])
      + (d * x[second] + e * x[second + apart] + f * x[second + further])
      + (g * x[third] + h * x[third + apart] + k * x[third + further]);
    out[to + i] = Math.min(Math.max(sum, low), high);
  }
}

function addOne(sums, x, from, step, w) {
  const n = sums.length;
  for (let i = 0; i < n; i++, from += step) sums[i] += w * x[from];
}

function pool(node, input, make, largest) {
  const [, channels, height, width] = input.shape, [kh, kw] = node.is.kernel_shape;
  const [sh, sw] = one(node.is, "strides", [1, 1]);
  const [top, left, bottom, right] = one(node.is, "pads", [0, 0, 0, 0]);
  const rows = Math.floor((height + top + bottom - kh) / sh) + 1;
  const columns = Math.floor((width + left + right - kw) / sw) + 1;
  const result = make([1, channels, rows, columns]);
  let at = 0;
  for (let channel = 0; channel < channels; channel++) {
    const plane = channel * height * width;
    for (let row = 0; row < rows; row++) for (let column = 0; column < columns; column++) {
      let most = -Infinity, sum = 0, count = 0;
      for (let y = Math.max(0, row * sh - top); y < Math.min(height, row * sh - top + kh); y++) {
        for (let u = Math.max(0, column * sw - left); u < Math.min(width, column * sw - left + kw); u++) {
          const value = input.data[plane + y * width + u];
          if (value > most) most = value;
          sum += value;
          count++;
        }
      }
      result.data[at++] = largest ? most : sum / count;
    }
  }
  return result;
}

function windowOf(input, starts, shape, make) {
  // A part of a map, or the map with zeros around it: rows and columns begin at `starts`.
  const [, channels, height, width] = input.shape, result = make(shape);
  const [, , rows, columns] = shape, [y0, x0] = starts;
  result.data.fill(0);
  for (let channel = 0; channel < channels; channel++) for (let row = 0; row < rows; row++) {
    const y = row + y0;
    if (y < 0 || y >= height) continue;
    for (let column = Math.max(0, -x0); column < Math.min(columns, width - x0); column++) {
      result.data[(channel * rows + row) * columns + column] =
        input.data[(channel * height + y) * width + column + x0];
    }
  }
  return result;
}

const OPERATIONS = {
  Conv: (network, node, inputs, make) => convolve(network, node, inputs, make),
  MaxPool: (network, node, [input], make) => pool(node, input, make, true),
  AveragePool: (network, node, [input], make) => pool(node, input, make, false),
  ReduceMean: (network, node, [input], make) => {
    const [, channels, height, width] = input.shape, places = height * width;
    if (node.is.axes.length === 1) { // over the channels of each place
      const result = make([1, 1, height, width]);
      result.data.fill(0);
      for (let channel = 0; channel < channels; channel++) {
        for (let i = 0; i < places; i++) result.data[i] += input.data[channel * places + i] / channels;
      }
      return result;
    }
    const result = make(one(node.is, "keepdims", 1) ? [1, channels, 1, 1] : [1, channels]);
    for (let channel = 0; channel < channels; channel++) {
      let sum = 0;
      for (let i = 0; i < places; i++) sum += input.data[channel * places + i];
      result.data[channel] = sum / places;
    }
    return result;
  },
  MatMul: (network, node, [input, kernel], make) => {
    if (kernel.shape.length > 2) return multiplyPairs(input, kernel, make);
    if (input.shape.length > 2) return multiplyTokens(network, input, kernel, make);
    const [inputs, outputs] = kernel.shape, sums = new Float64Array(outputs);
    for (let i = 0; i < inputs; i++) {
      const value = input.data[i];
      if (value !== 0) {
        for (let j = 0, at = i * outputs; j < outputs; j++, at++) sums[j] += value * kernel.data[at];
      }
    }
    const result = make([1, outputs]);
    result.data.set(sums);
    return result;
  },
  Softmax: (network, node, [input], make) => {
    const result = make(input.shape), side = input.shape[input.shape.length - 1];
    for (let at = 0; at < input.data.length; at += side) {
      const values = input.data.subarray(at, at + side);
      const most = values.reduce((a, b) => Math.max(a, b), -Infinity);
      const powers = Array.from(values, (value) => Math.exp(value - most));
      const sum = powers.reduce((total, power) => total + power, 0);
      result.data.set(powers.map((power) => power / sum), at);
    }
    return result;
  },
  LayerNormalization: (network, node, [input, scale, shift], make) => {
    const result = make(input.shape), side = input.shape[input.shape.length - 1];
    for (let at = 0; at < input.data.length; at += side) {
      const values = input.data.subarray(at, at + side);
      const mean = values.reduce((a, b) => a + b, 0) / side;
      const spread = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / side;
      const factor = 1 / Math.sqrt(spread + one(node.is, "epsilon", 1e-5));
      for (let i = 0; i < side; i++) {
        const value = (values[i] - mean) * factor * scale.data[i];
        result.data[at + i] = shift ? value + shift.data[i] : value;
      }
    }
    return result;
  },
  Concat: (network, node, inputs, make) => {
    const { axis } = node.is, shape = [...inputs[0].shape];
    shape[axis] = inputs.reduce((sum, input) => sum + input.shape[axis], 0);
    const result = make(shape), before = sizeOf(shape.slice(0, axis));
    let at = 0;
    for (let i = 0; i < before; i++) {
      for (const { data } of inputs) {
        const size = data.length / before;
        result.data.set(data.subarray(i * size, (i + 1) * size), at);
        at += size;
      }
    }
    return result;
  },
  Gather: (network, node, [input, order], make) => {
    const result = make(input.shape), plane = sizeOf(input.shape.slice(2));
    order.data.forEach((from, to) => {
      result.data.set(input.data.subarray(from * plane, (from + 1) * plane), to * plane);
    });
    return result;
  },
  Pad: (network, node, [input, amounts], make) => {
    if (input.shape.length === 3) { // tokens of zeros before and after the others
      const [, tokens, width] = input.shape, [, before, , , after] = amounts.data;
      const result = make([1, before + tokens + after, width]);
      result.data.fill(0).set(input.data, before * width);
      return result;
    }
    const [, channels, height, width] = input.shape, [, , top, left, , , bottom, right] = amounts.data;
    const shape = [1, channels, height + top + bottom, width + left + right];
    return windowOf(input, [-top, -left], shape, make);
  },
  Slice: (network, node, [input, starts, ends], make) => {
    if (input.shape.length === 3) { // some of the tokens
      const [, , width] = input.shape, [first] = starts.data, [end] = ends.data;
      const result = make([1, end - first, width]);
      result.data.set(input.data.subarray(first * width, end * width));
      return result;
    }
    const [y0, x0] = starts.data, [y1, x1] = ends.data;
    return windowOf(input, [y0, x0], [1, input.shape[1], y1 - y0, x1 - x0], make);
  },
  Transpose: (network, node, [input], make) => {
    const { perm } = node.is, result = make(perm.map((axis) => input.shape[axis]));
    const steps = stepsOf(input.shape), from = perm.map((axis) => steps[axis]), to = result.shape;
    const last = to.length - 1, step = from[last], x = input.data, out = result.data;
    const place = new Array(last).fill(0);
    for (let at = 0, start = 0; at < out.length;) {
      for (let i = 0, u = start; i < to[last]; i++, u += step) out[at++] = x[u];
      for (let axis = last - 1; axis >= 0; axis--) {
        start += from[axis];
        if (++place[axis] < to[axis]) break;
        start -= from[axis] * to[axis];
        place[axis] = 0;
      }
    }
    return result;
  },
};
const SAME_VALUES = {
  Identity: (shape) => shape,
  Unsqueeze: (shape) => [...shape, 1, 1],
  Reshape: (shape, wanted) => wanted.data.map((side, axis) => side || shape[axis]),
};

// ----------------------------------------------------------------------------------- the network

class Network {
  // Args: the bytes of model.onnx.
  constructor(buffer) {
    this.graph = readModel(buffer);
    const { nodes, constants } = this.graph;
    const packed = (node) => (node.kind === "Conv" && one(node.is, "group", 1) === 1) || node.kind === "MatMul";
    const kernels = nodes.filter(packed).map((node) => constants.get(node.inputs[1]));
    this.multiplier = new Multiplier([...new Set(kernels.filter((kernel) => kernel))]);
    this.free = new Map(); // floats -> arrays that may be used again
    this.plan();
  }

  get runtime() {
    return this.multiplier.name;
  }

  plan() {
    // After which node nobody reads a value any more; a reshaped value is the same value.
    const { nodes, output } = this.graph, owner = new Map(), last = new Map();
    const ownerOf = (name) => owner.get(name) || name;
    this.bindBounds();
    nodes.forEach((node, place) => {
      if (!this.isKnown(node.kind)) throw new Error(`The operation ${node.kind} is not known here.`);
      for (const name of node.inputs) last.set(ownerOf(name), place);
      if (node.kind in SAME_VALUES || node.isDone) owner.set(node.outputs[0], ownerOf(node.inputs[0]));
    });
    last.delete(ownerOf(output));
    this.done = nodes.map(() => []);
    for (const [name, place] of last) this.done[place].push(name);
  }

  bindBounds() {
    // What only bounds the values of a convolution is done as these are written.
    const { nodes, constants, output } = this.graph, readers = new Map(), makers = new Map();
    for (const node of nodes) {
      for (const name of node.inputs) readers.set(name, (readers.get(name) || 0) + 1);
      if (node.kind === "Conv") makers.set(node.outputs[0], node);
    }
    for (const node of nodes) {
      const [name, ...limits] = node.inputs, maker = makers.get(name);
      if (!(node.kind in BOUNDS) || !maker || readers.get(name) !== 1 || name === output) continue;
      if (!limits.every((limit) => constants.has(limit))) continue;
      maker.bounds = BOUNDS[node.kind](...limits.map((limit) => constants.get(limit).data[0]));
      node.isDone = true;
    }
  }

  isKnown(kind) {
    return kind in OPERATIONS || kind in SAME_VALUES || kind in UNARY || kind in BINARY || kind in BOUNDS;
  }

  make(shape) {
    const size = sizeOf(shape), arrays = this.free.get(size);
    return { shape, data: arrays && arrays.length ? arrays.pop() : new Float32Array(size) };
  }

  // pixels: Float32Array of size * size * 3 in [0, 255]; returns one probability for each class.
  // `pooled` then holds the features that the head got, null where the network has no such.
  ask(pixels, size) {
    const { nodes, constants, output } = this.graph, values = new Map();
    this.pooled = null;
    const make = (shape) => this.make(shape);
    values.set("photo", { shape: [1, size, size, 3], data: pixels });
    nodes.forEach((node, place) => {
      const inputs = node.inputs.map((name) => values.get(name) || constants.get(name));
      const value = this.compute(node, inputs, make);
      if (node.kind === "ReduceMean" && value.shape.length === 2) this.pooled = value.data.slice();
      values.set(node.outputs[0], value);
      for (const name of this.done[place]) {
        const unused = values.get(name);
        if (unused === undefined || name === "photo") continue;
        values.delete(name);
        const size_ = unused.data.length;
        if (!this.free.has(size_)) this.free.set(size_, []);
        this.free.get(size_).push(unused.data);
      }
    });
    return Array.from(values.get(output).data);
  }

  compute(node, inputs, make) {
    const { kind } = node;
    if (node.isDone) return inputs[0];
    if (kind in SAME_VALUES) {
      return { shape: SAME_VALUES[kind](inputs[0].shape, inputs[1]), data: inputs[0].data };
    }
    if (kind in BINARY) {
      const [left, right] = inputs, turned = left.data.length < right.data.length;
      if (turned && (kind === "Add" || kind === "Mul")) return combine(kind, right, left, make);
      return combine(kind, left, right, make);
    }
    if (kind in BOUNDS) {
      const [low, high] = BOUNDS[kind](...inputs.slice(1).map(({ data }) => data[0]));
      const result = make(inputs[0].shape);
      clip(inputs[0].data, result.data, low, high);
      return result;
    }
    if (kind in UNARY) {
      const act = UNARY[kind](...inputs.slice(1).map(({ data }) => data[0]));
      const result = make(inputs[0].shape), from = inputs[0].data, to = result.data;
      for (let i = 0; i < to.length; i++) to[i] = act(from[i]);
      return result;
    }
    return OPERATIONS[kind](this, node, inputs, make);
  }
}

// In a worker: the model comes first, then photos; each is answered with its probabilities.
if (typeof WorkerGlobalScope !== "undefined" && typeof importScripts === "function") {
  let network = null;
  self.onmessage = ({ data }) => {
    try {
      if (data.model) {
        network = new Network(data.model);
        self.postMessage({ id: data.id, runtime: network.runtime });
      } else {
        const began = performance.now();
        const shares = network.ask(data.pixels, data.size);
        const took = performance.now() - began;
        self.postMessage({ id: data.id, shares, pooled: network.pooled, took_ms: took });
      }
    } catch (error) {
      self.postMessage({ id: data.id, error: String(error.message || error) });
    }
  };
}
if (typeof module !== "undefined") module.exports = { Network };
