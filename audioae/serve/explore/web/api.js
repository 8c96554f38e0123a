/**
 * Requests to this server. Addresses are relative to the page, so they work below a path as well.
 *
 * A key, if the server needs one, is asked for once and kept until the browser's tab is closed. It is sent in the
 * header X-API-Key only, never in an address.
 */

const STORED = "audioae-key";

/** An error whose message is a sentence for people; `problem` is the server's problem+json, if it sent one. */
export class ApiError extends Error {
  constructor(status, problem) {
    const action = problem?.action ? ` (${problem.action})` : "";
    super(problem?.detail ? `${problem.detail}${action}` : `The server answered with status ${status}.`);
    this.status = status;
    this.problem = problem;
    this.kind = problem?.type?.split(":").pop() ?? null;
  }
}

/** @param {{askKey: (wasSent: boolean) => Promise<string>}} options */
export function createApi({ askKey }) {
  let asking = null;
  let map = null;

  async function send(address, options = {}) {
    const path = relative(address);
    const key = sessionStorage.getItem(STORED);
    const headers = {
      ...options.headers,
      ...(key ? { "X-API-Key": key } : {}),
      ...(map ? { "X-Map-Version": map } : {}),
    };
    let answer;
    try {
      answer = await fetch(path, { ...options, headers });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ApiError(0, { detail: "The server cannot be reached.", action: "check that it runs, then try again" });
    }
    if (answer.status === 401) {
      asking ??= askKey(key !== null)
        .then((given) => sessionStorage.setItem(STORED, given))
        .finally(() => {
          asking = null;
        });
      await asking;
      return send(path, options);
    }
    if (!answer.ok) throw new ApiError(answer.status, await answer.json().catch(() => null));
    return answer;
  }

  /** What `fetch` takes, of `{body, accept, head, signal}`. */
  function options({ body, accept, head, signal }) {
    const headers = {
      ...(accept ? { Accept: accept } : {}),
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
    };
    return {
      method: body !== undefined ? "POST" : head ? "HEAD" : "GET",
      body: body === undefined ? undefined : JSON.stringify(body),
      headers,
      signal,
    };
  }

  return {
    /** Rows of requests from now on belong to this version of the map; if the server has another, it answers 409. */
    ofMap(version) {
      map = version;
    },
    /** JSON of a GET. */
    get: async (path, { signal } = {}) => (await send(path, options({ signal }))).json(),
    /** JSON of a POST. */
    post: async (path, content, { signal } = {}) => (await send(path, options({ body: content, signal }))).json(),
    /** Bytes; a POST if there is a `body`. @returns {Promise<ArrayBuffer>} */
    binary: async (path, choices = {}) => (await send(path, options(choices))).arrayBuffer(),
    /** A file; a POST if there is a `body`. @returns {Promise<Blob>} */
    blob: async (path, choices = {}) => (await send(path, options(choices))).blob(),
    /** The whole answer. @returns {Promise<Response>} */
    answer: (path, choices = {}) => send(path, options(choices)),
    /** JSON of an upload: `options` as `/v1/similar:file` takes them. */
    async upload(path, file, choices) {
      const form = new FormData();
      form.append("file", file, file.name);
      if (choices) form.append("options", JSON.stringify(choices));
      return (await send(path, { method: "POST", body: form })).json();
    },
    /** An address that an <audio> can play: direct without a key, else of the bytes that were fetched with it. */
    async media(path) {
      if (!sessionStorage.getItem(STORED)) return relative(path);
      return URL.createObjectURL(await (await send(path)).blob());
    },
  };
}

/** "/v1/map" as an address below the page's own folder. */
const relative = (path) => path.replace(/^\/+/, "");

/** A path from parts, each of them escaped: `path("v1/tracks", id, "clip")`. */
export function path(base, ...parts) {
  return [base, ...parts.map(encodeURIComponent)].join("/");
}
