"use strict";
// Marks, clips and lists name a track by its key, in data-row. One clip plays at a time.
const data = JSON.parse(document.getElementById("data").textContent);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const one = (selector, root = document) => root.querySelector(selector);
const maps = all("svg.map");
const audio = new Audio();
let playing = null;
let chosen = null;

function make(tag, text = "", className = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  element.className = className;
  return element;
}

function nameOf(row) {
  const [title, artist] = data.tracks[row];
  return artist ? `${title} – ${artist}` : title;
}

// ---- clips: a spectrogram that plays

function dress(button) {
  const row = button.dataset.row;
  if (data.mels[row]) {
    const image = new Image(130, 128);
    image.src = `data:image/webp;base64,${data.mels[row]}`;
    image.alt = "";
    button.append(image);
  }
  button.disabled = !(row in data.clips);
  button.hidden = button.disabled && !data.mels[row];
  button.setAttribute("aria-label", (button.disabled ? "No audio: " : "Play ") + nameOf(row));
  button.addEventListener("click", () => play(row));
  return button;
}

function clipButton(row, className) {
  const button = make("button", "", `clip ${className}`);
  button.type = "button";
  button.dataset.row = row;
  return dress(button);
}

function stop() {
  audio.pause();
  all(".clip.playing").forEach((button) => button.classList.remove("playing"));
  playing = null;
}

function play(row) {
  const again = playing === String(row) && !audio.paused;
  stop();
  if (again || !(row in data.clips)) return;
  const bytes = Uint8Array.from(atob(data.clips[row]), (letter) => letter.charCodeAt(0));
  URL.revokeObjectURL(audio.src);
  audio.src = URL.createObjectURL(new Blob([bytes], { type: "audio/mpeg" }));
  playing = String(row);
  audio.play().catch((error) => { if (error.name !== "AbortError") stop(); });
  requestAnimationFrame(advance);
}

function advance() {
  if (playing === null) return;
  const at = audio.duration ? (100 * audio.currentTime) / audio.duration : 0;
  for (const button of all(`.clip[data-row="${playing}"]`)) {
    button.classList.add("playing");
    button.style.setProperty("--at", `${at}%`);
  }
  requestAnimationFrame(advance);
}
audio.addEventListener("ended", stop);

// ---- the map

const svgElement = (name, attributes) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
};

const marksOf = new Map(maps.map((map) => [map, new Map(all(".dot", map).map((dot) => {
  const { e, f } = dot.transform.baseVal[0].matrix;
  return [dot.dataset.row, { dot, x: e, y: f }];
}))]));

function pointed(map, event, reach) {
  const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(map.getScreenCTM().inverse());
  const scale = map.viewBox.baseVal.width / map.clientWidth;
  let best = null, least = reach * scale;
  for (const [row, { dot, x, y }] of marksOf.get(map)) {
    const distance = Math.hypot(x - at.x, y - at.y);
    if (distance < least && !dot.classList.contains("off")) [best, least] = [row, distance];
  }
  return best;
}

function choose(row) {
  chosen = String(row);
  const near = data.nearest[row] || [];
  for (const map of maps) {
    const places = marksOf.get(map);
    const links = one(".links", map), rings = one(".rings", map);
    links.replaceChildren();
    rings.replaceChildren();
    const from = places.get(chosen);
    if (!from) continue;
    for (const [other] of near) {
      const to = places.get(String(other));
      links.append(svgElement("line", { x1: from.x, y1: from.y, x2: to.x, y2: to.y }));
      rings.append(svgElement("circle", { cx: to.x, cy: to.y, r: 1.9 }));
    }
    rings.append(svgElement("circle", { cx: from.x, cy: from.y, r: 2.6, class: "own" }));
  }
  showPanel(row, near);
}

function showPanel(row, near) {
  const [title, artist, label] = data.tracks[row];
  const head = make("div", "", "head");
  const words = make("div");
  words.append(make("b", title), make("span", artist), make("small", label));
  head.append(clipButton(row, ""), words);
  const list = make("ol");
  for (const [other, score] of near) {
    const [otherTitle, otherArtist, otherLabel] = data.tracks[other];
    const go = make("button", "", "go");
    go.type = "button";
    go.addEventListener("click", () => choose(other));
    const sign = label && otherLabel ? (label === otherLabel ? "✓ " : "≠ ") : "";
    const kind = label && otherLabel ? (label === otherLabel ? "match" : "differs") : "";
    go.append(make("b", otherTitle), make("span", otherArtist), make("small", sign + otherLabel, kind));
    const item = make("li");
    item.append(clipButton(other, "small"), go, make("small", score.toFixed(3), "score"));
    list.append(item);
  }
  one(".panel").replaceChildren(head, make("h4", near.length ? "Nearest tracks" : ""), list);
  one(".chosen select").value = chosen;
}

function step(map, dx, dy) {
  const places = marksOf.get(map);
  const from = places.get(chosen);
  if (!from) return;
  let best = null, least = Infinity;
  for (const [row, { dot, x, y }] of places) {
    const along = (x - from.x) * dx + (y - from.y) * dy;
    const across = Math.abs((x - from.x) * dy) + Math.abs((y - from.y) * dx);
    if (along > 0.01 && along + 2 * across < least && !dot.classList.contains("off")) {
      [best, least] = [row, along + 2 * across];
    }
  }
  if (best !== null) choose(best);
}

const tip = document.getElementById("tip");

function showTip(event, row) {
  tip.hidden = row === null;
  if (row === null) return;
  const [title, artist, label] = data.tracks[row];
  tip.replaceChildren(make("b", title), make("span", artist), make("small", label));
  const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
  tip.style.transform = `translate(${left}px, ${event.clientY + 14}px)`;
}

const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

for (const map of maps) {
  map.addEventListener("pointermove", (event) => {
    const row = pointed(map, event, 12);
    map.classList.toggle("pointing", row !== null);
    showTip(event, row);
  });
  map.addEventListener("pointerleave", () => { tip.hidden = true; });
  map.addEventListener("click", (event) => {
    const row = pointed(map, event, 18);
    if (row === null) return;
    choose(row);
    play(row);
  });
  map.addEventListener("keydown", (event) => {
    if (arrows[event.key]) step(map, ...arrows[event.key]);
    else if (event.key === "Enter" || event.key === " ") play(chosen);
    else return;
    event.preventDefault();
  });
}

// ---- legend, and the list of tracks

function setLabel(button, shown) {
  button.setAttribute("aria-pressed", shown);
  all(`.map .dot.${button.dataset.label}`).forEach((dot) => dot.classList.toggle("off", !shown));
}

function setUpLegend() {
  const buttons = all(".legend button[data-label]");
  for (const button of buttons) {
    button.addEventListener("click", () => setLabel(button, button.getAttribute("aria-pressed") !== "true"));
  }
  one(".legend .all").addEventListener("click", () => buttons.forEach((button) => setLabel(button, true)));
  one(".legend .nothing").addEventListener("click", () => buttons.forEach((button) => setLabel(button, false)));
}

function setUpList() {
  const select = one(".chosen select");
  const groups = new Map();
  for (const row of Object.keys(data.nearest)) {
    const label = data.tracks[row][2] || "no label";
    groups.set(label, [...(groups.get(label) || []), row]);
  }
  for (const label of [...groups.keys()].sort()) {
    const group = make("optgroup");
    group.label = label;
    for (const row of groups.get(label)) {
      const option = make("option", nameOf(row));
      option.value = row;
      group.append(option);
    }
    select.append(group);
  }
  select.addEventListener("change", () => choose(select.value));
}

all(".clip[data-row]").forEach(dress);
if (maps.length) {
  setUpLegend();
  setUpList();
  choose(data.first in data.nearest ? data.first : Object.keys(data.nearest)[0]);
}
