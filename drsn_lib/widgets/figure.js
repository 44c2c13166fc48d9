// What every live figure shares: two hosts, a theme, controls, charts in SVG, random numbers.
// A classic script without dependencies. In a book page it runs as it stands; in Jupyter it is the first
// part of an ES module. A figure's own script ends in `return DrsnFigure.figure("its-tag", {...})`.
const DrsnFigure = (() => {
  // Okabe and Ito's colors, as in drsn_lib/plotting.py (a test holds the two equal).
  const COLORS = {
    black: "#1a1a1a", gray: "#7a7a7a", blue: "#0072B2", sky: "#56B4E9",
    green: "#009E73", orange: "#E69F00", vermillion: "#D55E00", purple: "#CC79A7",
  };

  const SHEET = `
    :host { display: block; }
    * { box-sizing: border-box; }
    .drsn {
      --ink: #1f2328; --soft: #59636e; --line: #d5dae0; --faint: #eef1f4; --card: #ffffff; --lift: #f6f8fa;
      --blue: ${COLORS.blue}; --sky: ${COLORS.sky}; --green: ${COLORS.green}; --orange: ${COLORS.orange};
      --vermillion: ${COLORS.vermillion}; --purple: ${COLORS.purple}; --gray: ${COLORS.gray};
      --focus: #0a5ad0; --text-mix: 72%;
      --probe: var(--pst-color-text-base, var(--jp-content-font-color1, inherit));
      font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", sans-serif;
      font-variant-numeric: tabular-nums; text-align: left; color: var(--ink); background: var(--card);
      border: 1px solid var(--line); border-radius: 12px; padding: 18px 20px 14px; max-width: var(--drsn-width, 1040px); margin: 0 auto;
    }
    .drsn[data-theme="dark"] {
      --ink: #e6e9ed; --soft: #a9b2bd; --line: #3b434d; --faint: #252b33; --card: #171b21; --lift: #20262e;
      --blue: #4aa8e0; --green: #22bd92; --vermillion: #f0813a; --purple: #d993ba; --gray: #9aa2ab;
      --focus: #7db8ff; --text-mix: 90%;
    }
    .probe { color: var(--probe); position: absolute; }
    p { margin: 0; }
    button, .choice span {
      font: inherit; color: var(--ink); background: var(--card); border: 1px solid var(--line); border-radius: 8px;
      padding: 5px 13px; min-height: 36px; cursor: pointer; display: inline-flex; align-items: center;
    }
    button:hover, .choice label:hover span { background: var(--faint); }
    button[aria-pressed="true"], .choice input:checked + span {
      background: var(--ink); color: var(--card); border-color: var(--ink);
    }
    :focus-visible, .choice input:focus-visible + span { outline: 3px solid var(--focus); outline-offset: 2px; }
    .choice { border: 0; padding: 0; margin: 0; min-width: 0; display: flex; flex-wrap: wrap; gap: 0; }
    .choice legend, .slider label { color: var(--soft); font-size: 13.5px; padding: 0; margin-bottom: 3px; }
    .choice label { position: relative; display: inline-flex; margin-left: -1px; }
    .choice label span { border-radius: 0; }
    .choice label:first-of-type span { border-radius: 8px 0 0 8px; }
    .choice label:last-of-type span { border-radius: 0 8px 8px 0; }
    .choice input { position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; opacity: 0; cursor: pointer; }
    .choice input:focus-visible + span { position: relative; z-index: 1; }
    .slider { display: grid; grid-template-columns: 1fr auto; column-gap: 10px; align-items: baseline; min-width: 0; }
    .slider b { font-weight: 650; }
    .slider input { grid-column: 1 / -1; width: 100%; height: 28px; margin: 0; accent-color: var(--accent, var(--blue)); cursor: pointer; }
    svg { display: block; width: 100%; overflow: visible; }
    svg text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", sans-serif; fill: var(--soft); font-variant-numeric: tabular-nums; }
    svg .title { fill: var(--ink); font-weight: 600; font-size: 14px; }
    svg .axis { stroke: var(--soft); stroke-width: 1; fill: none; }
    svg .grid { stroke: var(--line); stroke-width: 1; fill: none; shape-rendering: crispEdges; }
    svg .halo { paint-order: stroke; stroke: var(--card); stroke-width: 4px; stroke-linejoin: round; }
    .drag { touch-action: pan-y; cursor: ew-resize; }
    .ask { background: var(--lift); border-left: 4px solid var(--vermillion); border-radius: 4px 8px 8px 4px; padding: 10px 14px 12px; margin-bottom: 16px; }
    .ask .row { display: flex; flex-wrap: wrap; gap: 8px; margin-top: 8px; }
    .ask .answer:not(:empty) { margin-top: 10px; }
    .controls { display: grid; grid-template-columns: repeat(12, 1fr); gap: 12px 24px; align-items: end; }
    .controls > .choice { grid-column: span 7; }
    .controls > .buttons { grid-column: span 5; display: flex; gap: 8px; justify-content: flex-end; }
    .controls > .slider, .controls > .select { grid-column: span 6; }
    .select { display: grid; min-width: 0; }
    .select label { color: var(--soft); font-size: 13.5px; margin-bottom: 3px; }
    .select select { font: inherit; color: var(--ink); background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 5px 10px; min-height: 36px; width: 100%; }
    .numbers { display: grid; grid-template-columns: minmax(max-content, 1fr) minmax(max-content, 1.2fr) minmax(max-content, 1fr); margin: 12px 0 18px; padding: 0; border-block: 1px solid var(--line); }
    .numbers > div { padding: 8px 12px 9px 16px; border-left: 1px solid var(--line); min-width: 0; }
    .numbers > div:first-child { padding-left: 0; border-left: 0; }
    .numbers dt { color: var(--soft); font-size: 13.5px; }
    .numbers dd { margin: 0; font-size: 21px; font-weight: 650; line-height: 1.3; white-space: nowrap; }
    .numbers dd small { font-size: 14px; font-weight: 400; color: var(--soft); }
    .charts { display: grid; grid-template-columns: 1fr 1fr; gap: 14px 28px; }
    .charts > .wide { grid-column: 1 / -1; }
    svg .formula { fill: var(--ink); font: 16px "STIX Two Text", Cambria, Georgia, "Times New Roman", serif; }
    .note { color: var(--soft); font-size: 13.5px; margin-top: 10px; }
    div.narrow .controls > * { grid-column: 1 / -1; justify-content: flex-start; }
    div.narrow .controls > .select { justify-content: stretch; }
    .narrow .charts { grid-template-columns: minmax(0, 1fr); }
    .medium .numbers { grid-template-columns: repeat(3, minmax(0, 1fr)); }
    .medium .numbers dd { font-size: 19px; white-space: normal; }
    .medium.narrow .numbers { grid-template-columns: 1fr; }
    .narrow .numbers > div { display: flex; justify-content: space-between; align-items: baseline; padding: 5px 0; border-left: 0; }
    .narrow .numbers > div + div { border-top: 1px solid var(--line); }
    .narrow .numbers dd { font-size: 17px; }
    .narrow .choice span { padding-inline: 10px; }
    @media (forced-colors: active) { button[aria-pressed="true"], .choice input:checked + span { forced-color-adjust: none; } }
    @media print { .controls { display: none; } }
  `;

  // ---- numbers ------------------------------------------------------------------------------------------

  // mulberry32; the twin is drsn_lib.widgets._base.uniforms.
  function uniforms(seed, count) {
    let state = seed >>> 0;
    const values = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), state | 1);
      t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
      values[i] = (((t ^ (t >>> 14)) >>> 0) + 0.5) / 4294967296;
    }
    return values;
  }

  // Box and Muller's transform; the twin is drsn_lib.widgets._base.normals.
  function normals(seed, count) {
    const u = uniforms(seed, count + (count % 2));
    const values = new Float64Array(count);
    for (let i = 0; i < u.length; i += 2) {
      const radius = Math.sqrt(-2 * Math.log(u[i]));
      const angle = 2 * Math.PI * u[i + 1];
      values[i] = radius * Math.cos(angle);
      if (i + 1 < count) values[i + 1] = radius * Math.sin(angle);
    }
    return values;
  }

  // White noise of unit variance; the twin is drsn_lib.widgets._base.noise.
  function noise(kind, seed, count) {
    if (kind === "gaussian") return normals(seed, count);
    const u = uniforms(seed, count);
    if (kind === "uniform") return u.map((v) => (v - 0.5) * Math.sqrt(12));
    return u.map((v) => (Math.sign(0.5 - v) * Math.log(1 - 2 * Math.abs(v - 0.5))) / Math.SQRT2); // laplacian
  }

  const mean = (values) => values.reduce((sum, v) => sum + v, 0) / values.length;

  // A number with a true minus sign.
  const fixed = (value, digits) => value.toFixed(digits).replace(/^-(?=0\.?0*$)/, "").replace("-", "−");

  // ---- charts: each returns a piece of SVG text -----------------------------------------------------------

  function scale([d0, d1], [r0, r1]) {
    const k = (r1 - r0) / (d1 - d0);
    const f = (v) => r0 + (v - d0) * k;
    f.invert = (r) => d0 + (r - r0) / k;
    return f;
  }

  const px = (v) => v.toFixed(1);

  function path(xs, ys, x, y, style) {
    let d = "";
    let pen = false;
    for (let i = 0; i < xs.length; i++) {
      // A gap where a value is missing: a function that jumps is not drawn as one that climbs.
      if (Number.isFinite(ys[i])) d += `${pen ? "L" : "M"}${px(x(xs[i]))} ${px(y(ys[i]))}`;
      pen = Number.isFinite(ys[i]);
    }
    return `<path d="${d}" fill="none" stroke-linejoin="round" stroke-linecap="round" ${style}/>`;
  }

  const line = (x1, y1, x2, y2, style) =>
    `<line x1="${px(x1)}" y1="${px(y1)}" x2="${px(x2)}" y2="${px(y2)}" ${style}/>`;

  const text = (x, y, words, style = "") => `<text x="${px(x)}" y="${px(y)}" ${style}>${words}</text>`;

  // A label in a mark's color, mixed with the ink so that small letters keep their contrast.
  const tint = (name) => `style="fill: color-mix(in srgb, var(--${name}) var(--text-mix), var(--ink))"`;

  function axes(box, x, y, { xTicks = [], yTicks = [], xFormat = String, yFormat = String, grid = true } = {}) {
    let out = "";
    for (const v of yTicks) {
      if (grid) out += line(box.left, y(v), box.right, y(v), 'class="grid"');
      out += text(box.left - 7, y(v) + 4, yFormat(v), 'text-anchor="end"');
    }
    for (const v of xTicks) {
      out += line(x(v), box.bottom, x(v), box.bottom + 4, 'class="axis"');
      out += text(x(v), box.bottom + 18, xFormat(v), 'text-anchor="middle"');
    }
    return out + line(box.left, box.bottom, box.right, box.bottom, 'class="axis"');
  }

  function svg(width, height, label, inner) {
    return `<svg viewBox="0 0 ${px(width)} ${height}" height="${height}" role="img" aria-label="${label}">${inner}</svg>`;
  }

  // About `count` round numbers within [low, high].
  function ticks(low, high, count) {
    const raw = (high - low) / count;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = power * [1, 2, 5, 10].find((m) => m * power >= raw * 0.999);
    const out = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) out.push(+(i * step).toPrecision(12));
    return out;
  }

  // ---- data that a figure brings along -----------------------------------------------------------------------

  // What the figure's data script has put here: drsn_lib.widgets._base.LiveFigure.data_script.
  const data = (name) => globalThis.DrsnData[name];

  // float32 numbers from base64; the twin is drsn_lib.widgets._base.pack.
  function floats(text) {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    return new Float32Array(bytes.buffer);
  }

  // ---- hosts ----------------------------------------------------------------------------------------------

  // The five methods of an anywidget model, for a page without a kernel.
  function standIn(state) {
    const handlers = {};
    return {
      get: (key) => state[key],
      set(key, value) {
        if (state[key] === value) return;
        state[key] = value;
        (handlers[`change:${key}`] || []).forEach((handler) => handler());
      },
      on: (event, handler) => void (handlers[event] ||= []).push(handler),
      off: (event, handler) => void (handlers[event] = (handlers[event] || []).filter((h) => h !== handler)),
      save_changes() {},
    };
  }

  function isDark(probe) {
    const color = getComputedStyle(probe).color;
    const unit = color.startsWith("color(") ? 1 : 255;
    const [r, g, b] = (color.match(/[\d.]+(?:e-?\d+)?/g) || [0, 0, 0]).map((v) => v / unit);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.5;
  }

  // Build the figure in a shadow root of `host`; return a function that takes it away again.
  function mount(host, model, spec) {
    const shadow = host.shadowRoot || host.attachShadow({ mode: "open" });
    // JupyterLab takes arrow keys away unless the host and the focused element both say this.
    host.setAttribute("data-lm-suppress-shortcuts", "true");
    const style = document.createElement("style");
    style.textContent = SHEET + (spec.css || "");
    const root = document.createElement("div");
    root.className = "drsn";
    root.innerHTML = '<span class="probe" aria-hidden="true"></span><div class="body"></div>';
    shadow.replaceChildren(style, root);
    const body = root.querySelector(".body");

    const names = Object.keys(spec.defaults);
    const ui = {
      body,
      $: (selector) => body.querySelector(selector),
      $$: (selector) => [...body.querySelectorAll(selector)],
      state: () => Object.fromEntries(names.map((name) => [name, model.get(name) ?? spec.defaults[name]])),
      set(changes) {
        for (const [name, value] of Object.entries(changes)) model.set(name, value);
        model.save_changes();
        schedule();
      },
      // Controls that set the state's value of their own name: `<input type=range id=...>`, a select, radios.
      bind(...controls) {
        for (const name of controls) {
          const number = typeof spec.defaults[name] === "number";
          for (const e of body.querySelectorAll(`#${name}, [name=${name}]`))
            e.addEventListener(e.type === "range" ? "input" : "change", () => ui.set({ [name]: number ? +e.value : e.value }));
        }
      },
      // What a slider, a select or radios show: their value, words beside it, and words for a screen reader.
      show(name, value, words = "", spoken = words) {
        body.querySelectorAll(`[name=${name}]`).forEach((e) => (e.checked = e.value === String(value)));
        const control = body.querySelector(`#${name}`);
        if (!control) return;
        control.value = value;
        if (control.type !== "range") return;
        body.querySelector(`#${name}-value`).textContent = words;
        control.setAttribute("aria-valuetext", spoken);
      },
      // The question in `ask`: returns what shows the answer, to be called with the state on every drawing.
      // `reply(guess, state)` is the answer's HTML; it is asked for only once a guess was made.
      prediction(reply) {
        let guess = "";
        const buttons = [...body.querySelectorAll("[data-guess]")];
        for (const button of buttons)
          button.addEventListener("click", () => {
            guess = button.dataset.guess;
            schedule();
          });
        ui.forget = () => (guess = "");
        return (state) => {
          buttons.forEach((b) => b.setAttribute("aria-pressed", b.dataset.guess === guess));
          const words = guess && reply(guess, state);
          const answer = body.querySelector(".answer");
          if (answer.dataset.words === words) return;
          answer.dataset.words = words;
          answer.innerHTML = words;
        };
      },
      // The button with the id "reset": the state that the figure began with.
      resettable() {
        body.querySelector("#reset").addEventListener("click", () => {
          ui.forget?.();
          ui.set({ ...ui.initial });
        });
      },
      // A chart that is dragged sideways: `pick` gets the pointer's x in the chart's own pixels.
      draggable(element, pick) {
        const at = (event) => pick(event.clientX - element.getBoundingClientRect().left);
        element.classList.add("drag");
        element.addEventListener("pointerdown", (event) => {
          if (event.button) return;
          element.setPointerCapture(event.pointerId);
          at(event);
        });
        element.addEventListener("pointermove", (event) => {
          if (element.hasPointerCapture(event.pointerId)) at(event);
        });
      },
    };
    ui.initial = ui.state();
    const draw = spec.create(ui);
    ui.$$("button, input, select").forEach((e) => e.setAttribute("data-lm-suppress-shortcuts", "true"));

    let frame = 0;
    function paint() {
      frame = 0;
      root.dataset.theme = isDark(root.querySelector(".probe")) ? "dark" : "light";
      const width = body.clientWidth;
      if (width <= 0) return;
      body.classList.toggle("narrow", width < 560); // a phone
      body.classList.toggle("medium", width < 760); // a chapter's column
      const start = performance.now();
      draw(ui.state(), width);
      host.drawingTime = performance.now() - start; // in milliseconds; a test looks at it
    }
    function schedule() {
      // Not at once: while the host is detached it has neither a width nor colors.
      if (!frame) frame = requestAnimationFrame(paint);
    }
    names.forEach((name) => model.on(`change:${name}`, schedule));
    const sizes = new ResizeObserver(schedule);
    sizes.observe(body);
    const themes = new MutationObserver(schedule);
    for (const element of [document.documentElement, document.body]) themes.observe(element, { attributes: true });
    // A host may load its theme's style sheet after it has said that it changes.
    const late = new MutationObserver(() => setTimeout(schedule, 250));
    late.observe(document.head, { childList: true });
    const system = matchMedia("(prefers-color-scheme: dark)");
    system.addEventListener("change", schedule);
    schedule();
    return () => {
      names.forEach((name) => model.off(`change:${name}`, schedule));
      [sizes, themes, late].forEach((observer) => observer.disconnect());
      system.removeEventListener("change", schedule);
      cancelAnimationFrame(frame);
    };
  }

  // Make a figure of `spec`: {defaults, css, create(ui) -> draw(state, width), math}.
  function figure(tag, spec) {
    function render({ model, el }) {
      const host = document.createElement("div");
      el.replaceChildren(host);
      return mount(host, model, spec);
    }
    // Null inside an ES module: there, anywidget calls render.
    if (document.currentScript && !customElements.get(tag)) {
      customElements.define(tag, class extends HTMLElement {
        connectedCallback() {
          const state = { ...spec.defaults, ...JSON.parse(this.dataset.state || "{}") };
          this.model ||= standIn(state);
          this.leave = mount(this, this.model, spec);
        }
        disconnectedCallback() {
          this.leave?.();
        }
      });
    }
    return { render, math: spec.math };
  }

  // ---- controls: HTML text; wire them with `ui.$` ------------------------------------------------------------

  const slider = (id, words, [low, high, step], accent) =>
    `<div class="slider" style="--accent: var(--${accent})"><label for="${id}">${words}</label>` +
    `<b id="${id}-value" aria-hidden="true"></b><input type="range" id="${id}" min="${low}" max="${high}" step="${step}"></div>`;

  const choice = (name, legend, options) =>
    `<fieldset class="choice"><legend>${legend}</legend>` +
    options.map(([value, words]) =>
      `<label><input type="radio" name="${name}" value="${value}"><span>${words}</span></label>`).join("") +
    "</fieldset>";

  const select = (id, words, options) =>
    `<div class="select"><label for="${id}">${words}</label><select id="${id}">` +
    options.map(([value, name]) => `<option value="${value}">${name}</option>`).join("") + "</select></div>";

  // The question that a reader answers first; `ui.prediction` wires it.
  const ask = (question, options) =>
    `<div class="ask" role="group" aria-label="Predict first"><p>${question}</p><div class="row">` +
    options.map(([value, words]) => `<button type="button" data-guess="${value}" aria-pressed="false">${words}</button>`).join("") +
    '</div><p class="answer" role="status"></p></div>';

  const numbers = (items) =>
    `<dl class="numbers">${items.map(([id, words]) => `<div><dt>${words}</dt><dd id="${id}"></dd></div>`).join("")}</dl>`;

  return {
    COLORS, uniforms, normals, noise, mean, fixed, scale, px, path, line, text, tint, axes, svg, ticks, data, floats,
    slider, choice, select, ask, numbers, mount, standIn, figure,
  };
})();
