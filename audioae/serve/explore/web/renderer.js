/**
 * Points on a canvas, by WebGL2.
 *
 * Conventions: points are drawn in a shuffled order, so that any first part of them is a fair sample: while the map
 * moves, a machine without a GPU draws as many as it can at 20 frames a second, and all of them when it stands still.
 * The more points share a pixel, the more transparent each is: zoomed out, the map shows density.
 *
 * Why our own and not regl-scatterplot: regl compiles its drawing commands with `Function(...)`, which a page may only
 * do if its policy allows `unsafe-eval`; this page's does not.
 */

const VERTEX = `#version 300 es
in vec2 position; in uint tone; in uint flags;
uniform vec4 view; uniform float size; uniform float alpha; uniform sampler2D tones;
out vec4 color;
void main() {
  bool faint = (flags & 1u) == 1u;
  gl_Position = position == position ? vec4(position * view.xy + view.zw, 0, 1) : vec4(2, 2, 2, 1);
  gl_PointSize = faint ? max(1.0, size * 0.6) : size;
  vec4 own = texelFetch(tones, ivec2(faint ? 0 : int(tone), 0), 0);
  float a = faint ? alpha * 0.12 : alpha;
  color = vec4(own.rgb * a, a);
}`;
const FRAGMENT = `#version 300 es
precision highp float;
in vec4 color; uniform float size; out vec4 pixel;
void main() {
  float away = size > 3.0 ? length(gl_PointCoord - 0.5) * size : 0.0;
  pixel = color * (size > 3.0 ? clamp(size * 0.5 - away + 0.5, 0.0, 1.0) : 1.0);
}`;
export const FAINT = 1;
const FRAME_MS = 50;
const FEWEST = 20_000;

export class Renderer {
  /** @param {HTMLCanvasElement} canvas @param {Float32Array} points shape (n * 2), NaN for a point that is not shown */
  constructor(canvas, points) {
    const gl = canvas.getContext("webgl2", {
      antialias: false,
      premultipliedAlpha: true,
      powerPreference: "high-performance",
    });
    if (!gl) throw new Error("This browser has no WebGL2, which the map is drawn with. The lists and searches work.");
    Object.assign(this, { canvas, gl, n: points.length / 2, budget: points.length / 2, last: 0 });
    this.order = shuffled(this.n);
    this.scratch = new Uint8Array(this.n);
    this.program = program(gl);
    gl.useProgram(this.program);
    const placed = new Float32Array(points.length);
    for (let at = 0; at < this.n; at += 1) {
      placed[2 * at] = points[2 * this.order[at]];
      placed[2 * at + 1] = points[2 * this.order[at] + 1];
    }
    this.buffer("position", placed, (place) => gl.vertexAttribPointer(place, 2, gl.FLOAT, false, 0, 0));
    for (const name of ["tone", "flags"]) {
      this[name] = this.buffer(name, this.scratch, (place) =>
        gl.vertexAttribIPointer(place, 1, gl.UNSIGNED_BYTE, 0, 0),
      );
    }
    this.uniforms = Object.fromEntries(
      ["view", "size", "alpha"].map((name) => [name, gl.getUniformLocation(this.program, name)]),
    );
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    for (const side of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER])
      gl.texParameteri(gl.TEXTURE_2D, side, gl.NEAREST);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.clearColor(0, 0, 0, 0);
  }

  buffer(name, content, describe) {
    const { gl } = this;
    const buffer = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, content, gl.STATIC_DRAW);
    const place = gl.getAttribLocation(this.program, name);
    gl.enableVertexAttribArray(place);
    describe(place);
    return buffer;
  }

  /** @param {Uint8Array} table the colors of the tones, shape (256 * 4) */
  setTable(table) {
    const { gl } = this;
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, table);
  }

  /** @param {"tone"|"flags"} name @param {Uint8Array} values one for each row */
  set(name, values) {
    const { gl, order, scratch } = this;
    for (let at = 0; at < this.n; at += 1) scratch[at] = values[order[at]];
    gl.bindBuffer(gl.ARRAY_BUFFER, this[name]);
    gl.bufferSubData(gl.ARRAY_BUFFER, 0, scratch);
  }

  /**
   * @param {{x: number, y: number, zoom: number}} camera the center, and pixels per unit
   * @param {{ratio: number, moving: boolean, inView: number}} how device pixels per pixel; about how many points show
   */
  draw(camera, { ratio, moving, inView }) {
    const { gl, canvas, uniforms } = this;
    const count = moving ? this.sample() : this.n;
    if (!moving) this.last = 0;
    const size = pointSize(canvas.width * canvas.height, Math.max(1, inView), ratio);
    const shown = Math.max(1, inView * (count / this.n));
    const alpha = Math.min(0.92, Math.max(0.1, (0.35 * canvas.width * canvas.height) / (shown * size * size)));
    const [sx, sy] = [(2 * camera.zoom * ratio) / canvas.width, (2 * camera.zoom * ratio) / canvas.height];
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.uniform4f(uniforms.view, sx, sy, -camera.x * sx, -camera.y * sy);
    gl.uniform1f(uniforms.size, size);
    gl.uniform1f(uniforms.alpha, alpha);
    gl.drawArrays(gl.POINTS, 0, count);
  }

  /** How many points to draw while the map moves: from how long the last frames took. */
  sample() {
    const now = performance.now();
    const took = now - this.last;
    if (this.last && took < 1000) {
      const factor = took > FRAME_MS * 1.3 ? 0.7 : took < FRAME_MS * 0.7 ? 1.25 : 1;
      this.budget = Math.min(this.n, Math.max(Math.min(FEWEST, this.n), this.budget * factor));
    }
    this.last = now;
    return Math.floor(this.budget);
  }
}

/** The diameter of a point in device pixels: small where there are many, large where there are few. */
function pointSize(area, inView, ratio) {
  return Math.min(11 * ratio, Math.max(1.6 * ratio, 0.28 * Math.sqrt(area / inView)));
}

/** 0 .. n-1 in an order that looks random and is the same every time. */
function shuffled(n) {
  const order = new Uint32Array(n).map((_, at) => at);
  let seed = 1;
  for (let at = n - 1; at > 0; at -= 1) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    const other = Math.floor((seed / 4294967296) * (at + 1));
    [order[at], order[other]] = [order[other], order[at]];
  }
  return order;
}

function program(gl) {
  const made = gl.createProgram();
  for (const [kind, source] of [
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, FRAGMENT],
  ]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(made, shader);
  }
  gl.linkProgram(made);
  if (!gl.getProgramParameter(made, gl.LINK_STATUS))
    throw new Error(`The map cannot be drawn: ${gl.getProgramInfoLog(made)}`);
  return made;
}
