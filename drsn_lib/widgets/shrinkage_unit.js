// Inside a shrinkage unit. Every number here has a NumPy twin in shrinkage_unit.py; tests compare the two.
const ShrinkageUnit = (() => {
  const { data, mean, fixed, scale, path, line, text, tint, axes, svg, ticks, choice, ask, numbers } = DrsnFigure;
  const { NO_NOISE, noisy, words, controls, wire, tell, paint } = DrsnDigits;

  const DEFAULTS = { channel: 2, digit: 3, draw: 1, snr: 0, unit: 1, variant: "drsn-cw" };
  const MARGIN = 1.2; // a threshold that grows or shrinks by no more than this factor counts as unmoved
  const { networks, responses, levels, count } = data("shrinkage_unit");
  const nets = {};
  const net = (variant) => (nets[variant] ||= DrsnNetwork.load(networks[variant]));

  // ---- the mathematics ------------------------------------------------------------------------------------

  // The units' traces, kept for the latest image and for the latest without noise.
  const memory = {};
  function traces({ variant, digit, draw }, snr) {
    const place = snr >= NO_NOISE ? "clean" : "noisy";
    const key = [variant, digit, draw, snr].join();
    if (memory[place]?.key !== key) {
      const image = noisy(digit, snr, draw);
      memory[place] = { key, image, units: net(variant).run(image, { trace: true }).units };
    }
    return memory[place];
  }

  function look(state) {
    const { image, units } = traces(state, state.snr);
    const now = units[state.unit - 1];
    const clean = traces(state, NO_NOISE).units[state.unit - 1];
    const [channels, height, width] = now.shape;
    const c = Math.min(state.channel, channels - 1);
    const part = (map) => map.subarray(c * height * width, (c + 1) * height * width);
    const all = (values) => Array.from({ length: channels }, (_, k) => values[k] ?? values[0]);
    const measures = {
      m: all(now.magnitudes),
      alpha: all(now.gates),
      tau: all(now.thresholds),
      zeroed: all(now.zeroed),
      mean_m: mean(now.magnitudes),
      mean_tau: mean(now.thresholds),
      mean_zeroed: mean(now.zeroed),
      clean_m: mean(clean.magnitudes),
      clean_tau: mean(clean.thresholds),
    };
    const u = part(now.branch);
    return { image, now, clean, c, channels, size: [height, width], measures, stages: { u, magnitude: u.map(Math.abs), output: part(now.gated) } };
  }

  // Means over many test digits, each divided by its value without noise.
  function response({ variant, unit }) {
    const numbers = Object.values(responses[variant])[unit - 1];
    return Object.fromEntries(Object.entries(numbers).map(([key, v]) => [key, v.map((one) => one / v[levels.length])]));
  }
  function verdict(state) {
    const ratio = response(state).tau[0];
    return ratio > MARGIN ? "rise" : ratio < 1 / MARGIN ? "fall" : "stay";
  }

  // ---- the charts -------------------------------------------------------------------------------------------

  // Each channel's mean magnitude as a bar; filled up to the threshold.
  function drawChannels(width, { variant, snr }, { measures: { m, tau, alpha, mean_m }, clean, c, channels }) {
    const shared = variant === "drsn-cs";
    const height = 196;
    const box = { left: 34, right: width, top: 30, bottom: 194 };
    const top = Math.max(...m, ...clean.magnitudes) * 1.12;
    const y = scale([0, top], [box.bottom, box.top]);
    const step = (box.right - box.left) / channels;
    let out = text(0, 14, `Mean magnitude <tspan ${tint("blue")}>m</tspan>, threshold <tspan ${tint("vermillion")}>τ</tspan>`, 'class="title"');
    out += axes(box, null, y, { yTicks: ticks(0, top, 4), yFormat: (v) => fixed(v, top < 2 ? 1 : 0) });
    for (let k = 0; k < channels; k++) {
      const [x, w] = [box.left + step * (k + 0.16), step * 0.68];
      const bar = (v, style) => `<rect x="${fixed(x, 1)}" y="${fixed(y(v), 1)}" width="${fixed(w, 1)}" height="${fixed(box.bottom - y(v), 1)}" ${style}/>`;
      if (k === c) out += `<rect x="${fixed(x - step * 0.12, 1)}" y="${box.top}" width="${fixed(step * 0.92, 1)}" height="${box.bottom - box.top}" fill="var(--orange)" opacity=".2"/>`;
      out += bar(m[k], 'class="m" fill="var(--blue)" fill-opacity=".28" stroke="var(--blue)" stroke-width="1.5"');
      out += bar(Math.min(tau[k], m[k]), 'class="tau" fill="var(--vermillion)"');
      if (snr < NO_NOISE) for (const v of [clean.magnitudes[k], clean.thresholds[k]]) out += line(x - 2, y(v), x + w + 2, y(v), 'stroke="var(--ink)" stroke-width="1.5"');
    }
    if (shared) out += line(box.left, y(tau[0]), box.right, y(tau[0]), 'stroke="var(--vermillion)" stroke-width="2" stroke-dasharray="6 4"');
    return svg(width, height, `Mean magnitude and threshold of ${channels} channels; in channel ${c} they are ${fixed(m[c], 2)} and ${fixed(tau[c], 2)}`, out);
  }

  // All values of the channel in order, before and after.
  function drawValues(width, { stages: { u, output }, measures: { tau, zeroed }, c }) {
    const height = 268;
    const box = { left: 38, right: width - 6, top: 30, bottom: 236 };
    const before = u.slice().sort();
    const after = output.slice().sort();
    const limit = Math.max(-before[0], before[u.length - 1]) * 1.05;
    const x = scale([0, u.length - 1], [box.left, box.right]);
    const y = scale([-limit, limit], [box.bottom, box.top]);
    const index = Float64Array.from(u, (_, i) => i);
    let out = text(0, 14, `The ${u.length} values of channel ${c}, in order`, 'class="title"');
    out += `<rect x="${box.left}" y="${fixed(y(tau[c]), 1)}" width="${box.right - box.left}" height="${fixed(y(-tau[c]) - y(tau[c]), 1)}" fill="var(--vermillion)" opacity=".16"/>`;
    out += axes({ ...box, bottom: y(0) }, x, y, { yTicks: ticks(-limit, limit, 5), yFormat: (v) => fixed(v, limit < 2 ? 1 : 0) });
    out += path(index, before, x, y, 'class="before" stroke="var(--gray)" stroke-width="2.5"');
    out += path(index, after, x, y, 'class="after" stroke="var(--blue)" stroke-width="3"');
    out += text(box.right, y(-tau[c] / 2) + 5, "±τ", `text-anchor="end" font-weight="600" class="halo" ${tint("vermillion")}`);
    out += text(box.left + 8, box.top + 8, `<tspan ${tint("gray")}>u</tspan> and <tspan ${tint("blue")}>soft(u, τ)</tspan>`, 'font-weight="600" class="halo"');
    out += text(box.left, height - 8, `${fixed(100 * zeroed[c], 0)} % lie within ±τ and become zero`, 'style="fill: var(--ink)"');
    return svg(width, height, `The values of channel ${c} before and after soft thresholding at ${fixed(tau[c], 2)}`, out);
  }

  // How m, α and τ respond to noise, over many digits.
  function drawResponse(width, state) {
    const height = 268;
    const box = { left: 42, right: width - 76, top: 30, bottom: 216 };
    const r = response(state);
    const xs = [...levels, NO_NOISE];
    const x = scale([-10, NO_NOISE], [box.left + 4, box.right]);
    const y = scale([0.5, 1.6], [box.bottom, box.top]);
    let out = text(0, 14, `Unit ${state.unit} over ${count} test digits`, 'class="title"');
    out += axes(box, x, y, { xTicks: [-10, 0, 10, 20], xFormat: (v) => (v < NO_NOISE ? fixed(v, 0) : "none"), yTicks: [0.6, 0.8, 1, 1.2, 1.4, 1.6], yFormat: (v) => `×${fixed(v, 1)}` });
    out += line(x(state.snr), box.top, x(state.snr), box.bottom, 'stroke="var(--ink)" stroke-width="1.5" stroke-dasharray="3 4"');
    const curves = [["m", "m", "blue"], ["alpha", "α", "green"], ["tau", "τ", "vermillion"]];
    // The names stand at the other end, in the order of the curves at -10 dB.
    for (const [key, , color] of curves) out += path(xs, r[key], x, y, `class="${key}" stroke="var(--${color})" stroke-width="3"`);
    curves.sort((a, b) => r[b[0]][0] - r[a[0]][0]).forEach(([key, name, color], k) => {
      out += text(box.right + 8, y(1) - 18 + 22 * k, `${name} ×${fixed(r[key][0], 2)}`, `font-weight="600" ${tint(color)}`);
    });
    out += text(box.right + 8, y(1) - 42, "at −10 dB:");
    out += text(box.left, height - 8, "SNR in dB; ×1: without noise");
    return svg(width, height, `Over ${count} test digits, from no noise to −10 decibels: m times ${fixed(r.m[0], 2)}, alpha times ${fixed(r.alpha[0], 2)}, tau times ${fixed(r.tau[0], 2)}`, out);
  }

  const CSS = `${DrsnDigits.css}
    .channels { border: 0; padding: 0; margin: 2px 0 14px 34px; display: grid; grid-template-columns: repeat(var(--n), minmax(0, 1fr)); }
    .channels label { position: relative; padding: 2px 8%; cursor: pointer; font-size: 13px; text-align: center; color: var(--soft); }
    .channels label[hidden] { display: none; }
    .channels canvas { max-width: 76px; margin: auto; }
    .channels input { position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; opacity: 0; cursor: pointer; }
    .channels input:checked ~ canvas { outline: 3px solid var(--orange); }
    .channels input:checked ~ span { color: var(--ink); font-weight: 650; }
    .channels input:focus-visible ~ canvas { outline: 3px solid var(--focus); outline-offset: 2px; }
    .narrow .channels { margin-left: 0; grid-template-columns: repeat(8, minmax(0, 1fr)); }
    .formula { font: 22px/1.4 "STIX Two Text", Cambria, Georgia, serif; text-align: center; background: var(--lift); border-radius: 8px; padding: 8px; margin: 4px 0 14px; }
    .narrow .formula { font-size: 18px; }
    .formula b { color: color-mix(in srgb, var(--c) var(--text-mix), var(--ink)); white-space: nowrap; }
    .stages { display: grid; grid-template-columns: repeat(4, minmax(0, 200px)); justify-content: space-between; gap: 10px 24px; margin-bottom: 18px; font-size: 13.5px; color: var(--soft); }
    .narrow .stages { grid-template-columns: 1fr 1fr; gap: 10px 14px; }
    .stages b { display: block; color: var(--ink); }`;

  // ---- the figure ---------------------------------------------------------------------------------------------

  function create(ui) {
    ui.body.innerHTML = `
      ${ask("<b>Before you move the noise:</b> the unit could set its thresholds by it, and many explain it so. From no noise to −10 dB, ten times as much noise as signal, what will the mean threshold τ of this unit do?", [["rise", "rise"], ["stay", "stay within a fifth"], ["fall", "fall"]])}
      ${controls(choice("variant", "Threshold", [["drsn-cw", "channel-wise"], ["drsn-cs", "channel-shared"]]))}
      ${numbers([["tau", "Threshold τ, mean of channels"], ["m", "Magnitude m, mean of channels"], ["zeroed", "Values set to zero"]])}
      <div id="channels-chart"></div>
      <fieldset class="channels" aria-label="Channel">${[...Array(16).keys()].map((c) => `<label><input type="radio" name="channel" value="${c}"><span>${c}</span><canvas aria-hidden="true"></canvas></label>`).join("")}</fieldset>
      <p class="formula"></p>
      <div class="stages">${["image", "u", "magnitude", "output"].map((id) => `<div><canvas id="${id}" role="img"></canvas><b></b><span></span></div>`).join("")}</div>
      <div class="charts"><div id="values-chart"></div><div id="response-chart"></div></div>
      <p class="note"><b>Point at a channel</b>, or choose it by the arrow keys, to see its numbers in the formula and its maps: orange positive, blue negative. Thin marks on the bars: the same image without noise. Switch to channel-shared: one threshold for all, the fraction α of the mean of all m, and quiet channels lose more than loud ones. Both networks were trained on digits in noise between −10 and 15 dB.</p>`;
    const { $, $$ } = ui;
    wire(ui);
    ui.bind("variant", "channel");
    const labels = $$(".channels label");
    labels.forEach((label, c) => label.addEventListener("pointerenter", () => ui.set({ channel: c })));

    const predict = ui.prediction((guess, state) => {
      const r = response(state);
      const truth = verdict(state);
      const times = (v) => `×${fixed(v, 2)}`;
      const others = [1, 2, 3, 4].map((unit) => `unit ${unit} ${times(response({ ...state, unit }).tau[0])}`).join(", ");
      return `${guess === truth ? "Right." : "Not this unit."} Over ${count} test digits its mean τ goes ${times(r.tau[0])} from no noise to −10 dB (m ${times(r.m[0])}, α ${times(r.alpha[0])}); at 0 dB, where noise and signal are equal, ${times(r.tau[levels.indexOf(0)])}. The four units do not agree: ${others}. The construction allows a threshold that follows the noise; it does not make one.`;
    });

    return (state, width) => {
      const found = look(state);
      const { c, channels, size, stages, now, measures: m } = found;
      const half = width < 560 ? width : (width - 28) / 2;
      tell(ui, state);
      ui.show("variant", state.variant);
      ui.show("channel", c);
      $("#channels-chart").innerHTML = drawChannels(width, state, found);
      $("#values-chart").innerHTML = drawValues(half, found);
      $("#response-chart").innerHTML = drawResponse(half, state);
      $(".channels").style.setProperty("--n", channels);
      const area = size[0] * size[1];
      labels.forEach((label, k) => {
        label.hidden = k >= channels;
        if (label.hidden) return;
        const map = now.branch.subarray(k * area, (k + 1) * area);
        paint(label.querySelector("canvas"), map, size, Math.max(...map.map(Math.abs)));
        label.firstChild.setAttribute("aria-label", `Channel ${k}: m ${fixed(m.m[k], 2)}, α ${fixed(m.alpha[k], 2)}, τ ${fixed(m.tau[k], 2)}, ${fixed(100 * m.zeroed[k], 0)} percent set to zero`);
      });
      const b = (color, v) => `<b style="--c: var(--${color})">${fixed(v, 2)}</b>`;
      const shared = state.variant === "drsn-cs";
      const symbols = shared ? "τ = α · mean of all m" : `τ<sub>${c}</sub> = α<sub>${c}</sub> · m<sub>${c}</sub>`;
      $(".formula").innerHTML = `${symbols} = ${b("green", m.alpha[c])} × ${b("blue", shared ? m.mean_m : m.m[c])} = ${b("vermillion", m.tau[c])}`;
      const limit = Math.max(...stages.magnitude);
      const name = (id, title, more) => {
        const canvas = $(`#${id}`);
        canvas.setAttribute("aria-label", `${title}: ${more}`);
        canvas.nextElementSibling.textContent = title;
        canvas.parentNode.lastChild.textContent = more;
      };
      paint($("#image"), found.image, [28, 28]);
      for (const id in stages) paint($(`#${id}`), stages[id], size, limit);
      name("image", "The image", `digit ${state.digit}, ${words(state.snr)}`);
      name("u", `u, channel ${c}`, "what the branch makes of it");
      name("magnitude", "|u|", `its mean is m = ${fixed(m.m[c], 2)}`);
      name("output", "soft(u, τ)", `${fixed(100 * m.zeroed[c], 0)} % are zero, the rest nearer by τ`);

      const change = (before, after) => (state.snr < NO_NOISE ? `<small>${fixed(before, 2)} →</small> ` : "") + fixed(after, 2);
      $("#tau").innerHTML = change(m.clean_tau, m.mean_tau);
      $("#m").innerHTML = change(m.clean_m, m.mean_m);
      $("#zeroed").textContent = `${fixed(100 * m.mean_zeroed, 0)} %`;
      predict(state);
    };
  }

  return DrsnFigure.figure("shrinkage-unit", { defaults: DEFAULTS, css: CSS, create, math: { look, response, verdict } });
})();
