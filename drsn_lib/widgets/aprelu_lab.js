// The APReLU laboratory. Every formula here has a NumPy twin in aprelu_lab.py; tests compare the two.
const ApreluLab = (() => {
  const { fixed, scale, px, path, line, text, tint, axes, svg, data, floats, slider, choice, select, ask, numbers } = DrsnFigure;

  const DEFAULTS = { activation: 25, machine: "outer race", level: 1, loudness: 1, channel: 1, compare: "prelu" };
  const DATA = data("aprelu_lab");
  const STATES = DATA.states;
  const PLACES = Object.keys(DATA.activations).map(Number);
  const LEVELS = ["no noise", "5 dB", "0 dB", "−5 dB"];
  const RECTIFIERS = { relu: "ReLU", leaky: "leaky ReLU", prelu: "PReLU" };

  // ---- the mathematics ------------------------------------------------------------------------------------

  // One layer of a small network; normalization is folded into its weights.
  function dense(input, size, c, weights, at) {
    const out = Float64Array.from(weights.subarray(at + size * c, at + size * c + c));
    for (let i = 0; i < size; i++) {
      const v = input(i);
      for (let k = 0; k < c; k++) out[k] += v * weights[at + i * c + k];
    }
    return out;
  }

  // The slopes of all windows: [level][state][window][channel].
  const decoded = {};
  function allSlopes(activation, loudness) {
    const one = DATA.activations[activation];
    const c = one.channels;
    decoded[activation] ||= { means: floats(one.means), weights: floats(one.weights) };
    const { means, weights } = decoded[activation];
    let from = -2 * c;
    const each = (count, f) => Array.from({ length: count }, f);
    return each(LEVELS.length, () => each(STATES.length, () => each(DATA.windows, () => {
      from += 2 * c;
      const hidden = dense((i) => loudness * means[from + i], 2 * c, c, weights, 0);
      return dense((i) => Math.max(hidden[i], 0), c, c, weights, 2 * c * c + c).map((z) => 1 / (1 + Math.exp(-z)));
    })));
  }

  const others = ({ activation, compare }) => ({ relu: [0], leaky: [0.1], prelu: DATA.activations[activation].prelu })[compare];

  function measures(state, all = allSlopes(state.activation, state.loudness)) {
    const one = DATA.activations[state.activation];
    const s = STATES.indexOf(state.machine);
    const k = Math.min(state.channel, one.channels) - 1;
    const at = (state.level * STATES.length + s) * one.channels + k;
    const same = all[state.level].flat().map((a) => a[k]);
    const [noise, machine] = DATA.shares[state.activation - 1];
    return {
      slope: all[state.level][s][0][k], low: Math.min(...same), high: Math.max(...same),
      below: one.below[at], noise, state: machine, s, k, c: one.channels, bars: one.bars.slice(24 * at, 24 * at + 24),
    };
  }

  // ---- the charts -------------------------------------------------------------------------------------------

  const percent = (v) => fixed(100 * v, 0);
  const pen = (color, width, more = "") => `stroke="var(--${color})" stroke-width="${width}" ${more}`;
  const dot = (color, r, x, y, more = "") => `<circle cx="${px(x)}" cy="${px(y)}" r="${r}" fill="var(--${color})" ${more}/>`;
  const bar = (x, y, wide, tall, color, opacity = 1) =>
    `<rect x="${px(x)}" y="${px(y)}" width="${px(wide)}" height="${px(tall)}" fill="var(--${color})" opacity="${opacity}"/>`;
  const RING = 'stroke="var(--card)" stroke-width="1.5"';

  // A title and, below it, words in the colors of what they name, with a dot (its radius) or a dash (0).
  function head(width, title, items) {
    let [x, y, out] = [0, 34, text(0, 14, title, 'class="title"')];
    for (const [words, color, r] of items) {
      const long = 24 + 7 * words.length;
      if (x && x + long > width + 8) [x, y] = [0, y + 18];
      out += r ? dot(color, r, x + 6, y - 4) : line(x, y - 4, x + 12, y - 4, pen(color, 2.5));
      out += text(x + 16, y, words, tint(color));
      x += long;
    }
    return out;
  }

  // All channels' functions, the chosen one bold; below, on the same axis, which values arrive in it.
  function drawFan(width, state, slopes, m) {
    const name = RECTIFIERS[state.compare];
    const box = { left: 34, right: width - 8, top: 50, bottom: 258 };
    const parts = [`Arriving in channel ${m.k + 1}:`, `${percent(m.below)} % below zero`];
    const titles = width < 330 ? parts : [parts.join(" ")]; // in two lines where one is too long
    const down = 18 * (titles.length - 1);
    const low = { ...box, top: 300 + down, bottom: 360 + down };
    const x = scale([-4, 4], [box.left, box.right]);
    const y = scale([-4, 4], [box.bottom, box.top]);
    const curve = (a, style) => {
      const end = a > 1 ? -4 / a : -4;
      return path([end, 0, 4], [a * end, 0, 4], x, y, style);
    };
    let out = head(width, "The function y(x) of every channel", [[`channel ${m.k + 1}`, "blue", 0], ["other channels", "gray", 0], [name, "purple", 0]]);
    out += axes(box, x, y, { yTicks: [-4, -2, 0, 2, 4], yFormat: (v) => fixed(v, 0) }) + line(x(0), box.top, x(0), box.bottom, 'class="grid"');
    for (const a of others(state)) out += curve(a, `class="other" ${pen("purple", 1.6, 'stroke-dasharray="6 4"')}`);
    for (const a of slopes) out += curve(a, pen("gray", 1.4));
    out += curve(m.slope, `class="own" ${pen("blue", 4)}`);
    out += text(box.right, box.bottom - 10, `a = ${fixed(m.slope, 2)}`, 'text-anchor="end" class="formula halo"');
    titles.forEach((words, i) => (out += text(0, 288 + 18 * i, words, 'class="title"')));
    out += axes(low, x, null, { xTicks: [-4, -2, 0, 2, 4], xFormat: (v) => fixed(v, 0) }) + text(box.right, 396 + down, "x (at loudness 1)", 'text-anchor="end"');
    m.bars.forEach((v, i) => (out += bar(x(i / 3 - 4), low.bottom - 60 * v, x(1 / 3) - x(0) - 1, 60 * v, i < 12 ? "blue" : "gray", i < 12 ? 0.85 : 0.5)));
    return svg(width, 400 + down, `Functions of ${m.c} channels; below zero, where ${percent(m.below)} percent of its values are, channel ${m.k + 1} has the slope ${fixed(m.slope, 2)}; dashed: ${name}`, out);
  }

  // The slopes of all channels: of the window, of others of its state, of all others.
  function drawSlopes(width, state, all, m) {
    const name = RECTIFIERS[state.compare];
    const beside = others(state);
    const box = { left: 34, right: width - 8, top: 72, bottom: 360 };
    const low = Math.min(0, ...beside) - 0.03;
    const high = Math.max(1, ...beside) + 0.03;
    const y = scale([low, high], [box.bottom, box.top]);
    const x = scale([0.5, m.c + 0.5], [box.left, box.right]);
    const wide = x(2) - x(1);
    const spread = Math.min(wide * 0.3, 9);
    let out = head(width, "The slopes a of every channel", [["this window", "blue", 5], [state.machine, "orange", 3.5], ["other states", "gray", 2.5], [name, "purple", 0]]);
    out += bar(x(m.k + 0.5), box.top, wide, box.bottom - box.top, "blue", 0.13);
    out += axes(box, x, y, { xTicks: [1, 2, 3, 4, 6, 8, 12, 16].filter((v) => v <= m.c && (m.c < 16 || v % 4 === 0 || v === 1)), yTicks: [-0.5, 0, 0.5, 1, 1.5].filter((v) => v > low && v < high), yFormat: (v) => fixed(v, 1) });
    let [gray, orange, front] = ["", "", ""];
    for (let i = 0; i < m.c; i++) {
      all[state.level].forEach((windows, s) => windows.forEach((a, w) => {
        // Side by side a little, so that no dot hides another; the chosen state's to the right of the others.
        const across = x(i + 1) + spread * (s === m.s ? 0.6 + w / 18 : (s - 4) / 6 - 0.35);
        if (s !== m.s) gray += `M${px(across)} ${px(y(a[i]))}h0`;
        else if (w) orange += `M${px(across)} ${px(y(a[i]))}h0`;
      }));
      const fix = y(beside[i] ?? beside[0]);
      front += line(x(i + 1) - wide * 0.4, fix, x(i + 1) + wide * 0.4, fix, `class="fixed" ${pen("purple", 2.5)}`);
      front += dot("blue", i === m.k ? 7 : 5, x(i + 1), y(all[state.level][m.s][0][i]), `class="slope" ${RING}`);
    }
    const dots = (d, style) => `<path d="${d}" stroke-linecap="round" ${style}/>`;
    out += dots(gray, pen("gray", 3.5, 'opacity=".5"')) + dots(orange, pen("card", 7)) + dots(orange, pen("orange", 6)) + front;
    out += text(box.right, 396, "channel", 'text-anchor="end"');
    return { svg: svg(width, 400, `Slopes of ${m.c} channels for this window, others of the state ${state.machine} and those of other states; ${name} has the same for all`, out), x };
  }

  // One channel's slope at every noise level: a line for each state.
  function drawLevels(width, state, all, m) {
    const box = { left: 34, right: width - 26, top: 68, bottom: 246 };
    const x = scale([0, 3], [box.left + 14, box.right]);
    const y = scale([0, 1], [box.bottom, box.top]);
    const at = [0, 1, 2, 3];
    const mean = (l, s) => all[l][s].reduce((sum, a) => sum + a[m.k], 0) / DATA.windows;
    const means = (s, style) => path(at, at.map((l) => mean(l, s)), x, y, style);
    let out = head(width, `Channel ${m.k + 1}: its slope in more noise`, [["this window", "blue", 5], [state.machine, "orange", 0], ["other states", "gray", 0]]);
    out += axes(box, x, y, { xTicks: at, yTicks: [0, 0.5, 1], xFormat: (v) => LEVELS[v], yFormat: (v) => fixed(v, 1) });
    STATES.forEach((_, s) => (out += s === m.s ? "" : means(s, `class="state" ${pen("gray", 1.6)}`)));
    out += means(m.s, `class="mine" ${pen("orange", 5)}`);
    out += path(at, at.map((l) => all[l][m.s][0][m.k]), x, y, pen("blue", 2, 'stroke-dasharray="2 4"'));
    out += dot("blue", 7, x(state.level), y(m.slope), `class="here" ${RING}`);
    out += text(width - 8, 286, "lines: means of 8 windows", 'text-anchor="end"');
    return svg(width, 290, `Slope of channel ${m.k + 1} at four noise levels, a line for each of eight states; this window's is ${fixed(m.slope, 2)} at ${LEVELS[state.level]}`, out);
  }

  // For every activation, what part of its slopes' variance goes with noise and with state.
  function drawShares(width, { activation }, m) {
    const box = { left: 34, right: width - 8, top: 50, bottom: 246 };
    const x = scale([0.5, 25.5], [box.left, box.right]);
    const y = scale([0, 1], [box.bottom, box.top]);
    const wide = x(2) - x(1);
    let out = head(width, "What the slopes go with", [["noise level", "vermillion", 0], ["state of the machine", "green", 0]]);
    out += bar(x(activation - 0.5), box.top, wide, box.bottom - box.top, "blue", 0.2);
    out += axes(box, x, y, { xTicks: PLACES, yTicks: [0, 0.5, 1], yFormat: (v) => `${100 * v}` });
    DATA.shares.forEach(([noise, machine], i) => {
      const part = (from, size, color) => bar(x(i + 0.6), y(from + size), wide * 0.8, y(0) - y(size), color);
      out += part(0, noise, "vermillion") + part(noise, machine, "green");
    });
    out += text(box.right, 286, "activation, first to last", 'text-anchor="end"') + text(0, 286, "% of variance");
    return svg(width, 290, `Parts of the variance of the slopes, for 25 activations; at activation ${activation} noise has ${percent(m.noise)} percent and the state of the machine ${percent(m.state)}`, out);
  }

  // ---- the figure ---------------------------------------------------------------------------------------------

  function create(ui) {
    ui.body.innerHTML = `
      ${ask(`<b>Before you look:</b> a trained network computed these slopes, for eight states of a machine in four strengths of noise. What do they follow?`,
        [["state", "the state of the machine"], ["noise", "the noise"], ["depth", "first the noise, deeper the state"]])}
      <div class="controls">
        ${select("activation", "Where in the network", PLACES.map((key) => [key, `activation ${key} of 25, ${DATA.activations[key].channels} channels`]))}
        ${select("machine", "State of the machine", STATES.map((name) => [name, name]))}
        ${slider("level", "Noise", [0, 3, 1], "vermillion")}
        ${slider("channel", "Channel", [1, 16, 1], "blue")}
        ${slider("loudness", "Loudness of what arrives", [0.25, 4, 0.25], "gray")}
        <div class="pair">${choice("compare", "Beside it", Object.entries(RECTIFIERS))}<button type="button" id="reset">Reset</button></div>
      </div>
      ${numbers([["slope", "Slope a of the channel"], ["below", "Its values below zero"], ["share", "Variance of slopes here"]])}
      <div class="charts">
        <div id="fan-chart"></div><div id="slope-chart"></div>
        <div id="level-chart"></div><div id="share-chart"></div>
      </div>
      <p class="note">Point at a channel in the upper right chart, or use its slider. Loudness multiplies what arrives: ReLU and PReLU keep their
      functions, APReLU takes <b>others</b>. The network with PReLU is another one: its channels are other filters. Test windows of the record
      <i>vibration-aprelu</i> (random seed 0, CPU). The rest of the variance belongs to single windows.</p>`;
    const { $ } = ui;
    const chart = $("#slope-chart");
    let axis;
    ui.bind("activation", "machine", "level", "channel", "loudness", "compare");
    ui.resettable();
    const pick = (at) => {
      const state = ui.state();
      const channel = Math.min(DATA.activations[state.activation].channels, Math.max(1, Math.round(axis.invert(at))));
      if (channel !== state.channel) ui.set({ channel });
    };
    ui.draggable(chart, pick);
    chart.addEventListener("pointermove", (e) => e.pointerType === "mouse" && pick(e.clientX - chart.getBoundingClientRect().left));

    let memory = {};
    function remembered({ activation, loudness }) {
      const key = `${activation} ${loudness}`;
      if (memory.key !== key) memory = { key, all: allSlopes(activation, loudness) };
      return memory.all;
    }

    const predict = ui.prediction((guess) => {
      const [early, late] = [DATA.shares[3], DATA.shares[24]];
      const said = ([noise, machine]) => `${percent(noise)} % of their variance goes with the noise and ${percent(machine)} % with the state`;
      const ahead = ([noise, machine]) => (noise > machine ? "noise" : "state");
      const truth = ahead(early) === ahead(late) ? ahead(late) : "depth";
      return `${guess === truth ? "Yes." : "Not quite."} At activation 4, ${said(early)}; at the last, ${said(late)}.
        Choose <b>activation 4</b> and look at the lower left chart: its lines lie together and move with the noise. At the last they lie apart.`;
    });

    return (state, width) => {
      const all = remembered(state);
      const m = measures(state, all);
      const half = width < 560 ? width : (width - 28) / 2;
      const slopes = drawSlopes(half, state, all, m);
      axis = slopes.x;
      chart.innerHTML = slopes.svg;
      $("#fan-chart").innerHTML = drawFan(half, state, all[state.level][m.s][0], m);
      $("#level-chart").innerHTML = drawLevels(half, state, all, m);
      $("#share-chart").innerHTML = drawShares(half, state, m);

      const a = `slope ${fixed(m.slope, 2)}`;
      $("#channel").max = m.c;
      for (const name of ["activation", "machine", "compare"]) ui.show(name, state[name]);
      ui.show("level", state.level, LEVELS[state.level], `${LEVELS[state.level]}, ${a}`);
      ui.show("channel", m.k + 1, `${m.k + 1} of ${m.c}`, `channel ${m.k + 1}, ${a}`);
      ui.show("loudness", state.loudness, `× ${fixed(state.loudness, 2)}`, `times ${fixed(state.loudness, 2)}, ${a}`);
      $("#slope").innerHTML = `${fixed(m.slope, 2)} <small>all windows ${fixed(m.low, 2)} to ${fixed(m.high, 2)}</small>`;
      $("#below").textContent = `${percent(m.below)} %`;
      $("#share").innerHTML = `<small>noise</small> ${percent(m.noise)} % <small>state</small> ${percent(m.state)} %`;
      predict(state);
    };
  }

  return DrsnFigure.figure("aprelu-lab", {
    defaults: DEFAULTS,
    css: ".pair { grid-column: span 6; display: flex; flex-wrap: wrap; gap: 12px; align-items: end; justify-content: space-between; }",
    create,
    math: { allSlopes, measures, others },
  });
})();
