// The threshold laboratory. Every formula here has a NumPy twin in threshold_lab.py; tests compare the two.
const ThresholdLab = (() => {
  const { noise, mean, fixed, scale, px, path, line, text, tint, axes, svg, ticks, slider, choice, select, ask, numbers } = DrsnFigure;

  const N = 256;
  const MAX = 4;
  const STEP = 0.02;
  const IMPACTS = [[18, 3.4], [58, -2.4], [98, 2.9], [138, -3.1], [178, 2.2], [218, 3.0]];
  const DEFAULTS = { function: "soft", threshold: 0.4, sigma: 0.5, noise: "gaussian", draw: 1 };

  const FUNCTIONS = {
    soft: { name: "soft", formula: "y = sign(x) · max(|x| − τ, 0)", y: (x, t) => Math.sign(x) * Math.max(Math.abs(x) - t, 0), d: (x, t) => +(Math.abs(x) > t) },
    hard: { name: "hard", formula: "y = x where |x| > τ, else 0", y: (x, t) => (Math.abs(x) > t ? x : 0), d: (x, t) => +(Math.abs(x) > t) },
    garrote: { name: "garrote", formula: "y = x − τ²/x where |x| > τ, else 0", y: (x, t) => (Math.abs(x) > t ? x - (t * t) / x : 0), d: (x, t) => (Math.abs(x) > t ? 1 + (t / x) ** 2 : 0) },
    relu: { name: "ReLU", formula: "y = max(x − τ, 0)", y: (x, t) => Math.max(x - t, 0), d: (x, t) => +(x > t) },
  };

  // ---- the mathematics ------------------------------------------------------------------------------------

  function cleanSignal() {
    const s = new Float64Array(N);
    for (const [start, height] of IMPACTS)
      for (let k = 0; k < 12; k++) s[start + k] = height * 0.72 ** k * Math.cos(2 * Math.PI * 0.19 * k);
    return s;
  }
  const CLEAN = cleanSignal();
  const POWER = mean(CLEAN.map((v) => v * v));
  const GRID = Float64Array.from({ length: Math.round(MAX / STEP) + 1 }, (_, i) => i * STEP);

  const noisySignal = (sigma, draw, kind = "gaussian") => noise(kind, draw, N).map((v, i) => CLEAN[i] + sigma * v);
  const apply = (name, x, t) => x.map((v) => FUNCTIONS[name].y(v, t));
  const derivative = (name, x, t) => x.map((v) => FUNCTIONS[name].d(v, t));
  const error = (y) => mean(y.map((v, i) => (v - CLEAN[i]) ** 2));
  const universal = (sigma) => sigma * Math.sqrt(2 * Math.log(N));

  function errorCurve(name, sigma, draw, kind) {
    const x = noisySignal(sigma, draw, kind);
    const { y } = FUNCTIONS[name];
    return GRID.map((t) => {
      let sum = 0;
      for (let i = 0; i < N; i++) sum += (y(x[i], t) - CLEAN[i]) ** 2;
      return sum / N;
    });
  }

  function bestOf(curve) {
    // Hard thresholding's curve is made of steps: a tie must not be settled by rounding.
    const limit = Math.min(...curve) * (1 + 1e-9);
    return GRID[curve.findIndex((v) => v <= limit)];
  }

  function measures({ function: name, threshold, sigma, draw, noise: kind }, curve = errorCurve(name, sigma, draw, kind)) {
    const noisy = noisySignal(sigma, draw, kind);
    const output = apply(name, noisy, threshold);
    const before = error(noisy);
    const after = error(output);
    return {
      mse_before: before,
      mse_after: after,
      snr_before: 10 * Math.log10(POWER / before),
      snr_after: 10 * Math.log10(POWER / after),
      snr_gain: 10 * Math.log10(before / after),
      zeroed: output.filter((v) => v === 0).length / N,
      best: bestOf(curve),
      universal: universal(sigma),
    };
  }

  // ---- the charts -------------------------------------------------------------------------------------------

  // The function and, below it on the same axis, its derivative.
  function drawFunction(width, { function: name, threshold: t }) {
    const f = FUNCTIONS[name];
    const height = 374;
    const box = { left: 34, right: width - 8, top: 30, bottom: 226 };
    const low = { left: 34, right: width - 8, top: 270, bottom: 332 };
    const x = scale([-4, 4], [box.left, box.right]);
    const y = scale([-4, 4], [box.bottom, box.top]);
    const d = scale([0, 2.1], [low.bottom, low.top]);
    const zero = name === "relu" ? [-4, t] : [-t, t];
    // Samples on both sides of each kink, and a gap between, so that a jump is seen as one.
    const xs = [];
    const gaps = name === "relu" ? [t] : [-t, t];
    const cuts = [-4, ...gaps, 4];
    for (let i = 0; i + 1 < cuts.length; i++) {
      const [a, b] = [cuts[i], cuts[i + 1]];
      for (let k = 0; k <= 60; k++) xs.push(a + 1e-9 + ((b - a - 2e-9) * k) / 60);
      xs.push(NaN);
    }
    const ys = xs.map((v) => (Number.isFinite(v) ? f.y(v, t) : NaN));
    const ds = xs.map((v) => (Number.isFinite(v) ? f.d(v, t) : NaN));
    let out = text(0, 14, "The function y(x)", 'class="title"');
    for (const [b, s] of [[box, y], [low, d]])
      out += `<rect x="${px(x(zero[0]))}" y="${b.top}" width="${px(Math.max(x(zero[1]) - x(zero[0]), 0))}" height="${b.bottom - b.top}" fill="var(--vermillion)" opacity=".13"/>`;
    out += axes(box, x, y, { yTicks: [-4, -2, 0, 2, 4], yFormat: (v) => fixed(v, 0) });
    out += line(x(-4), y(-4), x(4), y(4), 'stroke="var(--soft)" stroke-width="1.2" stroke-dasharray="4 4"');
    out += text(x(3.05), y(3.65), "y = x", 'text-anchor="end" class="halo"');
    if (x(zero[1]) - x(zero[0]) > 84) out += text(x((zero[0] + zero[1]) / 2), box.bottom - 9, "set to zero", `text-anchor="middle" ${tint("vermillion")}`);
    out += path(xs, ys, x, y, 'class="curve" stroke="var(--blue)" stroke-width="3"');
    out += text(0, 258, "Its derivative dy/dx", 'class="title"');
    out += axes(low, x, d, { xTicks: [-4, -2, 0, 2, 4], yTicks: [0, 1, 2], xFormat: (v) => fixed(v, 0) });
    out += path(xs, ds, x, d, 'class="slope" stroke="var(--blue)" stroke-width="3"');
    for (const b of [box, low]) {
      out += line(x(t), b.top, x(t), b.bottom, 'stroke="var(--vermillion)" stroke-width="1.5"');
      if (name !== "relu") out += line(x(-t), b.top, x(-t), b.bottom, 'stroke="var(--vermillion)" stroke-width="1.5" stroke-dasharray="3 3"');
    }
    out += text(Math.min(x(t), box.right - 8) + 1, box.bottom + 14, "τ", `${tint("vermillion")} font-weight="600"`);
    if (name !== "relu") out += text(Math.max(x(-t), box.left + 18) - 1, box.bottom + 14, "−τ", `text-anchor="end" ${tint("vermillion")} font-weight="600"`);
    out += text(box.left, height - 6, f.formula, 'class="formula"');
    const label = `${f.name} threshold function at τ = ${fixed(t, 2)}: ${f.formula}; below it, its derivative`;
    return { svg: svg(width, height, label, out), x };
  }

  // The error against the threshold, with three marks.
  function drawError(width, { function: name, threshold: t, sigma }, curve, m) {
    const height = 374;
    const box = { left: 44, right: width - 8, top: 46, bottom: 332 };
    const x = scale([0, MAX], [box.left, box.right]);
    const top = Math.max(...curve, m.mse_before) * 1.12;
    const y = scale([0, top], [box.bottom, box.top]);
    const digits = top < 0.1 ? 3 : top < 0.5 ? 2 : 1;
    const best = curve[Math.round(m.best / STEP)];
    let out = text(0, 14, "Mean squared error against τ", 'class="title"');
    out += axes(box, x, y, { xTicks: [0, 1, 2, 3, 4], yTicks: ticks(0, top, 5), yFormat: (v) => fixed(v, digits) });
    // Before thresholding.
    out += line(box.left, y(m.mse_before), box.right, y(m.mse_before), 'stroke="var(--soft)" stroke-width="1.5" stroke-dasharray="6 4"');
    out += text(box.right, y(m.mse_before) - 6, "noisy signal", 'text-anchor="end" class="halo"');
    // The universal threshold.
    const ux = x(m.universal);
    const words = `universal ${fixed(m.universal, 2)} = ${fixed(m.universal / sigma, 1)} σ`;
    const uEnd = ux + 7 * words.length > box.right;
    out += line(ux, box.top - 3, ux, box.bottom, 'stroke="var(--purple)" stroke-width="2" stroke-dasharray="2 4" stroke-linecap="round"');
    out += text(uEnd ? Math.max(ux - 6, box.left + 7 * words.length) : ux + 6, box.top - 8, words, `text-anchor="${uEnd ? "end" : "start"}" class="halo" ${tint("purple")}`);
    out += path(GRID, curve, x, y, 'class="error" stroke="var(--blue)" stroke-width="3"');
    // The best threshold of the grid.
    const bEnd = x(m.best) > box.right - 100;
    out += line(x(m.best), y(best), x(m.best), box.bottom, 'stroke="var(--green)" stroke-width="2"');
    out += `<path d="M${px(x(m.best))} ${px(y(best) - 7)}l7 7l-7 7l-7 -7z" fill="var(--green)" stroke="var(--card)" stroke-width="1.5"/>`;
    out += text(x(m.best) + (bEnd ? -8 : 8), box.bottom - 9, `best ${fixed(m.best, 2)} = ${fixed(m.best / sigma, 1)} σ`, `text-anchor="${bEnd ? "end" : "start"}" class="halo" ${tint("green")}`);
    // Where the reader is.
    const here = y(m.mse_after);
    out += line(x(t), here, x(t), box.bottom, 'stroke="var(--vermillion)" stroke-width="1.5"');
    out += `<circle class="here" cx="${px(x(t))}" cy="${px(here)}" r="7" fill="var(--vermillion)" stroke="var(--card)" stroke-width="2"/>`;
    // Its value below the axis, at a handle; the axis's own name gives way to it.
    out += `<path d="M${px(x(t))} ${box.bottom}l7 9h-14z" fill="var(--vermillion)" stroke="var(--card)" stroke-width="1"/>`;
    const there = Math.min(Math.max(x(t), box.left + 10), box.right - 26);
    out += text(there, box.bottom + 36, `τ = ${fixed(t, 2)}`, `text-anchor="middle" font-weight="600" ${tint("vermillion")}`);
    const free = there < (box.left + box.right) / 2;
    out += text(free ? box.right : box.left, box.bottom + 36, "threshold", `text-anchor="${free ? "end" : "start"}"`);
    const label = `Mean squared error against the threshold: ${fixed(m.mse_after, 3)} at τ = ${fixed(t, 2)}, smallest at ${fixed(m.best, 2)}; the universal threshold is ${fixed(m.universal, 2)}`;
    return { svg: svg(width, height, label, out), x };
  }

  // The signal before and after, and what was taken away, on one time axis.
  function drawSignals(width, { threshold: t }, noisy, output) {
    const height = 440;
    const strip = (top) => ({ left: 34, right: width - 8, top, bottom: top + 104 });
    const [a, b, c] = [strip(24), strip(160), strip(296)];
    const x = scale([0, N - 1], [a.left, a.right]);
    const index = Float64Array.from({ length: N }, (_, i) => i);
    const [ya, yb, yc] = [a, b, c].map((box) => scale([-4.6, 4.6], [box.bottom, box.top]));
    const clean = (y) => path(index, CLEAN, x, y, 'stroke="var(--orange)" stroke-width="5" opacity=".55"');
    const levels = { yTicks: [-4, 0, 4], yFormat: (v) => fixed(v, 0) };
    let out = text(0, 14, "Before: noisy signal x", 'class="title"');
    out += `<rect x="${a.left}" y="${px(ya(t))}" width="${px(a.right - a.left)}" height="${px(ya(-t) - ya(t))}" fill="var(--vermillion)" opacity=".13"/>`;
    out += axes({ ...a, bottom: ya(0) }, x, ya, levels);
    out += clean(ya);
    out += path(index, noisy, x, ya, 'class="noisy" stroke="var(--gray)" stroke-width="1.3"');
    for (const v of [t, -t]) out += line(a.left, ya(v), a.right, ya(v), 'stroke="var(--vermillion)" stroke-width="1.2" stroke-dasharray="5 4"');
    out += text(0, 150, "After: thresholded signal y", 'class="title"');
    out += axes({ ...b, bottom: yb(0) }, x, yb, levels);
    out += clean(yb);
    out += path(index, output, x, yb, 'class="output" stroke="var(--blue)" stroke-width="2"');
    out += text(0, 286, "Taken away: residual x − y", 'class="title"');
    out += axes(c, x, yc, { ...levels, xTicks: [0, 64, 128, 192, 255] });
    out += path(index, noisy.map((v, i) => v - output[i]), x, yc, 'class="residual" stroke="var(--vermillion)" stroke-width="1.5"');
    // What the broad line behind is, once, where there is room.
    out += line(a.right - 84, 10, a.right - 58, 10, 'stroke="var(--orange)" stroke-width="5" opacity=".55"');
    out += text(a.right, 14, "clean s", 'text-anchor="end"');
    out += text(a.right, c.bottom + 34, "sample", 'text-anchor="end"');
    const zeroed = output.filter((v) => v === 0).length;
    return svg(width, height, `Noisy signal; below it the thresholded signal, of whose ${N} samples ${zeroed} are zero, with the clean signal behind both; below that what was taken away`, out);
  }

  // ---- the figure ---------------------------------------------------------------------------------------------

  function create(ui) {
    ui.body.innerHTML = `
      ${ask(`<b>Before you move τ:</b> soft thresholding moves every sample that it keeps toward zero by τ;
        hard thresholding leaves it where it is. Which of the two will have its smallest error at the larger τ?`,
        [["soft", "soft"], ["hard", "hard"], ["same", "the same"]])}
      <div class="controls">
        ${choice("function", "Function", Object.entries(FUNCTIONS).map(([key, f]) => [key, f.name]))}
        ${select("noise", "Kind of noise", [["gaussian", "Gaussian"], ["laplacian", "Laplacian: heavier tails"], ["uniform", "uniform: no tails"]])}
        <div class="buttons"><button type="button" id="draw">New noise</button><button type="button" id="reset">Reset</button></div>
        ${slider("threshold", "Threshold τ", [0, MAX, STEP], "vermillion")}
        ${slider("sigma", "Noise level σ", [0.1, 1.2, 0.05], "gray")}
      </div>
      ${numbers([["mse", "Mean squared error"], ["snr", "Signal-to-noise ratio"], ["zeroed", "Samples set to zero"]])}
      <div class="charts">
        <div id="function-chart"></div>
        <div id="error-chart"></div>
        <div id="signal-chart" class="wide"></div>
      </div>
      <p class="note">The clean signal is six impacts that ring and die away, as a damaged bearing's do, and zero between them:
      it is <b>sparse in time</b>, so its samples can be thresholded as they stand. A signal that is sparse elsewhere,
      as a sum of tones is in frequency, must be transformed first. The universal threshold is σ√(2 ln n), here with n = ${N}; it is made for Gaussian noise, which it almost never lets through. Drag τ in either upper chart, or use the slider and the arrow keys.</p>`;
    const { $ } = ui;
    let axisOf = {};

    const clamp = (t) => Math.min(MAX, Math.max(0, Math.round(t / STEP) * STEP));
    const setThreshold = (t) => ui.set({ threshold: +clamp(t).toFixed(2) });
    ui.bind("function", "threshold", "sigma", "noise");
    ui.resettable();
    $("#draw").addEventListener("click", () => ui.set({ draw: (ui.state().draw % 2147483647) + 1 }));
    ui.draggable($("#function-chart"), (at) => axisOf.function && setThreshold(Math.abs(axisOf.function.invert(at))));
    ui.draggable($("#error-chart"), (at) => axisOf.error && setThreshold(axisOf.error.invert(at)));

    // The error curves depend on all but the threshold: kept while only that moves.
    let memory = { key: "" };
    function remembered(state) {
      const { function: name, sigma, draw, noise: kind } = state;
      const key = `${name} ${sigma} ${draw} ${kind}`;
      if (memory.key !== key) {
        memory = { key, curve: errorCurve(name, sigma, draw, kind), noisy: noisySignal(sigma, draw, kind) };
      }
      return memory;
    }

    const predict = ui.prediction((guess, { sigma, draw, noise: kind }) => {
      const soft = bestOf(errorCurve("soft", sigma, draw, kind));
      const hard = bestOf(errorCurve("hard", sigma, draw, kind));
      const truth = hard > soft ? "hard" : hard < soft ? "soft" : "same";
      const at = (t) => `τ = ${fixed(t, 2)} (${fixed(t / sigma, 1)} σ)`;
      const why = truth === "hard"
        ? "Soft thresholding pays for every step of τ with bias on all that it keeps, so it stops early and lets some noise through. Hard thresholding pays nothing for what it keeps, and can go on until the noise is gone."
        : "That is unusual: draw new noise, and look again.";
      return `${guess === truth ? "Yes." : "Not here."} With this noise the error is smallest at ${at(soft)} for soft and at ${at(hard)} for hard. ${why} Choose <b>hard</b> below to see its curve.`;
    });

    return (state, width) => {
      state.threshold = Math.min(MAX, Math.max(0, state.threshold));
      const { curve, noisy } = remembered(state);
      const m = measures(state, curve);
      const half = width < 560 ? width : (width - 28) / 2;

      const left = drawFunction(half, state);
      const right = drawError(half, state, curve, m);
      axisOf = { function: left.x, error: right.x };
      $("#function-chart").innerHTML = left.svg;
      $("#error-chart").innerHTML = right.svg;
      $("#signal-chart").innerHTML = drawSignals(width, state, noisy, apply(state.function, noisy, state.threshold));

      const t = fixed(state.threshold, 2);
      ui.show("threshold", state.threshold, `${t} = ${fixed(state.threshold / state.sigma, 1)} σ`, `τ = ${t}, mean squared error ${fixed(m.mse_after, 3)}`);
      ui.show("sigma", state.sigma, fixed(state.sigma, 2), `σ = ${fixed(state.sigma, 2)}, signal-to-noise ratio ${fixed(m.snr_before, 1)} decibels`);
      ui.show("function", state.function);
      ui.show("noise", state.noise);
      $("#mse").innerHTML = `<small>${fixed(m.mse_before, 3)} →</small> ${fixed(m.mse_after, 3)}`;
      $("#snr").innerHTML = `<small>${fixed(m.snr_before, 1)} →</small> ${fixed(m.snr_after, 1)} dB <small>(${m.snr_gain < 0 ? "" : "+"}${fixed(m.snr_gain, 1)})</small>`;
      $("#zeroed").textContent = `${fixed(100 * m.zeroed, 0)} %`;
      predict(state);
    };
  }

  return DrsnFigure.figure("threshold-lab", {
    defaults: DEFAULTS,
    css: ".controls > .choice { grid-column: span 5; } .controls > .select { grid-column: span 4; } .controls > .buttons { grid-column: span 3; }",
    create,
    math: { cleanSignal, noisySignal, apply, derivative, errorCurve, bestOf, universal, measures, FUNCTIONS },
  });
})();
