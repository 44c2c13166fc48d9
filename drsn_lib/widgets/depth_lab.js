// The depth laboratory. Every formula here has a NumPy twin in depth_lab.py; tests compare the two.
const DepthLab = (() => {
  const { normals, fixed, scale, px, path, line, text, tint, axes, svg, slider, choice, ask, numbers } = DrsnFigure;

  const [WIDTH, BATCH, MAX_DEPTH, EPSILON] = [24, 24, 40, 1e-3];
  const SIZE = BATCH * WIDTH;
  const STACKS = { plain: ["without shortcuts", "vermillion"], residual: ["with shortcuts", "blue"] };

  // ---- the mathematics: arrays are flat, one sample after the other ------------------------------------------

  function norm(v) {
    let sum = 0;
    for (let i = 0; i < v.length; i++) sum += v[i] * v[i];
    return Math.sqrt(sum);
  }
  const rms = (v) => norm(v) / Math.sqrt(SIZE);

  function drawStack(depth, draw) {
    const z = normals(draw, 2 * SIZE + 2 * depth * WIDTH * WIDTH);
    const [x, r] = [z.slice(0, SIZE), z.slice(SIZE, 2 * SIZE)];
    const [a, b] = [rms(x), norm(r)];
    return { x: x.map((v) => v / a), r: r.map((v) => v / b), weights: z.slice(2 * SIZE) };
  }

  // Batch normalization: each column gets mean 0 and variance (nearly) 1.
  function normalize(h) {
    const [out, deviation] = [new Float64Array(SIZE), new Float64Array(WIDTH)];
    for (let c = 0; c < WIDTH; c++) {
      let mean = 0;
      let variance = EPSILON;
      for (let i = c; i < SIZE; i += WIDTH) mean += h[i] / BATCH;
      for (let i = c; i < SIZE; i += WIDTH) variance += (h[i] - mean) ** 2 / BATCH;
      deviation[c] = Math.sqrt(variance);
      for (let i = c; i < SIZE; i += WIDTH) out[i] = (h[i] - mean) / deviation[c];
    }
    return { out, deviation };
  }

  // Its way back, in place: g is a gradient with respect to the normalized h.
  function unnormalize(g, h, deviation) {
    for (let c = 0; c < WIDTH; c++) {
      let mean = 0;
      let along = 0;
      for (let i = c; i < SIZE; i += WIDTH) {
        mean += g[i] / BATCH;
        along += (g[i] * h[i]) / BATCH;
      }
      for (let i = c; i < SIZE; i += WIDTH) g[i] = (g[i] - mean - h[i] * along) / deviation[c];
    }
  }

  // ReLU and dense layer; with a gradient g behind them, the one in front.
  function dense(h, weights, layer, factor, g) {
    const out = new Float64Array(SIZE);
    for (let first = 0; first < SIZE; first += WIDTH)
      for (let c = 0; c < WIDTH; c++) {
        const value = h[first + c] * factor;
        const row = (layer * WIDTH + c) * WIDTH;
        let sum = 0;
        if (value <= 0) continue;
        if (!g) for (let j = 0; j < WIDTH; j++) out[first + j] += value * weights[row + j];
        else for (let j = 0; j < WIDTH; j++) sum += g[first + j] * weights[row + j];
        if (g) out[first + c] = sum * factor;
      }
    return out;
  }

  function travel({ x, r, weights }, depth, size, normalization, stack) {
    const factor = size * Math.sqrt(2 / WIDTH);
    const sum = (a, b) => {
      if (stack === "residual") for (let i = 0; i < SIZE; i++) a[i] += b[i];
      return a;
    };
    const [signal, gradient, steps] = [[rms(x)], [norm(r)], []];
    for (let layer = 0, h = x; layer < 2 * depth; layer++) {
      steps.push(normalization === "batch" ? normalize(h) : { out: h });
      h = dense(steps[layer].out, weights, layer, factor);
      if (layer % 2) signal.push(rms((x = h = sum(h, x))));
    }
    for (let layer = 2 * depth - 1, g = r; layer >= 0; layer--) {
      const { out, deviation } = steps[layer];
      g = dense(out, weights, layer, factor, g);
      if (deviation) unnormalize(g, out, deviation);
      if (layer % 2 === 0) gradient.unshift(norm((r = g = sum(g, r))));
    }
    return { signal, gradient };
  }

  // What a line of arithmetic expects of wide layers, large batches and independent weights.
  function theory(depth, size, normalization, stack) {
    const shortcut = +(stack === "residual");
    const rest = 1 - 1 / Math.PI;
    const [power, factors, back] = [[1], [], [1]];
    for (let k = 0; k < depth; k++) {
      const kept = shortcut || +(k === 0);
      const batch = size ** 2 / (rest * (kept + rest * (power[k] - kept)));
      factors.push((normalization === "batch" ? batch : size ** 4) + shortcut);
      power.push(normalization === "batch" ? size ** 2 + shortcut * power[k] : power[k] * factors[k]);
    }
    for (const f of factors.reverse()) back.unshift(back[0] * f);
    return { signal: power.map(Math.sqrt), gradient: back.map(Math.sqrt) };
  }

  // After how many units, from the end, has the gradient changed a hundredfold?
  function reach(gradient) {
    const n = [...gradient].reverse().findIndex((v) => Math.abs(Math.log10(v / gradient.at(-1))) >= 2);
    return n < 0 ? null : n;
  }

  const journeys = ({ depth, scale: size, normalization, draw }, arrays = drawStack(depth, draw)) =>
    Object.fromEntries(Object.keys(STACKS).map((s) => [s, travel(arrays, depth, size, normalization, s)]));

  function measures(trips) {
    const out = {};
    for (const [stack, { signal, gradient }] of Object.entries(trips)) {
      out[`${stack}_signal`] = signal.at(-1) / signal[0];
      out[`${stack}_gradient`] = gradient[0] / gradient.at(-1);
      out[`${stack}_reach`] = reach(gradient);
    }
    return out;
  }

  // ---- words and charts ---------------------------------------------------------------------------------------

  const raised = (n) => `10${[...String(n)].map((c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[c] ?? "⁻").join("")}`;

  // Two significant digits: 0.16, 5.3, 850, 2.9 · 10⁴.
  function short(v) {
    const [digits, e] = v.toExponential(1).split("e").map(Number);
    return e < -2 || e > 3 ? `${digits.toFixed(1)} · ${raised(e)}` : (+v.toPrecision(2)).toFixed(Math.max(0, 1 - e));
  }

  // Both stacks on a logarithmic scale; `at` is where the curves end and have their names.
  function drawProfiles(width, { depth, scale: size, normalization }, trips, part, at, title, way) {
    const box = { left: 44, right: width - 10, top: 54, bottom: 280 };
    const curves = Object.entries(STACKS).map(([stack, [words, color]]) => {
      const guide = theory(depth, size, normalization, stack)[part].map(Math.log10);
      return { stack, words, color, guide, values: trips[stack][part], logs: trips[stack][part].map(Math.log10) };
    });
    const all = curves.flatMap((c) => [...c.logs, ...c.guide]);
    const [low, high] = [Math.min(-2, Math.floor(Math.min(...all))), Math.max(2, Math.ceil(Math.max(...all)))];
    const range = (from, to, count) => {
      const step = [1, 2, 5, 10].find((s) => (to - from) / s <= count);
      return Array.from({ length: to - from + 1 }, (_, i) => from + i).filter((v) => v % step === 0);
    };
    const x = scale([0, depth], [box.left, box.right]);
    const y = scale([low, high], [box.bottom, box.top]);
    const anchor = at ? 'text-anchor="end"' : "";
    let out = text(0, 14, title, 'class="title"') + text(at ? 0 : width, 34, way, at ? "" : 'text-anchor="end"');
    out += axes(box, x, y, { xTicks: range(0, depth, 6), yTicks: range(low, high, 7), yFormat: raised });
    out += line(box.left, y(0), box.right, y(0), 'stroke="var(--soft)"');
    out += text((box.left + box.right) / 2, box.bottom + 38, "unit k", 'text-anchor="middle"');
    // The upper curve's name stands above its end, the lower one's below.
    const [upper, lower] = [...curves].sort((a, b) => b.logs[at] - a.logs[at]);
    const near = (c) => (at ? c.logs.slice(-depth * 0.5) : c.logs.slice(0, depth * 0.5)).map(y);
    upper.name = Math.min(Math.max(box.top + 2, Math.min(...near(upper)) - 10), box.bottom - 26);
    lower.name = Math.max(Math.min(box.bottom - 7, Math.max(...near(lower)) + 20), upper.name + 18);
    const k = Array.from({ length: depth + 1 }, (_, i) => i);
    for (const { stack, words, color, guide, logs, values, name } of curves) {
      out += path(k, guide, x, y, `stroke="var(--${color})" stroke-width="1.6" stroke-dasharray="1 5"`);
      out += path(k, logs, x, y, `class="${stack}" stroke="var(--${color})" stroke-width="3"`);
      out += `<circle cx="${px(x(at))}" cy="${px(y(logs[at]))}" r="5" fill="var(--${color})"/>`;
      out += text(x(at) + (at ? -4 : 8), name, `${words}: ${short(values[at])}`, `${anchor} class="halo" font-weight="600" ${tint(color)}`);
    }
    const said = curves.map((c) => `${c.words} ${short(c.values[at])}`).join(", ");
    return svg(width, 330, `${title}, logarithmic, through ${depth} units; at the end ${said}`, out);
  }

  // ---- the figure ---------------------------------------------------------------------------------------------

  function create(ui) {
    ui.body.innerHTML = `
      ${ask(`<b>Before you move anything:</b> both stacks have the same random weights, at the scale that He derived, and no
        normalization. A gradient of length 1 comes back from the last unit to the first. In which stack has it changed more?`,
        [["plain", "without shortcuts"], ["residual", "with shortcuts"]])}
      <div class="controls">
        ${choice("normalization", "Normalization in front of each ReLU", [["none", "none"], ["batch", "batch normalization"]])}
        <div class="buttons"><button type="button" id="draw">New weights</button><button type="button" id="reset">Reset</button></div>
        ${slider("depth", "Depth K", [2, MAX_DEPTH, 1], "gray")}
        ${slider("scale", "Scale of the weights", [0.5, 2, 0.05], "gray")}
      </div>
      ${numbers([["plain", "Gradient without shortcuts"], ["residual", "Gradient with shortcuts"], ["reach", "Units to a 100-fold change"]])}
      <div class="charts"><div id="signal-chart"></div><div id="gradient-chart"></div></div>
      <p class="note">A unit's branch is twice ReLU and dense layer, with ${WIDTH} values a sample and ${BATCH} samples a batch. Without
      a shortcut the unit puts out its branch, with one its branch plus its input. Dotted: what a line of arithmetic
      expects of very wide layers. Narrow ones like these scatter around it: draw new weights.</p>`;
    const { $ } = ui;
    ui.bind("depth", "scale", "normalization");
    ui.resettable();
    $("#draw").addEventListener("click", () => ui.set({ draw: (ui.state().draw % 2147483647) + 1 }));

    let memory = {};
    let m;

    const predict = ui.prediction((guess, { depth, scale: size, normalization }) => {
      const change = (stack) => Math.abs(Math.log10(m[`${stack}_gradient`]));
      const truth = change("residual") > change("plain") ? "residual" : "plain";
      const why = {
        residualnone: "Where a branch is as strong as its input, each unit doubles the power, forward and backward: a shortcut by itself lets the gradient explode. Now switch batch normalization on.",
        residualbatch: "So few units are no problem for either stack: take more.",
        plainbatch: "Normalization divides the gradient in every layer, and no scale of the weights changes that: it explodes. With shortcuts the sum gets large, the branches are divided by it, and the gradient grows slowly.",
        plainnone: `A wrong scale enters 2K = ${2 * depth} times into the only path that there is. With shortcuts, most paths pass few branches.`,
      }[truth + normalization];
      return `${guess === truth ? "Yes." : "Not here."} At the first of ${depth} units the gradient is ${short(m.plain_gradient)} long without shortcuts and ${short(m.residual_gradient)} with them. ${why}`;
    });

    return (state, width) => {
      state.depth = Math.min(MAX_DEPTH, Math.max(2, Math.round(state.depth)));
      // The random numbers of the deepest stack begin with those of all others.
      if (memory.draw !== state.draw) memory = { draw: state.draw, arrays: drawStack(MAX_DEPTH, state.draw) };
      const trips = journeys(state, memory.arrays);
      m = measures(trips);
      const half = width < 560 ? width : (width - 28) / 2;
      $("#signal-chart").innerHTML = drawProfiles(half, state, trips, "signal", state.depth, "Signal: root mean square of x", "forward, read to the right →");
      $("#gradient-chart").innerHTML = drawProfiles(half, state, trips, "gradient", 0, "Gradient: its norm in front of unit k", "← backward, read to the left");

      const [plain, residual] = [short(m.plain_gradient), short(m.residual_gradient)];
      const both = `gradient at the first unit ${plain} without shortcuts, ${residual} with them`;
      ui.show("depth", state.depth, `${state.depth} units`, `${state.depth} units, ${both}`);
      ui.show("scale", state.scale, `${fixed(state.scale, 2)} × He's`, `${fixed(state.scale, 2)} times He's scale, ${both}`);
      ui.show("normalization", state.normalization);
      $("#plain").innerHTML = `${plain} <small>at the first unit</small>`;
      $("#residual").innerHTML = `${residual} <small>at the first unit</small>`;
      const after = (n) => n ?? "never";
      $("#reach").innerHTML = `${after(m.plain_reach)} <small>without,</small> ${after(m.residual_reach)} <small>with</small>`;
      predict(state);
    };
  }

  const defaults = { depth: 30, scale: 1, normalization: "none", draw: 4 };
  return DrsnFigure.figure("depth-lab", { defaults, create, math: { travel, theory, journeys, measures, short } });
})();
