// The depth laboratory. Every formula here has a NumPy twin in depth_lab.py; tests compare the two.
const DepthLab = (() => {
  const { normals, fixed, scale, px, path, line, text, tint, axes, svg, slider, choice, ask, numbers } = DrsnFigure;

  const WIDTH = 24;
  const BATCH = 32;
  const SIZE = BATCH * WIDTH;
  const MAX_DEPTH = 50;
  const EPSILON = 1e-3;
  const DEFAULTS = { depth: 30, scale: 1, normalization: "none", draw: 2 };
  const STACKS = { plain: ["without shortcuts", "vermillion"], residual: ["with shortcuts", "blue"] };

  // ---- the mathematics: arrays are flat, one sample after the other ------------------------------------------

  const norm = (v) => Math.sqrt(v.reduce((sum, a) => sum + a * a, 0));

  function drawStack(depth, draw) {
    const z = normals(draw, 2 * SIZE + 2 * depth * WIDTH * WIDTH);
    const [x, r] = [z.slice(0, SIZE), z.slice(SIZE, 2 * SIZE)];
    const [rms, length] = [norm(x) / Math.sqrt(SIZE), norm(r)];
    return { x: x.map((v) => v / rms), r: r.map((v) => v / length), weights: z.subarray(2 * SIZE) };
  }

  // For each of the columns, the mean over the batch of what f says of each place.
  function columns(f) {
    const out = new Float64Array(WIDTH);
    for (let i = 0; i < SIZE; i++) out[i % WIDTH] += f(i) / BATCH;
    return out;
  }

  function travel({ x, r, weights }, depth, size, normalization, stack) {
    const factor = size * Math.sqrt(2 / WIDTH);
    const shortcut = stack === "residual";
    const signal = [norm(x) / Math.sqrt(SIZE)];
    const steps = [];
    for (let k = 0; k < depth; k++) {
      let h = x;
      for (const layer of [2 * k, 2 * k + 1]) {
        const w = weights.subarray(layer * WIDTH * WIDTH, (layer + 1) * WIDTH * WIDTH);
        let deviation = null;
        if (normalization === "batch") {
          const from = h;
          const mean = columns((i) => from[i]);
          deviation = columns((i) => (from[i] - mean[i % WIDTH]) ** 2).map((v) => Math.sqrt(v + EPSILON));
          h = from.map((v, i) => (v - mean[i % WIDTH]) / deviation[i % WIDTH]);
        }
        steps.push({ w, h, deviation });
        const out = new Float64Array(SIZE);
        for (let i = 0; i < SIZE; i++) {
          if (h[i] <= 0) continue; // the ReLU
          const [row, to] = [(i % WIDTH) * WIDTH, i - (i % WIDTH)];
          for (let j = 0; j < WIDTH; j++) out[to + j] += h[i] * factor * w[row + j];
        }
        h = out;
      }
      const before = x;
      x = shortcut ? h.map((v, i) => v + before[i]) : h;
      signal.push(norm(x) / Math.sqrt(SIZE));
    }
    const gradient = [norm(r)];
    while (steps.length) {
      let g = r;
      for (let pass = 0; pass < 2; pass++) {
        const { w, h, deviation } = steps.pop();
        let out = new Float64Array(SIZE);
        for (let i = 0; i < SIZE; i++) {
          if (h[i] <= 0) continue;
          const [row, from] = [(i % WIDTH) * WIDTH, i - (i % WIDTH)];
          let sum = 0;
          for (let j = 0; j < WIDTH; j++) sum += g[from + j] * w[row + j];
          out[i] = sum * factor;
        }
        if (deviation) {
          const back = out;
          const mean = columns((i) => back[i]);
          const along = columns((i) => back[i] * h[i]);
          out = back.map((v, i) => (v - mean[i % WIDTH] - h[i] * along[i % WIDTH]) / deviation[i % WIDTH]);
        }
        g = out;
      }
      const after = r;
      r = shortcut ? g.map((v, i) => v + after[i]) : g;
      gradient.unshift(norm(r));
    }
    return { signal, gradient };
  }

  // What a line of arithmetic expects of wide layers, large batches and independent weights.
  function theory(depth, size, normalization, stack) {
    const shortcut = stack === "residual" ? 1 : 0;
    const rest = 1 - 1 / Math.PI;
    const [power, factors] = [[1], []];
    for (let k = 0; k < depth; k++) {
      const kept = shortcut || k === 0 ? 1 : 0;
      const variance = kept + rest * (power[k] - kept);
      const batch = normalization === "batch";
      factors.push((batch ? size ** 2 / (rest * variance) : size ** 4) + shortcut);
      power.push(batch ? size ** 2 + shortcut * power[k] : power[k] * factors[k]);
    }
    const back = [1];
    for (const f of factors.reverse()) back.unshift(back[0] * f);
    return { signal: power.map(Math.sqrt), gradient: back.map(Math.sqrt) };
  }

  // After how many units from the end has the gradient changed a hundredfold?
  function reach(gradient) {
    const last = gradient.length - 1;
    for (let n = 0; n <= last; n++) if (Math.abs(Math.log10(gradient[last - n] / gradient[last])) >= 2) return n;
    return null;
  }

  function journeys({ depth, scale: size, normalization, draw }, arrays = drawStack(depth, draw)) {
    return Object.fromEntries(Object.keys(STACKS).map((s) => [s, travel(arrays, depth, size, normalization, s)]));
  }

  function measures(state, trips = journeys(state)) {
    const out = {};
    for (const [stack, { signal, gradient }] of Object.entries(trips)) {
      out[`${stack}_signal`] = signal.at(-1) / signal[0];
      out[`${stack}_gradient`] = gradient[0] / gradient.at(-1);
      out[`${stack}_reach`] = reach(gradient);
    }
    return out;
  }

  // ---- words and charts ---------------------------------------------------------------------------------------

  const raised = (n) => `10${[...fixed(n, 0)].map((c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[c] ?? "⁻").join("")}`;

  // Two significant digits: 0.16, 5.3, 850, 2.9 · 10⁴.
  function short(v) {
    const e = +v.toExponential(1).split("e")[1];
    if (e < -2 || e > 3) return `${(v / 10 ** e).toFixed(1)} · ${raised(e)}`;
    return (+v.toPrecision(2)).toFixed(Math.max(0, 1 - e));
  }

  // Both stacks on a logarithmic scale; `end` is where a curve has its name: 0 at the left, 1 at the right.
  function drawProfiles(width, state, trips, part, title, way, end) {
    const height = 330;
    const box = { left: 44, right: width - 10, top: 54, bottom: 280 };
    const all = Object.values(trips).flatMap((trip) => trip[part]).map(Math.log10);
    const [low, high] = [Math.min(-2, Math.floor(Math.min(...all))), Math.max(2, Math.ceil(Math.max(...all)))];
    const step = [1, 2, 5, 10].find((s) => (high - low) / s <= 7);
    const ticks = [];
    for (let v = Math.ceil(low / step) * step; v <= high; v += step) ticks.push(v);
    const k = Array.from({ length: state.depth + 1 }, (_, i) => i);
    const x = scale([0, state.depth], [box.left, box.right]);
    const y = scale([low, high], [box.bottom, box.top]);
    const every = [1, 2, 5, 10].find((s) => state.depth / s <= 6);
    let out = text(0, 14, title, 'class="title"') + text(end ? 0 : width, 34, way, end ? "" : 'text-anchor="end"');
    out += axes(box, x, y, { xTicks: k.filter((i) => i % every === 0), yTicks: ticks, yFormat: raised });
    out += line(box.left, y(0), box.right, y(0), 'stroke="var(--soft)" stroke-width="1.2"');
    out += text((box.left + box.right) / 2, box.bottom + 38, "unit k", 'text-anchor="middle"');
    const at = end ? state.depth : 0;
    const places = Object.keys(STACKS).map((stack) => y(Math.log10(trips[stack][part][at])));
    // The upper curve's name goes above it, the lower one's below; both stay within the chart.
    const upper = places[0] < places[1] ? 0 : 1;
    const names = [];
    names[upper] = Math.max(box.top + 2, Math.min(places[upper] - 12, box.bottom - 30));
    names[1 - upper] = Math.min(box.bottom - 8, Math.max(places[1 - upper] + 24, names[upper] + 18));
    Object.entries(STACKS).forEach(([stack, [words, color]], i) => {
      const guide = theory(state.depth, state.scale, state.normalization, stack)[part].map(Math.log10);
      const inside = guide.map((v) => (v >= low && v <= high ? v : NaN));
      out += path(k, inside, x, y, `stroke="var(--${color})" stroke-width="1.6" stroke-dasharray="1 5"`);
      out += path(k, trips[stack][part].map(Math.log10), x, y, `class="${stack}" stroke="var(--${color})" stroke-width="3"`);
      out += `<circle cx="${px(x(at))}" cy="${px(places[i])}" r="5" fill="var(--${color})"/>`;
      const anchor = end ? 'text-anchor="end"' : "";
      out += text(end ? box.right - 4 : box.left + 8, names[i], `${words}: ${short(trips[stack][part][at])}`, `${anchor} class="halo" font-weight="600" ${tint(color)}`);
    });
    const label = `${title} through ${state.depth} units, logarithmic: ` +
      Object.entries(STACKS).map(([s, [words]]) => `${words} from ${short(trips[s][part][state.depth - at])} to ${short(trips[s][part][at])}`).join(", ");
    return svg(width, height, label, out);
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
      ${numbers([["plain", "Gradient, first over last, without shortcuts"], ["residual", "… with shortcuts"], ["reach", "Changed a hundredfold after"]])}
      <div class="charts"><div id="signal-chart"></div><div id="gradient-chart"></div></div>
      <p class="note">A unit's branch is twice ReLU and dense layer, with ${WIDTH} values a sample and ${BATCH} samples a batch. Without
      a shortcut the unit puts out its branch, with one its branch plus its input. Dotted: what a line of arithmetic
      expects of very wide layers. Narrow ones like these scatter around it: draw new weights.</p>`;
    const { $ } = ui;
    ui.bind("depth", "scale", "normalization");
    ui.resettable();
    $("#draw").addEventListener("click", () => ui.set({ draw: (ui.state().draw % 2147483647) + 1 }));

    // The random numbers of the deepest stack begin with those of all others.
    let memory = {};
    let m = {};

    const predict = ui.prediction((guess, { depth, scale: size, normalization }) => {
      const change = (stack) => Math.abs(Math.log10(m[`${stack}_gradient`]));
      const truth = change("residual") > change("plain") ? "residual" : "plain";
      const batch = normalization === "batch";
      let why;
      if (truth === "residual")
        why = batch
          ? "Few units are no problem for either stack: take more."
          : `Each unit adds a branch that is as strong as its input${size === 1 ? "" : ", or nearly"}, so that the power doubles, forward and backward. A shortcut by itself lets the gradient explode. Now switch batch normalization on.`;
      else if (batch)
        why = "Normalization divides the gradient in every layer, and no scale of the weights changes that: it explodes. Only where a shortcut leads around the branch does it grow slowly, for the sum gets large and the branches are divided by it.";
      else
        why = `A scale of ${fixed(size, 2)} enters 2K = ${2 * depth} times as a factor into the only path there is. With shortcuts, most paths pass few branches.`;
      return `${guess === truth ? "Yes." : "Not here."} Behind ${depth} units the gradient is ${short(m.plain_gradient)} long without shortcuts and ${short(m.residual_gradient)} with them. ${why}`;
    });

    return (state, width) => {
      state.depth = Math.min(MAX_DEPTH, Math.max(2, Math.round(state.depth)));
      if (memory.draw !== state.draw) memory = { draw: state.draw, arrays: drawStack(MAX_DEPTH, state.draw) };
      const trips = journeys(state, memory.arrays);
      m = measures(state, trips);
      const half = width < 560 ? width : (width - 28) / 2;
      $("#signal-chart").innerHTML = drawProfiles(half, state, trips, "signal", "Signal: root mean square of x", "forward, read to the right →", 1);
      $("#gradient-chart").innerHTML = drawProfiles(half, state, trips, "gradient", "Gradient: its norm in front of unit k", "← backward, read to the left", 0);

      const both = `gradient at the first unit ${short(m.plain_gradient)} without shortcuts, ${short(m.residual_gradient)} with them`;
      ui.show("depth", state.depth, `${state.depth} units`, `${state.depth} units, ${both}`);
      ui.show("scale", state.scale, `${fixed(state.scale, 2)} × He's`, `${fixed(state.scale, 2)} times He's scale, ${both}`);
      ui.show("normalization", state.normalization);
      $("#plain").textContent = `× ${short(m.plain_gradient)}`;
      $("#residual").textContent = `× ${short(m.residual_gradient)}`;
      const after = (n) => (n === null ? "never" : `${n} units`);
      $("#reach").innerHTML = `<small>without</small> ${after(m.plain_reach)} <small>with</small> ${after(m.residual_reach)}`;
      predict(state);
    };
  }

  return DrsnFigure.figure("depth-lab", {
    defaults: DEFAULTS,
    create,
    math: { drawStack, travel, theory, reach, journeys, measures, short, MAX_DEPTH },
  });
})();
