/**
 * Points on a canvas, by WebGL2.
 *
 * Conventions: points are drawn in a shuffled order, so that any first part of them is a fair sample: while the map
 * moves, a machine without a GPU draws as many as it can at 20 frames a second. When it stands still, the whole picture
 * is put together in parts and then shown, so that a page with a million points never stops answering.
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
const FIRST = 60_000; // points of the first frame
const FEWEST = 20_000;
const PARTS = 8; // of the whole picture, at most

export class Renderer {
  /** @param {HTMLCanvasElement} canvas @param {Float32Array} points shape (n * 2), NaN for a point that is not shown */
  constructor(canvas, points) {
    const gl = canvas.getContext("webgl2", {
      antialias: false,
      premultipliedAlpha: true,
      powerPreference: "high-performance",
    });
    if (!gl) throw new Error("This browser has no WebGL2, which the map is drawn with. The lists and searches work.");
    Object.assign(this, {
      canvas,
      gl,
      n: points.length / 2,
      budget: Math.min(FIRST, points.length / 2),
      last: 0,
      done: 0,
      part: null,
    });
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

  /** How points look: their size, and how transparent they are if `count` of them are drawn. */
  look(camera, { ratio, inView }, count) {
    const { gl, canvas, uniforms } = this;
    const area = canvas.width * canvas.height;
    const size = pointSize(area, Math.max(1, inView), ratio);
    const shown = Math.max(1, inView * (count / this.n));
    const [sx, sy] = [(2 * camera.zoom * ratio) / canvas.width, (2 * camera.zoom * ratio) / canvas.height];
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.uniform4f(uniforms.view, sx, sy, -camera.x * sx, -camera.y * sy);
    gl.uniform1f(uniforms.size, size);
    gl.uniform1f(uniforms.alpha, Math.min(0.92, Math.max(0.1, (0.35 * area) / (shown * size * size))));
  }

  /**
   * A sample, at once: as many points as fit into a frame, by how long the last frames took.
   * @param {{x: number, y: number, zoom: number}} camera the center, and pixels per unit
   * @param {{ratio: number, inView: number}} how device pixels per pixel; about how many points show
   */
  drawSample(camera, how) {
    const { gl } = this;
    const count = this.sample();
    this.look(camera, how, count);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.drawArrays(gl.POINTS, 0, count);
    this.done = count === this.n ? this.n : 0;
  }

  /**
   * The next part of the whole picture, apart from what is shown until the last part is there.
   * @returns {boolean} whether the whole picture is shown now
   */
  drawPart(camera, how) {
    const { gl, canvas } = this;
    if (this.done === this.n && !this.part) return true;
    if (!this.part) this.part = { ...this.apart(), done: 0 };
    const { part } = this;
    const count = Math.min(Math.max(this.sample(), Math.ceil(this.n / PARTS)), this.n - part.done);
    gl.bindFramebuffer(gl.FRAMEBUFFER, part.frame);
    this.look(camera, how, this.n);
    if (!part.done) gl.clear(gl.COLOR_BUFFER_BIT);
    gl.drawArrays(gl.POINTS, part.done, count);
    part.done += count;
    if (part.done === this.n) {
      gl.bindFramebuffer(gl.READ_FRAMEBUFFER, part.frame);
      gl.bindFramebuffer(gl.DRAW_FRAMEBUFFER, null);
      const [width, height] = [canvas.width, canvas.height];
      gl.blitFramebuffer(0, 0, width, height, 0, 0, width, height, gl.COLOR_BUFFER_BIT, gl.NEAREST);
      this.done = this.n;
    }
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    if (this.done === this.n) this.forget();
    return this.done === this.n;
  }

  /** A picture of the canvas's size that is not shown. */
  apart() {
    const { gl, canvas } = this;
    const [frame, image] = [gl.createFramebuffer(), gl.createRenderbuffer()];
    gl.bindRenderbuffer(gl.RENDERBUFFER, image);
    gl.renderbufferStorage(gl.RENDERBUFFER, gl.RGBA8, canvas.width, canvas.height);
    gl.bindFramebuffer(gl.FRAMEBUFFER, frame);
    gl.framebufferRenderbuffer(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.RENDERBUFFER, image);
    return { frame, image };
  }

  /** The whole picture is begun anew: places, colors or size have changed. */
  forget() {
    if (!this.part) return;
    this.gl.deleteFramebuffer(this.part.frame);
    this.gl.deleteRenderbuffer(this.part.image);
    this.part = null;
  }

  /** How many points fit into a frame: from how long the last one took. */
  sample() {
    const now = performance.now();
    const took = now - this.last;
    if (this.last) {
      const factor = took > FRAME_MS * 3 ? 0.5 : took > FRAME_MS * 1.3 ? 0.75 : took < FRAME_MS * 0.7 ? 1.4 : 1;
      this.budget = Math.min(this.n, Math.max(Math.min(FEWEST, this.n), this.budget * factor));
    }
    this.last = now;
    return Math.floor(this.budget);
  }

  /** Frames stop here: the time until the next one says nothing. */
  rest() {
    this.last = 0;
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
