/** The pieces that the judge panel shows: the finding at hand, a line of the list, a conflict of two people. */

import { button, clock, h, nameOf, percent } from "./elements.js";
import { playableList } from "./playable.js";

const SIGNS = { issue: "✗ issue", fine: "✓ fine" };

/** Fill the card of a finding: who it is, why it is here, what people said, the verdict buttons, what to compare it with. */
export function findingCard(card, finding, verdict, judge) {
  const at = finding.evidence.listen_s;
  const facts = [
    ["Label", finding.label],
    ["Suggested", finding.check === "duplicate" ? null : finding.suggestion],
    ["Score", finding.score === null ? "none" : `${finding.score.toFixed(3)} (0 bad, 1 fine)`],
    ["Confidence", finding.confidence === null ? null : percent(finding.confidence)],
    ["Album", finding.album],
  ].filter(([, value]) => value !== null && value !== undefined && value !== "");
  const others = h("section", { class: "others" });
  card.replaceChildren(
    h("h3", {}, `${finding.rank.toLocaleString("en-US")}. ${nameOf(finding)}`),
    h("p", { class: "why" }, finding.why || "The check gives no reason."),
    h(
      "dl",
      { class: "facts-list" },
      ...facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
    ),
    h("p", { class: "said", hidden: !verdict }, said(verdict)),
    h(
      "p",
      { class: "verdict-buttons" },
      button(at === undefined || at === null ? "Play" : `Play at ${clock(at)}`, () => judge.play(), { key: "p" }),
      button("Issue", () => judge.give("issue"), { key: "i", class: "bad" }),
      button("Fine", () => judge.give("fine"), { key: "f", class: "good" }),
      button("Skip", () => judge.move(1), { key: "s" }),
      button("Undo", () => judge.undo(), { key: "u", disabled: !judge.history.length }),
    ),
    others,
  );
  showOthers(others, finding, judge.app);
}

/** "✓ fine, says Ada; Bo: issue". */
function said(verdict) {
  if (!verdict) return "";
  const others = (verdict.others ?? []).map((one) => `${one.by}: ${one.verdict}`);
  return [`${SIGNS[verdict.verdict]}, says ${verdict.by}`, ...others].join("; ");
}

/** What to compare with: the copies of a duplicate, the neighbors that the check names, or the nearest tracks. */
async function showOthers(element, finding, app) {
  if (finding.members.length > 1) {
    const copies = finding.members.map((one) => ({ ...one, note: one.track_id === finding.suggestion ? "keep" : "" }));
    return element.replaceChildren(h("h4", {}, "All copies"), playableList(app, copies));
  }
  const named = finding.evidence.neighbors;
  element.replaceChildren(h("h4", {}, "Nearest tracks"), h("p", { class: "status busy" }, "Looking for neighbors …"));
  try {
    const answer = named
      ? { neighbors: await described(app, named) }
      : await app.api.post("v1/similar", { seeds: [{ track_id: finding.track_id }], k: 5 });
    const tracks = answer.neighbors.map((one) => ({ ...one, note: noteOf(one, finding) }));
    const otherwise = tracks.filter((one) => one.note === OTHERWISE).length;
    const title = otherwise ? `Nearest tracks: ${otherwise} of ${tracks.length} say otherwise` : "Nearest tracks";
    element.replaceChildren(h("h4", {}, title), playableList(app, tracks));
  } catch (error) {
    element.replaceChildren(h("h4", {}, "Nearest tracks"), h("p", { class: "status failed" }, error.message));
  }
}

const OTHERWISE = "says otherwise";

function noteOf(one, finding) {
  if (!one.label || !finding.label || finding.check !== "mislabeled") return "";
  return one.label === finding.label ? "says the same" : OTHERWISE;
}

async function described(app, neighbors) {
  const { rows } = await app.api.post("v1/map/rows", { track_ids: neighbors.map((one) => one.track_id) });
  return neighbors.map((one, place) => ({ ...rows[place], ...one }));
}

/** A line of the list of findings. */
export function findingItem(finding, verdict, current, onclick) {
  return h(
    "li",
    { class: verdict ? verdict.verdict : "open" },
    h(
      "button",
      { type: "button", onclick, "aria-current": current ? "true" : null, tabIndex: current ? 0 : -1 },
      h("span", {}, nameOf(finding)),
      h("small", {}, verdict ? `${SIGNS[verdict.verdict]} (${verdict.by})` : finding.label || ""),
    ),
  );
}

/** Two people, two verdicts: both names, and a choice. */
export function conflictCard({ track_id, title, theirs, yours }, choose) {
  const when = theirs.at ? ` (${new Date(theirs.at).toLocaleString("en-US")})` : "";
  const says = theirs.verdict
    ? `${theirs.by} says ${theirs.verdict}${when}`
    : `${theirs.by || "Somebody"} took the verdict back${when}`;
  return h(
    "article",
    { class: "conflict", role: "alert" },
    h("p", {}, h("b", {}, title || track_id), `: ${says}; you (${yours.by}) said ${yours.verdict || "nothing"}.`),
    h(
      "p",
      {},
      button(`Keep ${theirs.by || "theirs"}: ${theirs.verdict || "none"}`, () => choose(false)),
      " ",
      button(`Use mine: ${yours.verdict || "none"}`, () => choose(true)),
    ),
  );
}
