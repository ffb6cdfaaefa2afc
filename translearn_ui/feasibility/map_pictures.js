// The photo under the pointer, beside the points of a chart of plotly.
const WAIT_MS = 60;
const LOOK_EVERY_MS = 500; // for a chart that was drawn anew

const shown = new Map(); // path -> address of its picture

function card() {
  const element = document.createElement("div");
  element.className = "tl-map-photo";
  element.hidden = true;
  element.append(document.createElement("img"));
  element.firstChild.alt = "";
  document.body.append(element);
  return element;
}

/** The photos nearest to a point on the screen, the nearest first. */
function nearest(plot, x, y, most) {
  const { xaxis, yaxis } = plot._fullLayout;
  const found = [];
  for (const trace of plot._fullData) {
    (trace.customdata || []).forEach((one, place) => {
      if (shown.has(one[0])) return;
      const dx = xaxis.d2p(trace.x[place]) - x, dy = yaxis.d2p(trace.y[place]) - y;
      found.push([dx * dx + dy * dy, one[0]]);
    });
  }
  return found.sort((one, other) => one[0] - other[0]).slice(0, most).map((one) => one[1]);
}

class Watch {
  constructor() {
    this.card = card();
    this.over = null; // the point under the pointer
    this.timer = setInterval(() => this.attach(), LOOK_EVERY_MS);
  }

  take({ data, setStateValue }) {
    Object.assign(this, { data, setStateValue });
    for (const [path, picture] of Object.entries(data.pictures)) shown.set(path, picture);
    this.attach();
    this.draw();
  }

  attach() {
    const plot = document.querySelector(`.st-key-${this.data?.chart} .js-plotly-plot`);
    if (!plot || !plot.on || plot === this.plot) return;
    this.plot = plot;
    plot.on("plotly_hover", (event) => this.enter(event));
    plot.on("plotly_unhover", () => this.leave());
  }

  enter({ points, event }) {
    const point = points.find((one) => one.customdata);
    if (!point || matchMedia("(hover: none)").matches) return;
    const { xaxis, yaxis } = point;
    const at = { x: xaxis.d2p(point.x), y: yaxis.d2p(point.y) };
    this.over = { path: point.customdata[0], left: event.clientX, top: event.clientY };
    this.draw();
    clearTimeout(this.asking);
    if (shown.has(this.over.path)) return;
    this.asking = setTimeout(() => {
      this.setStateValue("asked", nearest(this.plot, at.x, at.y, this.data.most));
    }, WAIT_MS);
  }

  leave() {
    this.over = null;
    this.draw();
  }

  draw() {
    const picture = this.over && shown.get(this.over.path);
    this.card.hidden = !picture;
    if (!picture) return;
    this.card.firstChild.src = picture;
    const side = 176;
    const left = this.over.left + 24 + side > innerWidth ? this.over.left - 24 - side : this.over.left + 24;
    const top = this.over.top - side - 16 < 0 ? this.over.top + 24 : this.over.top - side - 16;
    this.card.style.left = `${Math.max(4, left)}px`;
    this.card.style.top = `${top}px`;
  }

  end() {
    clearInterval(this.timer);
    clearTimeout(this.asking);
    this.card.remove();
  }
}

const watches = new WeakMap();

export default function (component) {
  const { parentElement } = component;
  if (!watches.has(parentElement)) watches.set(parentElement, new Watch());
  watches.get(parentElement).take(component);
  return () => {
    watches.get(parentElement)?.end();
    watches.delete(parentElement);
  };
}
