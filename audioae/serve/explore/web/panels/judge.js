/**
 * Judging the findings of a check: from the keyboard, by ear, beside the map.
 *
 * Conventions: a verdict goes out at once (`verdict_queue.js`); it moves on to the next finding. `expected` is the
 * verdict that was on the screen, so that the server can tell when two people judge the same track.
 */

import { button, count, field, h, select } from "./elements.js";
import { frame, shortcuts } from "./frame.js";
import { conflictCard, findingCard, findingItem } from "./judge_views.js";
import { verdictQueue } from "./verdict_queue.js";

const PAGE = 100;
const NAME_KEY = "audioae.judge";
const REFRESH_MS = 15_000;
const KEYS = [
  ["j / k", "next, previous"],
  ["space / p", "play, pause / from the second in question"],
  ["i", "issue"],
  ["f", "fine"],
  ["s", "skip"],
  ["u", "undo"],
];

export default { name: "judge", title: "Judge", icon: "judge", mount };

function mount(element, app) {
  const view = frame(element, {
    purpose: "Listen to what the checks found and say which findings are right. The next screening learns from it.",
    keys: KEYS,
  });
  const judge = new Judge(view, app);
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
    Object.assign(this, { view, app, check: null, issuesOnly: true, findings: [], total: 0, at: 0 });
    this.verdicts = new Map();
    this.conflicts = [];
    this.history = [];
    this.name = localStorage.getItem(NAME_KEY) || "";
    this.queue = verdictQueue((verdicts) => app.api.post("v1/verdicts", { verdicts }), {
      onAnswer: (answer) => this.answered(answer),
      onChange: (waiting, error) => this.showWaiting(waiting, error),
    });
    this.layOut();
  }

  layOut() {
    this.nameField = h("input", {
      value: this.name,
      maxlength: 100,
      autocomplete: "name",
      onchange: () => this.setName(this.nameField.value),
    });
    this.choice = h("div", { class: "controls" });
    this.progress = h("progress", { max: 1, value: 0, "aria-label": "Judged findings" });
    this.judged = h("span", { class: "judged" });
    this.waiting = h("p", { class: "waiting", role: "status", hidden: true });
    this.card = h("article", { class: "finding-card", tabIndex: -1, "aria-live": "polite" });
    this.conflictList = h("div", { class: "conflicts" });
    this.list = h("ol", { class: "finding-list", "aria-label": "Findings, the worst first" });
    this.view.body.append(
      field("Your name, beside your verdicts", this.nameField),
      this.choice,
      h("p", { class: "progress-row" }, this.progress, " ", this.judged),
      this.waiting,
      this.conflictList,
      this.card,
      this.list,
      h(
        "p",
        {},
        h("a", { href: "v1/verdicts.csv", download: "verdicts.csv", class: "csv" }, "Download the verdicts (CSV)"),
        h("small", {}, " for screen.verdicts: the file that the next screening takes"),
      ),
    );
  }

  setName(name) {
    this.name = name.trim();
    localStorage.setItem(NAME_KEY, this.name);
  }

  async start() {
    this.timer = setInterval(() => this.refresh(), REFRESH_MS);
    this.queue.flush();
    if (this.check) return this.refresh();
    const overview = await this.view.job("Reading the findings …", () => this.app.api.get("v1/findings"));
    if (!overview) return;
    if (!overview.checks.length) return this.view.note("No check has findings. Run `audioae run screen CONFIG` first.");
    if (overview.outdated) this.app.say(overview.outdated);
    const pairs = overview.checks.map((one) => [one.check, `${one.title} (${one.issues.toLocaleString("en-US")})`]);
    const most = overview.checks.find((one) => one.issues) || overview.checks[0];
    const only = h("input", { type: "checkbox", checked: true, onchange: () => this.open(this.check, only.checked) });
    this.choice.append(
      field(
        "Check",
        select(pairs, most.check, (check) => this.open(check, only.checked)),
      ),
      h("label", { class: "check-row" }, only, " issues only"),
    );
    await this.open(most.check, true);
  }

  pause() {
    clearInterval(this.timer);
  }

  async open(check, issuesOnly) {
    Object.assign(this, { check, issuesOnly, findings: [], total: 0, at: 0, history: [] });
    this.verdicts.clear();
    const ready = await this.view.job("Reading the findings …", async () => {
      await Promise.all([this.load(), this.readVerdicts()]);
      return true;
    });
    if (!ready) return;
    const first = this.findings.findIndex((finding) => !this.verdicts.has(finding.track_id));
    this.at = Math.max(first, 0);
    this.show();
  }

  async load() {
    const { check, issuesOnly } = this;
    const query = new URLSearchParams({ check, limit: PAGE, offset: this.findings.length, issues_only: issuesOnly });
    const page = await this.app.api.get(`v1/findings?${query}`);
    if (check !== this.check || issuesOnly !== this.issuesOnly) return;
    this.findings.push(...page.worst);
    this.total = page.total;
  }

  async readVerdicts() {
    const check = this.check;
    const answer = await this.app.api.get(`v1/verdicts?${new URLSearchParams({ check })}`);
    if (check !== this.check) return;
    this.verdicts = new Map(answer.verdicts.map((one) => [one.track_id, one]));
    for (const one of this.queue.pending()) if (one.check === check) this.mark(one);
  }

  /** What others judged meanwhile; a failure is of no matter, the next time reads it. */
  async refresh() {
    if (!this.check || this.queue.pending().length) return;
    await this.readVerdicts().catch(() => {});
    this.showJudged();
  }

  mark(one) {
    if (one.verdict === null) this.verdicts.delete(one.track_id);
    else this.verdicts.set(one.track_id, one);
  }

  get finding() {
    return this.findings[this.at];
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

  give(verdict, finding = this.finding) {
    if (!finding) return;
    if (!this.name) this.setName(this.nameField.value);
    if (!this.name) {
      this.view.note("Write your name first: it stands beside your verdicts.");
      this.nameField.focus();
      return;
    }
    const before = this.verdicts.get(finding.track_id)?.verdict ?? null;
    this.history.push({ finding, before });
    this.save(finding.track_id, verdict, before);
    this.app.say(`${finding.title || finding.track_id}: ${verdict}`);
    if (this.at < this.total - 1) this.move(1);
    else this.show();
  }

  save(track_id, verdict, expected) {
    const one = { check: this.check, track_id, verdict, by: this.name, expected };
    this.mark(one);
    this.queue.add(one);
    this.showJudged();
  }

  undo() {
    const last = this.history.pop();
    if (!last) return this.app.say("Nothing to undo.");
    const now = this.verdicts.get(last.finding.track_id)?.verdict ?? null;
    this.save(last.finding.track_id, last.before, now);
    this.at = this.findings.indexOf(last.finding);
    this.show();
  }

  answered({ conflicts = [] }) {
    for (const conflict of conflicts) {
      this.conflicts = this.conflicts.filter(
        (one) => one.track_id !== conflict.track_id || one.check !== conflict.check,
      );
      this.conflicts.push(conflict);
      if (conflict.check === this.check) this.mark(conflict.theirs);
    }
    if (conflicts.length) this.showConflicts();
    this.showJudged();
  }

  /** The person chose: another's verdict stays, or one's own replaces it knowingly. */
  settle(conflict, useMine) {
    this.conflicts = this.conflicts.filter((one) => one !== conflict);
    if (useMine) {
      const one = { ...conflict.yours, by: this.name, expected: conflict.theirs.verdict };
      if (conflict.check === this.check) this.mark(one);
      this.queue.add(one);
    }
    this.showConflicts();
    this.showJudged();
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
    this.showJudged();
    const finding = this.finding;
    if (!finding) return this.card.replaceChildren(h("p", {}, "This check found nothing to judge."));
    findingCard(this.card, finding, this.verdicts.get(finding.track_id), this);
    this.card.focus({ preventScroll: true });
    const [row] = await this.app.tracks.rows([finding.track_id]);
    if (finding !== this.finding || row === null) return;
    this.app.state.set({ selected: row });
    this.app.map.flyTo([row]);
  }

  showJudged() {
    const judged = this.findings.filter((one) => this.verdicts.has(one.track_id)).length;
    this.progress.max = Math.max(this.total, 1);
    this.progress.value = judged;
    this.judged.textContent = `${judged.toLocaleString("en-US")} of ${this.total.toLocaleString("en-US")} judged`;
    const items = this.findings.map((one, place) =>
      findingItem(one, this.verdicts.get(one.track_id), place === this.at, () => {
        this.at = place;
        this.show();
      }),
    );
    this.list.replaceChildren(...items);
    this.list.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
  }

  showConflicts() {
    this.conflictList.replaceChildren(
      ...this.conflicts.map((one) => conflictCard(one, (mine) => this.settle(one, mine))),
    );
  }

  showWaiting(waiting, error) {
    this.waiting.hidden = !waiting;
    const again = button("Send now", () => this.queue.flush());
    this.waiting.replaceChildren(
      error?.status ? `${error.message} ` : "",
      `${count(waiting, "verdict")} ${waiting === 1 ? "is" : "are"} kept in this browser and will be sent again. `,
      again,
    );
  }
}
