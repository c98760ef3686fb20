"use strict";
// The page reads well without this. It adds the theme button, folds the contents on small screens, unfolds everything on
// paper, and lets one move about in the maps of words. What is text is only ever set as text, never as markup.

const STILL = matchMedia("(prefers-reduced-motion: reduce)");

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function drawn(name, attributes = {}) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function themeButton() {
  const button = document.getElementById("theme");
  const themes = ["auto", "light", "dark"];
  let place = 0;
  button.hidden = false;
  button.addEventListener("click", () => {
    place = (place + 1) % themes.length;
    if (place) document.documentElement.dataset.theme = themes[place];
    else delete document.documentElement.dataset.theme;
    button.textContent = `Theme: ${themes[place]}`;
  });
}

function contents() {
  const details = document.getElementById("contents");
  const roomy = matchMedia("(min-width: 75rem)");
  const fold = () => { details.open = roomy.matches; };
  roomy.addEventListener("change", fold);
  fold();
  details.addEventListener("click", (event) => {
    if (event.target.closest("a")) fold();
  });
  const links = new Map([...details.querySelectorAll("a")].map((link) => [link.hash.slice(1), link]));
  const inView = new Set();
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting) inView.add(entry.target.id);
      else inView.delete(entry.target.id);
    }
    const current = [...links.keys()].find((id) => inView.has(id));
    for (const [id, link] of links) {
      if (id === current) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }, { rootMargin: "-15% 0px -60% 0px" });
  for (const section of document.querySelectorAll("main > section")) watcher.observe(section);
}

function unfoldOnPaper() {
  const opened = [];
  const unfold = () => {
    for (const details of document.querySelectorAll("details.folded:not([open])")) {
      details.open = true;
      opened.push(details);
    }
  };
  const fold = () => { for (const details of opened.splice(0)) details.open = false; };
  addEventListener("beforeprint", unfold);
  addEventListener("afterprint", fold);
  matchMedia("print").addEventListener("change", (event) => (event.matches ? unfold() : fold()));
}

const STEPS = 10000; // places along the longer side
const MARGIN = 0.05; // of the view, around all words
const CLOSEST = 100; // times as near as when all is seen
const LABELS = 250;
const LABEL_HEIGHT = 15;
const LONGEST = 28; // characters of a word, where there is no room for more
const BUTTONS = { width: 58, height: 146 }; // the corner that they cover
const FOUND = 8; // suggestions

function shortened(word) {
  const letters = [...word];
  return letters.length > LONGEST ? `${letters.slice(0, LONGEST).join("")}…` : word;
}

class WordMap {
  constructor(figure) {
    this.data = JSON.parse(figure.querySelector('script[type="application/json"]').textContent);
    const part = (name) => figure.querySelector(`.map-${name}`);
    this.body = part("body");
    this.plot = part("plot");
    this.panel = part("panel");
    this.message = part("message");
    this.layers = { links: part("links"), points: part("points"), marks: part("marks"), labels: part("labels") };
    this.places = new Map(this.data.words.map((word, place) => [word, place])); // a Map: any string may be a word
    this.chosen = new Set(this.data.chosen);
    this.kept = null; // the word that was clicked, or looked for
    this.pointed = null; // the word under the mouse
    this.last = null; // the word that the panel shows when there is neither
    this.view = { x: STEPS / 2, y: STEPS / 2, zoom: 1 };
    this.width = this.height = 0;
    this.body.hidden = false;
    this.centre();
    this.drawPoints();
    this.labelsOf = new Labels(this);
    new ResizeObserver(() => this.resize()).observe(this.plot);
    this.resize();
    this.showPanel();
    new Search(this, figure.querySelector("input"), figure.querySelector('[role="listbox"]'));
    this.listenToPointers();
    this.listenToKeys(part("buttons"));
  }

  // Where things are: a word has a place on the map, the view says which place is in its middle and how near it is.

  centre() {
    const { x, y } = this.data;
    const most = (numbers) => numbers.reduce((most, number) => Math.max(most, number), 0);
    this.extent = { x: most(x), y: most(y) };
    this.whole = { x: this.extent.x / 2, y: this.extent.y / 2, zoom: 1 };
    this.view = { ...this.whole };
  }

  get scale() {
    const across = Math.min(this.width / (this.extent.x || STEPS), this.height / (this.extent.y || STEPS));
    return across * (1 - 2 * MARGIN) * this.view.zoom;
  }

  toScreen(place) {
    return [
      (this.data.x[place] - this.view.x) * this.scale + this.width / 2,
      (this.data.y[place] - this.view.y) * this.scale + this.height / 2,
    ];
  }

  nearest(x, y, within) {
    const scale = this.scale;
    const atX = (x - this.width / 2) / scale + this.view.x;
    const atY = (y - this.height / 2) / scale + this.view.y;
    let best = null;
    let least = (within / scale) ** 2;
    for (let place = 0; place < this.data.words.length; place++) {
      const distance = (this.data.x[place] - atX) ** 2 + (this.data.y[place] - atY) ** 2;
      if (distance < least) [best, least] = [place, distance];
    }
    return best;
  }

  look({ x, y, zoom }) {
    const within = (number, least, most) => Math.min(most, Math.max(least, number));
    this.view = { x: within(x, 0, this.extent.x), y: within(y, 0, this.extent.y), zoom: within(zoom, 1, CLOSEST) };
    this.draw();
  }

  zoomAt(factor, x = this.width / 2, y = this.height / 2) {
    this.stopFlight();
    const before = this.scale;
    const zoom = Math.min(CLOSEST, Math.max(1, this.view.zoom * factor));
    const after = (before * zoom) / this.view.zoom;
    const [right, down] = [x - this.width / 2, y - this.height / 2];
    this.look({
      x: this.view.x + right / before - right / after, // so that what is under the pointer stays there
      y: this.view.y + down / before - down / after,
      zoom,
    });
  }

  pan(right, down) {
    this.stopFlight();
    this.look({ x: this.view.x - right / this.scale, y: this.view.y - down / this.scale, zoom: this.view.zoom });
  }

  flyTo(goal) {
    this.stopFlight();
    if (STILL.matches) return this.look(goal);
    const from = { ...this.view };
    const begun = performance.now();
    const step = (now) => {
      const share = Math.min(1, Math.max(0, (now - begun) / 450));
      const eased = share * share * (3 - 2 * share);
      const between = (a, b) => a + (b - a) * eased;
      this.look({
        x: between(from.x, goal.x),
        y: between(from.y, goal.y),
        zoom: from.zoom * (goal.zoom / from.zoom) ** eased,
      });
      this.flight = share < 1 ? requestAnimationFrame(step) : null;
    };
    this.flight = requestAnimationFrame(step);
  }

  stopFlight() {
    if (this.flight) cancelAnimationFrame(this.flight);
    this.flight = null;
  }

  goTo(place) {
    this.keep(place);
    this.flyTo({ x: this.data.x[place], y: this.data.y[place], zoom: Math.max(this.view.zoom, this.zoomFor(place)) });
  }

  zoomFor(place) {
    // So near that there are some fifty words around it, or nearer if its neighbours would lie on top of each other.
    const { x, y, words } = this.data;
    const usual = Math.max(1, Math.sqrt(words.length / 50));
    const away = this.neighboursOnMap(place).map((other) => Math.hypot(x[other] - x[place], y[other] - y[place]));
    const middle = away.sort((a, b) => a - b)[away.length >> 1];
    if (!middle) return usual;
    const wanted = Math.min(this.width, this.height) / 4 / (middle * (this.scale / this.view.zoom));
    return Math.min(usual * 4, Math.max(usual, wanted));
  }

  // What is drawn: the points once, after that only the transform of their group changes; labels with each frame.

  drawPoints() {
    const { words } = this.data;
    const points = words.map((_, place) => {
      const share = 1 - place / words.length; // of the words, those that are rarer
      const point = this.dot(place, this.chosen.has(place) ? "chosen" : "");
      point.setAttribute("stroke-width", (this.chosen.has(place) ? 9 : 3 + 5 * share ** 3).toFixed(1));
      point.setAttribute("stroke-opacity", (0.35 + 0.5 * share ** 2).toFixed(2));
      return point;
    });
    const rest = points.filter((_, place) => !this.chosen.has(place)).reverse(); // frequent words above rare ones
    this.layers.points.replaceChildren(...rest, ...this.data.chosen.map((place) => points[place]));
  }

  dot(place, name) {
    // A line of no length with round ends, whose width does not scale: as large however near one looks.
    const { x, y } = this.data;
    const point = drawn("path", { d: `M${x[place]} ${y[place]}h0`, "data-place": place });
    if (name) point.setAttribute("class", name);
    return point;
  }

  resize() {
    const box = this.plot.getBoundingClientRect();
    if (!box.width || (box.width === this.width && box.height === this.height)) return;
    [this.width, this.height] = [box.width, box.height];
    this.plot.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    this.draw();
  }

  draw() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = null;
      const { scale, view, layers } = this;
      const [x, y] = [this.width / 2 - view.x * scale, this.height / 2 - view.y * scale];
      const transform = `matrix(${scale} 0 0 ${scale} ${x} ${y})`;
      for (const layer of [layers.links, layers.points, layers.marks]) layer.setAttribute("transform", transform);
      this.labelsOf.draw();
    });
  }

  get shown() {
    return this.pointed ?? this.kept ?? this.last;
  }

  neighboursOnMap(place) {
    return this.data.neighbours[place].map(([name]) => this.data.places[name]).filter((other) => other >= 0);
  }

  keep(place) {
    this.kept = this.last = place;
    this.pointed = null;
    this.show();
    if (place === null) return;
    const near = this.data.neighbours[place].length;
    this.say(this.data.words[place], near
      ? `: ${this.neighboursOnMap(place).length} of its ${near} nearest words are on this map.`
      : ": its neighbours are not known.");
  }

  say(word, rest) {
    this.message.replaceChildren("“", element("bdi", { translate: "no" }, shortened(word)), `”${rest}`);
  }

  point(place) {
    if (place === this.pointed) return;
    this.pointed = place;
    if (place !== null && this.kept === null) this.last = place; // so that the mouse can leave for the panel
    this.show();
  }

  show() {
    const place = this.shown;
    const { links, marks } = this.layers;
    if (place === null) {
      links.replaceChildren();
      marks.replaceChildren();
    } else {
      const { x, y } = this.data;
      const near = this.neighboursOnMap(place);
      links.replaceChildren(...near.map((other) => drawn("line", { x1: x[place], y1: y[place], x2: x[other], y2: y[other] })));
      marks.replaceChildren(
        ...near.flatMap((other) => [this.dot(other, "rim"), this.dot(other, "near")]),
        this.dot(place, "shown-rim"), this.dot(place, "shown"),
      );
    }
    this.showPanel();
    this.draw();
  }

  showPanel() {
    const place = this.shown;
    if (place === null) {
      const hint = "Point at a word to see its neighbours; click or tap it to keep them. Drag to move. Click the map, then turn the wheel to zoom.";
      this.panel.replaceChildren(element("p", { class: "hint" }, hint));
      return;
    }
    const { words, counts, ranks, names, places, neighbours } = this.data;
    const about = [`rank ${(ranks ? ranks[place] : place + 1).toLocaleString("en")}`];
    if (counts) about.push(`occurs ${counts[place].toLocaleString("en")} ${counts[place] === 1 ? "time" : "times"}`);
    const list = element("ol", { "aria-label": "Nearest words and their cosines" });
    for (const [name, thousandths] of neighbours[place]) {
      const other = places[name]; // two words may look alike, cut or with an escape
      const word = element("bdi", { translate: "no" }, names[name]);
      const bar = element("i");
      bar.style.width = `${Math.max(0, thousandths / 10)}%`;
      list.append(element("li", {},
        other < 0 ? element("span", {}, word) : element("button", { type: "button", "data-place": other }, word),
        element("span", { class: "bar", "aria-hidden": "true" }, bar),
        element("span", { class: "cosine" }, (thousandths / 1000).toFixed(3))));
    }
    this.panel.replaceChildren(
      element("h4", { tabindex: "-1" }, element("bdi", { translate: "no" }, words[place])),
      element("p", { class: "about" }, about.join(" · ")), list);
  }

  // What one can do to it.

  listenToPointers() {
    const down = new Map(); // the pointers on it, and where they are
    let moved = false;
    const at = (event) => {
      const box = this.plot.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    const spread = () => {
      const [[x1, y1], [x2, y2]] = [...down.values()];
      return { x: (x1 + x2) / 2, y: (y1 + y2) / 2, apart: Math.hypot(x1 - x2, y1 - y2) || 1 };
    };
    this.plot.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      if (!down.size) moved = false;
      down.set(event.pointerId, at(event));
      if (down.size > 1) moved = true;
    });
    this.plot.addEventListener("pointermove", (event) => {
      if (!event.buttons) down.delete(event.pointerId); // it was let go outside
      const here = at(event);
      const was = down.get(event.pointerId);
      if (!was) {
        this.point(this.nearest(...here, 12));
        this.plot.classList.toggle("pointing", this.pointed !== null);
      } else if (down.size === 1) {
        if (!moved && Math.hypot(here[0] - was[0], here[1] - was[1]) < 4) return; // a hand trembles when it clicks
        if (!moved) this.plot.setPointerCapture(event.pointerId);
        moved = true;
        this.plot.classList.add("dragged");
        this.pan(here[0] - was[0], here[1] - was[1]);
        down.set(event.pointerId, here);
      } else {
        const before = spread();
        down.set(event.pointerId, here);
        const after = spread();
        this.pan(after.x - before.x, after.y - before.y);
        this.zoomAt(after.apart / before.apart, after.x, after.y);
      }
    });
    const end = (event) => {
      const click = event.type === "pointerup" && down.has(event.pointerId) && !moved;
      down.delete(event.pointerId);
      this.plot.classList.remove("dragged");
      if (click) this.keep(this.nearest(...at(event), event.pointerType === "mouse" ? 12 : 24));
    };
    this.plot.addEventListener("pointerup", end);
    this.plot.addEventListener("pointercancel", end);
    this.plot.addEventListener("pointerleave", () => this.point(null));
    this.plot.addEventListener("wheel", (event) => {
      // Without a key or a click before it, the wheel scrolls the page past the map.
      if (!event.ctrlKey && !event.metaKey && document.activeElement !== this.plot) return;
      event.preventDefault();
      const pixels = event.deltaY * [1, 16, this.height][event.deltaMode];
      this.zoomAt(Math.exp(-pixels * (event.ctrlKey && Math.abs(pixels) < 20 ? 0.01 : 0.002)), ...at(event));
    }, { passive: false });
    this.panel.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      this.goTo(Number(button.dataset.place));
      this.panel.querySelector("h4").focus({ preventScroll: true }); // the button is gone; Tab goes on to the neighbours
    });
  }

  listenToKeys(buttons) {
    const step = () => Math.min(this.width, this.height) / 6;
    const actions = {
      in: () => this.zoomAt(1.5),
      out: () => this.zoomAt(1 / 1.5),
      all: () => this.flyTo(this.whole),
      left: () => this.pan(step(), 0),
      right: () => this.pan(-step(), 0),
      up: () => this.pan(0, step()),
      down: () => this.pan(0, -step()),
      middle: () => this.keep(this.nearest(this.width / 2, this.height / 2, Infinity)),
      nothing: () => { this.last = null; this.keep(null); },
    };
    const keys = new Map(Object.entries({
      "+": "in", "=": "in", "-": "out", "_": "out", "0": "all", "Home": "all", "Enter": "middle", "Escape": "nothing",
      "ArrowLeft": "left", "ArrowRight": "right", "ArrowUp": "up", "ArrowDown": "down",
    }));
    this.plot.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !keys.has(event.key)) return;
      event.preventDefault();
      actions[keys.get(event.key)]();
    });
    buttons.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) actions[button.dataset.do]();
    });
  }
}

class Labels {
  // Names beside as many points as have room for them: first what is shown, then what was asked for, then frequent words.

  constructor(map) {
    this.map = map;
    this.pool = [];
    this.widths = new Map();
    this.ruler = document.createElement("canvas").getContext("2d");
    this.ruler.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    this.texts = map.data.words.map(shortened);
  }

  width(place, bold) {
    if (!this.widths.has(place)) this.widths.set(place, this.ruler.measureText(this.texts[place]).width);
    return this.widths.get(place) * (bold ? 1.1 : 1) + 2;
  }

  *order() {
    const { map } = this;
    const first = new Set();
    if (map.shown !== null) first.add(map.shown);
    if (map.kept !== null) first.add(map.kept);
    if (map.shown !== null) for (const place of map.neighboursOnMap(map.shown)) first.add(place);
    this.near = new Set(first);
    for (const place of map.data.chosen) first.add(place);
    yield* first;
    for (let place = 0; place < this.texts.length; place++) if (!first.has(place)) yield place;
  }

  draw() {
    const { map, pool } = this;
    const taken = new Taken();
    taken.add(map.width - BUTTONS.width, 0, map.width, BUTTONS.height);
    let used = 0;
    for (const place of this.order()) {
      const [x, y] = map.toScreen(place);
      if (x < 0 || y < 0 || x > map.width || y > map.height) continue;
      const bold = this.near.has(place);
      const width = this.width(place, bold);
      const away = place === map.shown ? 11 : 7;
      const corners = [
        [x + away, y - LABEL_HEIGHT / 2], [x - away - width, y - LABEL_HEIGHT / 2],
        [x - width / 2, y - away - LABEL_HEIGHT], [x - width / 2, y + away],
      ];
      const corner = corners.find(([left, top]) =>
        left >= 0 && left + width <= map.width && top >= 0 && top + LABEL_HEIGHT <= map.height
        && taken.isFree(left, top, left + width, top + LABEL_HEIGHT));
      if (!corner) continue;
      taken.add(corner[0], corner[1], corner[0] + width, corner[1] + LABEL_HEIGHT);
      const text = pool[used] ?? (pool[used] = map.layers.labels.appendChild(drawn("text")));
      used += 1;
      text.setAttribute("x", corner[0].toFixed(1));
      text.setAttribute("y", (corner[1] + LABEL_HEIGHT * 0.77).toFixed(1));
      text.setAttribute("class", place === map.shown ? "shown" : bold ? "near" : map.chosen.has(place) ? "chosen" : "");
      if (text.textContent !== this.texts[place]) text.textContent = this.texts[place];
      if (used === LABELS) break;
    }
    for (const text of pool.splice(used)) text.remove();
  }
}

class Taken {
  // Which rectangles are taken, by the cells of a coarse grid, so that each is compared with its surroundings only.

  constructor() { this.cells = new Map(); }

  *cellsOf(left, top, right, bottom) {
    for (let row = Math.floor(top / 32); row <= Math.floor(bottom / 32); row++) {
      for (let column = Math.floor(left / 64); column <= Math.floor(right / 64); column++) yield row * 4096 + column;
    }
  }

  isFree(left, top, right, bottom) {
    for (const cell of this.cellsOf(left, top, right, bottom)) {
      for (const other of this.cells.get(cell) ?? []) {
        if (left < other[2] && right > other[0] && top < other[3] && bottom > other[1]) return false;
      }
    }
    return true;
  }

  add(...box) {
    for (const cell of this.cellsOf(...box)) {
      if (!this.cells.has(cell)) this.cells.set(cell, []);
      this.cells.get(cell).push(box);
    }
  }
}

class Search {
  // A box to find a word by, with suggestions that the arrow keys move through.

  constructor(map, input, list) {
    Object.assign(this, { map, input, list, active: -1, options: [] });
    this.folded = map.data.words.map((word) => word.toLowerCase());
    input.addEventListener("input", () => this.suggest());
    input.addEventListener("focus", () => this.suggest());
    input.addEventListener("blur", () => this.close());
    input.addEventListener("keydown", (event) => this.key(event));
    list.addEventListener("pointerdown", (event) => event.preventDefault()); // or the box loses focus, and the list closes
    list.addEventListener("click", (event) => {
      const option = event.target.closest("li");
      if (option) this.take(Number(option.dataset.place));
    });
  }

  matches(typed) {
    const { words } = this.map.data;
    const folded = typed.toLowerCase();
    const found = [[], []]; // as it is written, and otherwise
    for (let place = 0; place < words.length && found[0].length < FOUND; place++) {
      if (words[place].startsWith(typed)) found[0].push(place);
      else if (found[1].length < FOUND && this.folded[place].startsWith(folded)) found[1].push(place);
    }
    const exact = this.map.places.get(typed); // a short rare word may stand behind many longer ones
    const others = [...found[0], ...found[1]].filter((place) => place !== exact);
    return (exact === undefined ? others : [exact, ...others]).slice(0, FOUND);
  }

  suggest() {
    const typed = this.input.value;
    this.active = -1;
    this.options = typed ? this.matches(typed) : [];
    this.list.replaceChildren(...this.options.map((place, number) => element(
      "li", { role: "option", id: `${this.list.id}-${number}`, "data-place": place, "aria-selected": "false" },
      element("bdi", {}, this.map.data.words[place]))));
    this.list.hidden = !this.options.length;
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
    this.input.removeAttribute("aria-activedescendant");
  }

  close() {
    this.list.hidden = true;
    this.active = -1;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }

  key(event) {
    if (event.isComposing) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (this.list.hidden) this.suggest();
      this.move(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Escape") {
      this.close();
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (this.active >= 0) this.take(this.options[this.active]);
      else this.find(this.input.value);
    }
  }

  move(by) {
    if (!this.options.length) return;
    this.active = (Math.max(this.active, by < 0 ? 0 : -1) + by + this.options.length) % this.options.length;
    [...this.list.children].forEach((option, number) => {
      option.setAttribute("aria-selected", String(number === this.active));
    });
    this.input.setAttribute("aria-activedescendant", this.list.children[this.active].id);
  }

  find(typed) {
    const { places, data } = this.map;
    const bare = typed.trim();
    if (!bare) return;
    const written = [typed, bare, bare.normalize("NFC")].find((word) => places.has(word));
    const place = written === undefined ? this.folded.indexOf(bare.toLowerCase()) : places.get(written);
    this.close();
    if (place >= 0) this.take(place);
    else this.map.say(bare, ` is not among the ${data.words.length.toLocaleString("en")} words of this map; --words and --top of w2v report add others.`);
  }

  take(place) {
    this.input.value = this.map.data.words[place];
    this.close();
    this.map.goTo(place);
  }
}

themeButton();
contents();
unfoldOnPaper();
for (const figure of document.querySelectorAll("figure.map")) new WordMap(figure);
