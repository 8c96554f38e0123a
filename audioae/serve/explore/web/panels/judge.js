/**
 * Judging the findings of a check: from the keyboard, by ear, beside the map.
 *
 * Conventions: a verdict is saved at once and moves on to the next finding (`verdicts.js`).
 */

import { button, count, field, h, select } from "./elements.js";
import { save } from "./download.js";
import { frame, shortcuts } from "./frame.js";
import { conflictCard, findingCard, findingItem } from "./judge_views.js";
import { Verdicts } from "./verdicts.js";

const PAGE = 100;
const NAME_KEY = "audioae.judge";
const REFRESH_MS = 15_000;
const KEYS = [
  ["j / k", "next, previous"],
  ["space", "play, pause"],
];

export default { name: "judge", title: "Judge", icon: "⚖", early: true, mount };

function mount(element, app) {
  const view = frame(element, {
    purpose: "Listen to what the checks found and say which findings are right. The next screening learns from it.",
    keys: KEYS,
  });
  const judge = new Judge(view, app);
  judge.verdicts.queue.flush(); // what an earlier visit could not send
  const keys = shortcuts({
    j: () => judge.move(1),
    k: () => judge.move(-1),
    " ": () => judge.toggle(),
    p: () => judge.play(),
    i: () => judge.give("issue"),
    f: () => judge.give("fine"),
    s: () => judge.move(1),
    u: () => judge.undo(),
  });
  return {
    shown() {
      keys.on();
      judge.start();
    },
    hidden() {
      keys.off();
      judge.pause();
    },
  };
}

class Judge {
  constructor(view, app) {
    Object.assign(this, { view, app, check: null, issuesOnly: true, findings: [], total: 0, at: 0, history: [] });
    this.verdicts = new Verdicts(app.api, {
      onChange: () => this.showJudged(),
      onConflicts: () => this.showConflicts(),
      onWaiting: (waiting, error) => this.showWaiting(waiting, error),
    });
    this.nameField = h("input", {
      value: localStorage.getItem(NAME_KEY) || "",
      maxlength: 100,
      autocomplete: "name",
      onchange: () => localStorage.setItem(NAME_KEY, this.name),
    });
    this.choice = h("div", { class: "controls" });
    this.progress = h("progress", { max: 1, value: 0, "aria-label": "Judged findings" });
    this.judged = h("span", { class: "judged" });
    this.waiting = h("p", { class: "waiting", role: "status", hidden: true });
    this.card = h("article", { class: "finding-card", tabIndex: -1, hidden: true });
    this.conflictList = h("div", { class: "conflicts" });
    this.list = h("ol", { class: "finding-list", "aria-label": "Findings, the worst first" });
    view.body.append(
      field("Your name, beside your verdicts", this.nameField),
      this.choice,
      h("p", { class: "progress-row" }, this.progress, this.judged),
      this.waiting,
      this.conflictList,
      this.card,
      this.list,
      h(
        "p",
        { class: "controls" },
        button("Download the verdicts (CSV)", () => this.download()),
        h("small", {}, "the file that the next screening takes (screen.verdicts)"),
      ),
    );
  }

  get name() {
    return this.nameField.value.trim();
  }

  get finding() {
    return this.findings[this.at];
  }

  async start() {
    this.timer = setInterval(() => this.refresh(), REFRESH_MS);
    if (this.check) return this.refresh();
    const overview = await this.view.job("Reading the findings …", () => this.app.api.get("v1/findings"));
    if (!overview || this.check) return;
    if (!overview.checks.length) return this.view.note("No check has findings. Run `audioae run screen CONFIG` first.");
    const pairs = overview.checks.map((one) => [one.check, `${one.title} (${one.issues.toLocaleString("en-US")})`]);
    const most = overview.checks.find((one) => one.issues) || overview.checks[0];
    const only = h("input", { type: "checkbox", checked: true, onchange: () => this.open(this.check, only.checked) });
    this.choice.append(
      field(
        "Check",
        select(pairs, most.check, (check) => this.open(check, only.checked)),
      ),
      h("label", { class: "check-row" }, only, " issues only"),
      ...(overview.outdated ? [h("p", { class: "left-out" }, overview.outdated)] : []),
    );
    await this.open(most.check, true);
  }

  pause() {
    clearInterval(this.timer);
  }

  async open(check, issuesOnly) {
    Object.assign(this, { check, issuesOnly, findings: [], total: 0, at: 0, history: [] });
    const ready = await this.view.job("Reading the findings …", async () => {
      await Promise.all([this.load(), this.verdicts.read(check)]);
      return true;
    });
    if (!ready) return;
    this.at = Math.max(
      this.findings.findIndex((one) => !this.verdicts.of(one.track_id)),
      0,
    );
    this.show();
  }

  /** The next page of findings. */
  async load() {
    const { check, issuesOnly, findings } = this;
    const query = new URLSearchParams({ check, limit: PAGE, offset: findings.length, issues_only: issuesOnly });
    const page = await this.app.api.get(`v1/findings?${query}`);
    if (findings !== this.findings) return;
    findings.push(...page.worst.map((one) => ({ ...one, check })));
    this.total = page.total;
  }

  /** What others judged meanwhile; a failure is of no matter, the next time reads it. */
  refresh() {
    if (this.check) this.verdicts.read().catch(() => {});
  }

  async move(by) {
    const to = this.at + by;
    if (to >= this.findings.length && this.findings.length < this.total) {
      await this.view.job("Reading more findings …", () => this.load().then(() => true));
    }
    if (to < 0 || to >= this.findings.length)
      return this.app.say(to < 0 ? "This is the first finding." : "This is the last finding.");
    this.at = to;
    this.show();
  }

  give(verdict) {
    const { finding, name } = this;
    if (!finding) return;
    if (this.verdicts.readOnly) return this.view.note(`Nothing can be saved: ${this.verdicts.readOnly}.`);
    if (!name) {
      this.view.note("Write your name first: it stands beside your verdicts.");
      return this.nameField.focus();
    }
    this.view.clear();
    this.history.push({ finding, before: this.verdicts.word(finding.track_id) });
    this.verdicts.save(finding.track_id, verdict, name);
    this.app.say(`${finding.title || finding.track_id}: ${verdict}`);
    if (this.at < this.total - 1) this.move(1);
    else this.show();
  }

  undo() {
    const last = this.history.pop();
    if (!last) return this.app.say("Nothing to undo.");
    this.verdicts.save(last.finding.track_id, last.before, this.name);
    this.at = this.findings.indexOf(last.finding);
    this.show();
  }

  /** From the second in question, if the check names one. */
  play() {
    const { finding } = this;
    if (finding) this.app.player.play(finding.track_id, finding.evidence.listen_s ?? null);
  }

  /** Play, or pause what plays. */
  toggle() {
    if (this.finding && this.app.player.current()?.track_id === this.finding.track_id) this.app.player.toggle();
    else this.play();
  }

  async show() {
    const { finding } = this;
    this.showJudged();
    this.card.hidden = false;
    if (!finding) return this.card.replaceChildren(h("p", {}, "This check found nothing to judge."));
    findingCard(this.card, finding, this.verdicts.of(finding.track_id), this);
    this.card.focus({ preventScroll: true });
    const current = this.list.children[this.at];
    if (current) this.list.scrollTop = current.offsetTop - this.list.offsetTop - 60;
    const [row] = await this.app.tracks.rows([finding.track_id]).catch(() => [null]);
    if (finding === this.finding && row !== null) this.app.actions.choose(row, { play: false, fly: true });
  }

  showJudged() {
    const judged = this.findings.filter((one) => this.verdicts.of(one.track_id)).length;
    this.progress.max = Math.max(this.total, 1);
    this.progress.value = judged;
    this.judged.textContent = `${judged.toLocaleString("en-US")} of ${this.total.toLocaleString("en-US")} judged`;
    const drawn = JSON.stringify([
      this.check,
      this.at,
      this.findings.map((one) => this.verdicts.of(one.track_id) ?? 0),
    ]);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    const open = (place) => {
      this.at = place;
      this.show();
    };
    const items = this.findings.map((one, place) =>
      findingItem(one, this.verdicts.of(one.track_id), place === this.at, () => open(place)),
    );
    this.list.replaceChildren(...items);
  }

  showConflicts() {
    const cards = this.verdicts.conflicts.map((one) => conflictCard(one, (mine) => this.verdicts.settle(one, mine)));
    this.conflictList.replaceChildren(...cards);
  }

  showWaiting(waiting, error) {
    this.waiting.hidden = !waiting;
    this.waiting.replaceChildren(
      error ? `${error.message} ` : "",
      `${count(waiting, "verdict")} ${waiting === 1 ? "is" : "are"} kept in this browser and will be sent again. `,
      button("Send now", () => this.verdicts.queue.flush()),
    );
  }

  async download() {
    const file = await this.view.job("Reading the verdicts …", () => this.app.api.blob("v1/verdicts.csv"));
    if (file) save(file, "verdicts.csv");
  }
}
