"use strict";
// One trial at a time. A choice needs all three clips to have been played; answers are kept after each choice.
const { head, trials, clips } = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const NAMES = ["x", "a", "b"];
const KEY = `audioae-listening-${head.test}`;
const LOUDNESS = 0.1; // RMS that every clip is played with
let at = 0, sound = null, playing = null, shownAt = 0, keeps = true;
let state = { session: crypto.getRandomValues(new Uint32Array(4)).join("-"), listener: "", answers: {}, heard: {} };

// ---- keeping answers

function keep() {
  try {
    localStorage.setItem(KEY, JSON.stringify(state));
  } catch {
    keeps = false;
  }
}

function restore() {
  try {
    state = { ...state, ...JSON.parse(localStorage.getItem(KEY) || "{}") };
  } catch {
    keeps = false;
  }
  const open = trials.findIndex((_, i) => !(i in state.answers));
  at = open < 0 ? trials.length - 1 : open;
}

// ---- sound

function stop() {
  if (playing) playing.source.onended = null, playing.source.stop();
  playing = null;
  for (const name of NAMES) byId(`play-${name}`).classList.remove("playing");
}

function gainOf(buffer) {
  const samples = buffer.getChannelData(0);
  let energy = 0, peak = 1e-6;
  for (const value of samples) energy += value * value, peak = Math.max(peak, Math.abs(value));
  return Math.min(LOUDNESS / Math.max(Math.sqrt(energy / samples.length), 1e-6), 1 / peak);
}

async function play(name) {
  stop();
  const trial = at, token = (playing = { source: { stop() {} } });
  sound ??= new AudioContext();
  await sound.resume();
  const bytes = Uint8Array.from(atob(clips[trials[trial][name].clip]), (letter) => letter.charCodeAt(0));
  const buffer = await sound.decodeAudioData(bytes.buffer);
  if (playing !== token) return; // another clip was asked for meanwhile
  const gain = new GainNode(sound, { gain: gainOf(buffer) });
  token.source = new AudioBufferSourceNode(sound, { buffer });
  token.source.connect(gain).connect(sound.destination);
  token.source.onended = stop;
  token.source.start();
  byId(`play-${name}`).classList.add("playing");
  const heard = (state.heard[trial] ??= { x: 0, a: 0, b: 0 });
  heard[name] += 1;
  keep();
  show();
}

// ---- trials

function go(step) {
  const next = Math.min(Math.max(at + step, 0), trials.length - 1);
  if (next === at || (step > 0 && !(at in state.answers))) return;
  stop();
  at = next;
  shownAt = performance.now();
  show();
  byId("where").focus();
}

function choose(choice) {
  if (byId(`choose-${choice}`).disabled) return;
  const seconds = Math.round((performance.now() - shownAt) / 100) / 10;
  state.answers[at] = { trial: at, choice, plays: NAMES.map((name) => state.heard[at][name]), seconds };
  keep();
  show();
}

function show() {
  const heard = state.heard[at] || {}, answer = state.answers[at], done = Object.keys(state.answers).length;
  byId("where").textContent = `Question ${at + 1} of ${trials.length}`;
  byId("bar").value = done;
  for (const name of NAMES) byId(`play-${name}`).classList.toggle("heard", Boolean(heard[name]));
  const missing = NAMES.filter((name) => !heard[name]).map((name) => name.toUpperCase());
  for (const choice of ["a", "b"]) {
    byId(`choose-${choice}`).disabled = missing.length > 0;
    byId(`choose-${choice}`).setAttribute("aria-pressed", answer?.choice === choice);
  }
  byId("back").disabled = at === 0;
  byId("next").disabled = !answer || at === trials.length - 1;
  byId("hint").textContent = missing.length ? `Play ${missing.join(", ")} first.`
    : done === trials.length ? "All questions are answered. Save your answers." : answer ? "" : "Which sounds more like X?";
  byId("save").disabled = done === 0;
  byId("saved").textContent = keeps ? `${done} of ${trials.length} answered.`
    : `${done} of ${trials.length} answered. This browser keeps nothing: save before you close the page.`;
}

function save() {
  state.listener = byId("listener").value.trim();
  keep();
  const answers = Object.values(state.answers).sort((one, other) => one.trial - other.trial);
  const { session, listener } = state;
  const text = JSON.stringify({ ...head, session, listener, trials, answers }, null, 1);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = `answers-${session.slice(0, 8)}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  byId("saved").textContent = `Saved ${answers.length} of ${trials.length} answers as ${link.download}.`;
}

for (const name of NAMES) byId(`play-${name}`).addEventListener("click", () => play(name));
for (const choice of ["a", "b"]) byId(`choose-${choice}`).addEventListener("click", () => choose(choice));
byId("back").addEventListener("click", () => go(-1));
byId("next").addEventListener("click", () => go(1));
byId("save").addEventListener("click", save);
byId("listener").addEventListener("change", () => { state.listener = byId("listener").value.trim(); keep(); });
const keys = { x: () => play("x"), a: () => play("a"), b: () => play("b"), 1: () => choose("a"), 2: () => choose("b"),
  ArrowLeft: () => go(-1), ArrowRight: () => go(1) };
document.addEventListener("keydown", (event) => {
  if (event.target.tagName === "INPUT" || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (act) event.preventDefault(), act();
});
restore();
byId("listener").value = state.listener;
shownAt = performance.now();
show();
