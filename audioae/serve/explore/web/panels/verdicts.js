/**
 * The verdicts of one check: the server's, with one's own on top that it does not have yet, and conflicts of two people.
 *
 * Conventions: `expected` is the verdict that was on the screen, so that the server can tell when two people judge the
 * same track. A conflict shows the other person's verdict until one of the two is chosen.
 */

import { verdictQueue } from "./verdict_queue.js";

export class Verdicts {
  /**
   * @param {any} api
   * @param {{onChange: () => void, onConflicts: () => void, onWaiting: (n: number, error: any) => void}} listeners
   */
  constructor(api, listeners) {
    Object.assign(this, { api, check: null, readOnly: null, conflicts: [], byTrack: new Map(), listeners });
    this.queue = verdictQueue((verdicts) => api.post("v1/verdicts", { verdicts }), {
      onAnswer: (answer) => this.answered(answer),
      onChange: listeners.onWaiting,
    });
  }

  /** Read the verdicts of a check; those of another check that is open by then are not touched. */
  async read(check = this.check) {
    this.check = check;
    const answer = await this.api.get(`v1/verdicts?${new URLSearchParams({ check })}`);
    if (check !== this.check) return;
    this.readOnly = answer.read_only; // a sentence if nothing can be saved
    this.byTrack = new Map(answer.verdicts.map((one) => [one.track_id, one]));
    for (const one of this.queue.pending()) this.mark(one);
    for (const one of this.conflicts) this.mark(one.theirs);
    this.listeners.onChange();
  }

  /** @returns {{verdict: string, by: string, others?: {by: string, verdict: string}[]}|undefined} */
  of(trackId) {
    return this.byTrack.get(trackId);
  }

  /** The word on a track: "issue", "fine" or null. */
  word(trackId) {
    return this.of(trackId)?.verdict ?? null;
  }

  save(trackId, verdict, by) {
    const one = { check: this.check, track_id: trackId, verdict, by, expected: this.word(trackId) };
    this.mark(one);
    this.queue.add(one);
    this.listeners.onChange();
  }

  mark(one) {
    if (one.check !== this.check) return;
    if (one.verdict === null) this.byTrack.delete(one.track_id);
    else this.byTrack.set(one.track_id, one);
  }

  answered({ conflicts = [] }) {
    for (const conflict of conflicts) {
      const { check, track_id: trackId } = conflict.yours;
      this.conflicts = this.conflicts.filter((one) => one.yours.track_id !== trackId || one.yours.check !== check);
      this.conflicts.push(conflict);
      this.mark(conflict.theirs);
    }
    if (conflicts.length) this.listeners.onConflicts();
    this.listeners.onChange();
  }

  /** The person chose: the other's verdict stays, or one's own replaces it knowingly. */
  settle(conflict, useMine) {
    this.conflicts = this.conflicts.filter((one) => one !== conflict);
    if (useMine) {
      const one = { ...conflict.yours, expected: conflict.theirs.verdict };
      this.mark(one);
      this.queue.add(one);
    }
    this.listeners.onConflicts();
    this.listeners.onChange();
  }
}
