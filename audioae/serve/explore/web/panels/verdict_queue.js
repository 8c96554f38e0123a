/**
 * Verdicts that the server does not have yet: kept in the browser until it does, and sent again.
 *
 * Conventions
 * - An entry of localStorage for each check and track, so that two tabs never overwrite each other's.
 * - `expected` is the verdict that the judge saw when judging. A later verdict on the same track, made before the first
 *   was sent, keeps the first one's `expected`.
 * - An entry goes when the server has answered to exactly it: with the saved verdict, or with a conflict, which the
 *   person decides. One that the server refuses is kept, but not sent again before the page is loaded again.
 */

const PREFIX = "audioae.verdict/";
const AGAIN_MS = 5000;
const AT_ONCE = 100;
const OF_THE_MOMENT = new Set([401, 408, 425, 429]);

/** @typedef {{check: string, track_id: string, verdict: "issue"|"fine"|null, by: string, expected: string|null}} Verdict */

/**
 * @param {(verdicts: Verdict[]) => Promise<any>} send
 * @param {{storage?: Storage, onAnswer: (answer: any) => void, onChange: (waiting: number, error: any) => void}} options
 */
export function verdictQueue(send, { storage = localStorage, onAnswer, onChange }) {
  const refused = new Set();
  let sending = false;
  let timer = 0;

  const entries = () =>
    Object.keys(storage)
      .filter((key) => key.startsWith(PREFIX))
      .sort()
      .map((key) => [key, storage.getItem(key)])
      .filter(([, text]) => text !== null);
  const unsent = () => entries().filter(([, text]) => !refused.has(text));

  const pending = () => entries().map(([, text]) => withoutMark(JSON.parse(text)));

  function add(verdict) {
    const key = PREFIX + encodeURIComponent(verdict.check) + "/" + encodeURIComponent(verdict.track_id);
    const earlier = storage.getItem(key);
    const expected = earlier ? JSON.parse(earlier).expected : verdict.expected;
    storage.setItem(key, JSON.stringify({ ...verdict, expected, made: `${Date.now()}-${Math.random()}` }));
    onChange(entries().length, null);
    return flush();
  }

  async function sendBatch(batch) {
    try {
      const answer = await send(batch.map(([, text]) => withoutMark(JSON.parse(text))));
      for (const [key, text] of batch) if (storage.getItem(key) === text) storage.removeItem(key);
      onAnswer(answer);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      if (batch.length === 1) {
        refused.add(batch[0][1]);
        onChange(entries().length, error);
      } else for (const entry of batch) await sendBatch([entry]);
    }
  }

  /** Send what is kept; what fails is tried again after a while, and when the browser is online again. */
  async function flush() {
    if (sending) return;
    clearTimeout(timer);
    sending = true;
    try {
      const before = refused.size;
      for (let batch = unsent(); batch.length; batch = unsent()) await sendBatch(batch.slice(0, AT_ONCE));
      if (refused.size === before) onChange(entries().length, null);
    } catch (error) {
      onChange(entries().length, error);
      timer = setTimeout(flush, AGAIN_MS);
    } finally {
      sending = false;
    }
  }

  globalThis.addEventListener?.("online", flush);
  return { add, flush, pending };
}

function isRefusal(error) {
  return error?.status >= 400 && error.status < 500 && !OF_THE_MOMENT.has(error.status);
}

function withoutMark({ made: _made, ...verdict }) {
  return verdict;
}
