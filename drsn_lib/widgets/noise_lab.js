// The noise laboratory. Every formula here has a NumPy twin in noise_lab.py; tests compare the two.
const NoiseLab = (() => {
  const { noise, mean, fixed, scale, px, path, line, text, tint, axes, svg, ticks, slider, select, ask, numbers } = DrsnFigure;

  const N = 2048;
  const FINE = 4 * N; // points of the envelope spectrum's transform
  const SHOWN = 290; // values of it, up to 450 Hz
  const BAND = [2600, 4600];
  const [LOW, HIGH] = [-15, 20]; // dB
  const LIMIT = 2.5;
  const SIGMAS = 3;
  const LINES = ["outer race", "inner race", "ball"];
  const GRID = Array.from({ length: HIGH - LOW + 1 }, (_, i) => LOW + i);

  const HELD = DrsnFigure.data("noise_lab");
  const RATE = HELD.rate;
  const HZ = HELD.frequencies;
  const WINDOWS = Object.fromEntries(Object.entries(HELD.windows).map(([k, v]) => [k, Float64Array.from(DrsnFigure.floats(v))]));
  const knocksOf = (fault) => HELD.knocks[fault] || [];

  // ---- the mathematics ----------------------------------------------------------------------------------------

  const COS = Float64Array.from({ length: FINE }, (_, i) => Math.cos((2 * Math.PI * i) / FINE));

  // The discrete Fourier transform in place; with sign 1 its inverse, not divided by n.
  function transform(re, im, sign = -1) {
    const n = re.length;
    for (let i = 1, j = 0; i < n; i++) {
      let bit = n >> 1;
      for (; j & bit; bit >>= 1) j ^= bit;
      j ^= bit;
      if (i < j) for (const a of [re, im]) [a[i], a[j]] = [a[j], a[i]];
    }
    for (let half = 1; half < n; half *= 2)
      for (let k = 0; k < half; k++) {
        const at = (k * FINE) / (2 * half);
        const c = COS[at];
        const s = sign * COS[(at + 0.75 * FINE) % FINE];
        for (let a = k; a < n; a += 2 * half) {
          const b = a + half;
          const x = re[b] * c - im[b] * s;
          const y = re[b] * s + im[b] * c;
          re[b] = re[a] - x;
          im[b] = im[a] - y;
          re[a] += x;
          im[a] += y;
        }
      }
    return [re, im];
  }

  // Mean 0 and variance 1, and what the standard deviation was.
  function standardize(x) {
    const m = mean(x);
    const d = Math.sqrt(mean(x.map((v) => (v - m) ** 2)));
    return [x.map((v) => (v - m) / d), d];
  }

  function drawNoise(kind, draw) {
    let x = noise(kind === "pink" ? "gaussian" : kind, draw, N);
    if (kind === "pink") {
      const parts = transform(x, new Float64Array(N));
      for (const a of parts) for (let k = 0; k < N; k++) a[k] /= k ? Math.sqrt(Math.min(k, N - k)) : Infinity;
      x = transform(...parts, 1)[0];
    }
    return standardize(x)[0];
  }

  const SPREAD = Object.fromEntries(Object.keys(WINDOWS).map((name) => [name, standardize(WINDOWS[name])[1]]));
  const noiseLevel = (fault, snr) => SPREAD[fault] * 10 ** (-snr / 20);

  // A Butterworth band-pass of order 4, forwards and backwards.
  function bandGain(hz) {
    const [low, high, w] = [...BAND, hz].map((f) => Math.tan((Math.PI * f) / RATE));
    return 1 / (1 + ((w * w - low * high) / ((high - low) * w)) ** 8);
  }

  // The signal in the band, and its Hilbert transform.
  function analytic([re, im]) {
    const gain = (k) => (k > 0 && k < N / 2 ? (2 * bandGain((k * RATE) / N)) / N : 0);
    return transform(re.map((v, k) => v * gain(k)), im.map((v, k) => v * gain(k)), 1);
  }

  // Amplitude spectra of two envelopes at once, as real and imaginary part.
  function envelopeSpectra(a, b) {
    const [re, im] = [a, b].map((e) => {
      const m = mean(e);
      const out = new Float64Array(FINE);
      for (let i = 0; i < N; i++) out[i] = ((e[i] - m) * (1 - COS[4 * i])) / N; // Hann: its sum is N / 2
      return out;
    });
    transform(re, im);
    const out = [new Float64Array(SHOWN), new Float64Array(SHOWN)];
    for (let k = 0; k < SHOWN; k++) {
      const j = (FINE - k) % FINE;
      out[0][k] = Math.hypot(re[k] + re[j], im[k] - im[j]);
      out[1][k] = Math.hypot(im[k] + im[j], re[k] - re[j]);
    }
    return out;
  }

  // A line's peak, and the median around it.
  function surroundings(amplitude, hz) {
    const [step, bin] = [RATE / FINE, RATE / N];
    const [reach, far] = [Math.max(0.02 * hz, bin / 2), Math.max(0.1 * hz, 6 * bin)];
    let peak = 0;
    const around = [];
    for (let k = 4; k < amplitude.length; k++) {
      const distance = Math.abs(k * step - hz);
      if (distance <= reach) peak = Math.max(peak, amplitude[k]);
      if (distance <= far) around.push(amplitude[k]);
      else if (around.length) break;
    }
    around.sort((p, q) => p - q);
    return { peak, middle: around[around.length >> 1], far };
  }

  function height(amplitude, hz) {
    const { peak, middle } = surroundings(amplitude, hz);
    return peak / middle;
  }

  // What does not depend on the ratio, of the clean window and of the noise.
  function prepare({ fault, noise: kind, draw }) {
    return [WINDOWS[fault], drawNoise(kind, draw)].map((x) => {
      const spectrum = transform(x.slice(), new Float64Array(N));
      return { x, spectrum, band: analytic(spectrum) };
    });
  }

  const mix = (a, b, level) => a.map((v, i) => v + level * b[i]);
  const magnitude = ([re, im]) => re.map((v, i) => Math.sqrt(v * v + im[i] * im[i]));
  const amplitudes = (spectrum) => magnitude(spectrum).subarray(0, N / 2 + 1).map((v) => (2 / N) * v);
  const envelope = ([s, e], level) => magnitude([0, 1].map((part) => mix(s.band[part], e.band[part], level)));

  function signals({ fault, snr }, [s, e]) {
    const level = noiseLevel(fault, snr);
    const swell = envelope([s, e], level);
    return {
      noisy: mix(s.x, e.x, level),
      spectrum: amplitudes([0, 1].map((part) => mix(s.spectrum[part], e.spectrum[part], level))),
      envelope_spectrum: envelopeSpectra(swell, swell)[0],
    };
  }

  // The height of the fault's line; of a healthy bearing, the highest of all lines.
  const ofFault = (fault, amplitude) =>
    Math.max(...(fault === "healthy" ? LINES : [fault]).map((name) => height(amplitude, HZ[name])));

  // The same at each ratio of the grid.
  function curve({ fault }, parts) {
    const spectra = [];
    for (let i = 0; i < GRID.length; i += 2)
      spectra.push(...envelopeSpectra(...[0, 1].map((j) => envelope(parts, noiseLevel(fault, GRID[i + j])))));
    return spectra.map((one) => ofFault(fault, one));
  }

  const seenAt = (fault, snr) => knocksOf(fault).filter(([, h]) => h > SIGMAS * noiseLevel(fault, snr)).length;

  function losses({ fault }, heights) {
    if (fault === "healthy") return { eye: null, line: null };
    const highest = (lost) => GRID.filter(lost).at(-1) ?? null;
    return {
      eye: highest((snr) => seenAt(fault, snr) < knocksOf(fault).length / 2),
      line: highest((_, i) => heights[i] <= LIMIT),
    };
  }

  function measures({ fault, snr }, { envelope_spectrum: amplitude }) {
    const heights = Object.fromEntries(LINES.map((name) => [name, height(amplitude, HZ[name])]));
    const highest = Math.max(...Object.values(heights));
    return {
      heights,
      double: fault === "healthy" ? null : height(amplitude, 2 * HZ[fault]),
      answer: highest > LIMIT ? LINES.find((name) => heights[name] === highest) : "healthy",
      knocks: knocksOf(fault).length,
      seen: seenAt(fault, snr),
      level: noiseLevel(fault, snr),
    };
  }

  // ---- the charts -----------------------------------------------------------------------------------------------

  const number = (v) => fixed(v, 0);
  const count = (values, step) => Array.from(values, (_, i) => i * step);
  const stroke = (color, width, more = "") => `stroke="var(--${color})" stroke-width="${width}" ${more}`;
  const title = (words) => text(0, 14, words, 'class="title"');
  const word = (x, y, words, color, anchor) => text(x, y, words, `text-anchor="${anchor}" class="halo" ${tint(color)}`);

  function panel(width, top, bottom, xs, ys) {
    const box = { left: 46, right: width - 30, top, bottom };
    return [box, scale(xs, [box.left, box.right]), scale(ys, [bottom, top])];
  }

  function drawWaveform(width, { fault }, noisy, m) {
    const top = Math.max(...noisy.map(Math.abs)) * 1.05;
    const down = width < 380 ? 18 : 0; // beside the title there is no room for the legend
    const [box, x, y] = panel(width, 44 + down, 186 + down, [0, 160], [-top, top]);
    const ms = count(noisy, 1000 / RATE);
    let out = title("Waveform x (g)") + axes(box, x, y, { xTicks: [0, 40, 80, 120, 160], yTicks: ticks(-top, top, 4), xFormat: (v) => `${v} ms`, yFormat: (v) => fixed(v, top < 1 ? 1 : 0) });
    out += path(ms, noisy, x, y, stroke("ink", 1, 'class="noisy"'));
    if (m.knocks) out += word(down ? 0 : box.right, 14 + down, "▽ a knock, ▼ above 3 σ", "blue", down ? "start" : "end");
    for (const [at, h] of knocksOf(fault))
      out += `<path d="M${px(x(ms[at]))} ${box.top - 3}l-5 -10h10z" ${stroke("blue", 1.5)} fill="${h > SIGMAS * m.level ? "var(--blue)" : "none"}"/>`;
    return svg(width, 208 + down, `Waveform with noise of ${fixed(m.level, 2)} g; ${m.seen} of ${m.knocks} knocks are above ${SIGMAS} times that`, out);
  }

  function drawSpectrum(width, spectrum, held) {
    const [box, x, y] = panel(width, 30, 216, [0, RATE / 2], [-4, 0]);
    const [from, to] = BAND.map(x);
    const draw = (values, style) => path(count(values, RATE / N), values.map((v) => Math.max(-4, Math.log10(v))), x, y, style);
    let out = title("Spectrum (g)") + word(box.right, 14, "without noise", "orange", "end");
    out += `<rect x="${px(from)}" y="${box.top}" width="${px(to - from)}" height="${box.bottom - box.top}" fill="var(--blue)" opacity=".12"/>`;
    out += axes(box, x, y, { xTicks: [0, 2000, 4000, 6000], yTicks: [-4, -3, -2, -1, 0], xFormat: (v) => `${v / 1000} kHz`, yFormat: (v) => String(+(10 ** v).toFixed(4)) });
    out += draw(spectrum, stroke("gray", 1, 'class="spectrum"')) + (held[width] ||= draw(held.quiet, stroke("orange", 1)));
    out += word((from + to) / 2, box.top + 14, "band of the ring", "blue", "middle");
    return svg(width, 240, "Spectrum, logarithmic, with noise and without: lines of the gears below 1.5 kilohertz; shaded, the band in which knocks ring", out);
  }

  function drawEnvelope(width, { fault }, amplitude, own) {
    const shown = amplitude.map((v) => 1000 * v);
    const name = LINES.find((one) => height(amplitude, HZ[one]) === own); // the highest, of a healthy bearing
    const { middle, far } = surroundings(amplitude, HZ[name]);
    const top = Math.max(...shown, LIMIT * middle * 1000) * 1.05;
    const [box, x, y] = panel(width, 50, 216, [0, (SHOWN * RATE) / FINE], [0, top]);
    const marks = fault === "healthy"
      ? [["outer race", "end", 5], ["inner race", "start", 5], ["ball", "middle", 20]].map(([one, ...place]) => [HZ[one], one.split(" ")[0], ...place])
      : [1, 2, 3].map((k) => [k * HZ[fault], k > 1 ? `${k} ×` : `${number(HZ[fault])} Hz`, "middle", 5]);
    let out = title("Envelope spectrum of the band (mg)") + axes(box, x, y, { xTicks: [0, 100, 200, 300, 400], yTicks: ticks(0, top, 4), xFormat: (v) => (v ? v : "0 Hz") });
    for (const [hz, words, anchor, up] of marks) {
      out += line(x(hz), box.top, x(hz), box.bottom, stroke("blue", 1.5, 'stroke-dasharray="4 4"'));
      out += word(x(hz), box.top - up, words, "blue", anchor);
    }
    out += path(count(shown, RATE / FINE), shown, x, y, stroke("ink", 1.8, 'class="envelope"'));
    const [from, to, limit] = [x(HZ[name] - far), x(HZ[name] + far), y(LIMIT * middle * 1000)];
    out += line(from, limit, to, limit, stroke("vermillion", 2.5)) + word(to + 4, limit + 4, "limit", "vermillion", "start");
    return svg(width, 240, `Envelope spectrum up to 450 hertz; the line's height is ${fixed(own, 1)}`, out);
  }

  function drawHeights(width, { fault, snr }, heights, lost, own) {
    const healthy = fault === "healthy";
    const [box, x, y] = panel(width, healthy ? 30 : 72, 214, [LOW, HIGH], [-0.3, 1.2]);
    const log = Math.log10;
    const limit = y(log(LIMIT));
    const name = healthy ? "Highest of the three lines" : "Height of the fault's line";
    let out = title(name) + axes(box, x, y, { xTicks: GRID.filter((v) => v % 5 === 0), yTicks: [1, 2, 5, 10].map(log), xFormat: (v) => (v === HIGH ? "20 dB" : number(v)), yFormat: (v) => number(10 ** v) });
    if (!healthy)
      [["knocks seen", lost.eye, "orange"], ["line seen", lost.line, "blue"]].forEach(([words, end, color], row) => {
        const from = Math.max(x(Math.min(HIGH, end === null ? LOW : end + 1)), box.left + 80);
        out += line(from, 38 + 20 * row, box.right, 38 + 20 * row, stroke(color, 7));
        out += text(from - 6, 42 + 20 * row, words, 'text-anchor="end"');
      });
    out += line(box.left, limit, box.right, limit, stroke("vermillion", 2.5));
    out += word(box.right, limit + 16, `limit ${LIMIT}`, "vermillion", "end");
    out += path(GRID, heights.map(log), x, y, stroke("blue", 3, 'class="height"'));
    out += line(x(snr), box.top, x(snr), box.bottom, stroke("ink", 1, 'stroke-dasharray="3 3"'));
    out += `<circle class="here" cx="${px(x(snr))}" cy="${px(y(log(own)))}" r="7" fill="var(--blue)" ${stroke("card", 2)}/>`;
    out += text((box.left + box.right) / 2, box.bottom + 38, "← more noise · signal-to-noise ratio", 'text-anchor="middle"');
    return { svg: svg(width, 258, `${name} from ${LOW} to ${HIGH} decibels; ${fixed(own, 1)} at ${number(snr)}, the limit is ${LIMIT}`, out), x };
  }

  // ---- the figure -------------------------------------------------------------------------------------------------

  function create(ui) {
    ui.body.innerHTML = `
      ${ask(`<b>Before you move the noise:</b> as it rises, what gives out first: the knocks that the eye can find in the
        waveform, or the fault's line in the envelope spectrum?`, [["eye", "the knocks"], ["line", "the line"], ["same", "both at once"]])}
      <div class="controls">
        ${select("fault", "Pit on", Object.keys(WINDOWS).map((f) => [f, f === "healthy" ? "none: healthy" : f]))}
        ${select("noise", "Noise", [["gaussian", "Gaussian"], ["laplacian", "Laplacian"], ["pink", "pink"], ["uniform", "uniform"]])}
        <div class="buttons"><button type="button" id="draw">New noise</button><button type="button" id="reset">Reset</button></div>
        ${slider("snr", "Signal-to-noise ratio", [LOW, HIGH, 1], "gray")}
      </div>
      ${numbers([["height", "Height of the line"], ["answer", "The rule's answer"], ["seen", `Knocks above ${SIGMAS} σ of the noise`]])}
      <div class="charts">
        <div id="waveform-chart" class="wide"></div>
        <div id="spectrum-chart"></div>
        <div id="envelope-chart"></div>
        <div id="height-chart" class="wide"></div>
      </div>
      <p class="note">0.16 seconds at ${HZ.shaft} Hz. A knock counts as seen if it rings higher than ${SIGMAS} σ of the noise. The rule looks at
      ${LINES.map((name) => `${name} ${number(HZ[name])} Hz`).join(", ")}, and names the highest line if it is more than ${LIMIT} times
      the median of its surroundings, as each is in fewer than one of twenty healthy windows.</p>`;
    const { $ } = ui;
    let across;
    let memory = {};
    ui.bind("fault", "noise", "snr");
    ui.resettable();
    $("#draw").addEventListener("click", () => ui.set({ draw: (ui.state().draw % 2147483647) + 1 }));
    ui.draggable($("#height-chart"), (at) => ui.set({ snr: Math.min(HIGH, Math.max(LOW, Math.round(across.invert(at)))) }));

    const predict = ui.prediction((guess, { fault, noise: kind }) => {
      if (fault === "healthy") return "A healthy bearing has neither knocks nor a line. Choose a fault.";
      const { eye, line: lost } = memory.lost;
      const [a, b] = [eye ?? LOW - 1, lost ?? LOW - 1];
      const truth = a > b ? "eye" : a < b ? "line" : "same";
      const at = (v) => (v === null ? "nowhere in this range" : `at ${number(v)} dB`);
      const why = truth !== "eye" ? "That is unusual: draw new noise, and look again."
        : "The eye needs each knock by itself. The envelope spectrum looks only at the band in which they ring, and adds up all of them.";
      const pink = kind === "pink" ? " Pink noise has little power in that band, so the line lasts longer; and an eye that looks past slow waves does better than our count." : "";
      return `${guess === truth ? "Yes." : "Not here."} First, fewer than half of the knocks are seen ${at(eye)}, and the line is lost ${at(lost)}. ${why}${pink}`;
    });

    return (state, width) => {
      state.snr = Math.min(HIGH, Math.max(LOW, state.snr));
      const { fault, noise: kind, snr, draw } = state;
      const key = [fault, kind, draw].join();
      if (memory.key !== key) {
        const parts = prepare(state);
        const heights = curve(state, parts);
        memory = { key, parts, heights, quiet: amplitudes(parts[0].spectrum), lost: losses(state, heights) };
      }
      const s = signals(state, memory.parts);
      const m = measures(state, s);
      const own = ofFault(fault, s.envelope_spectrum);
      const half = width < 560 ? width : (width - 28) / 2;
      $("#waveform-chart").innerHTML = drawWaveform(width, state, s.noisy, m);
      $("#spectrum-chart").innerHTML = drawSpectrum(half, s.spectrum, memory);
      $("#envelope-chart").innerHTML = drawEnvelope(half, state, s.envelope_spectrum, own);
      const last = drawHeights(width, state, memory.heights, memory.lost, own);
      across = last.x;
      $("#height-chart").innerHTML = last.svg;

      ui.show("snr", snr, `${number(snr)} dB`, `${number(snr)} decibels, line ${fixed(own, 1)} times its surroundings, the rule says ${m.answer}`);
      ui.show("fault", fault);
      ui.show("noise", kind);
      $("#height").innerHTML = `${fixed(own, 1)} × <small>${m.double === null ? "the highest of three" : `at twice the rate ${fixed(m.double, 1)} ×`}</small>`;
      $("#answer").innerHTML = `${m.answer} <small>${m.answer === fault ? "✓ right" : "✗ wrong"}</small>`;
      $("#seen").innerHTML = `${m.seen} <small>of ${m.knocks}</small>`;
      predict(state);
    };
  }

  const defaults = { fault: "outer race", noise: "gaussian", snr: 5, draw: 1 };
  const css = ".controls > .select { grid-column: span 3; } .controls > .buttons { grid-column: span 6; } .controls > .slider { grid-column: 1 / -1; }";
  return DrsnFigure.figure("noise-lab", { defaults, css, create, math: { drawNoise, prepare, signals, curve, losses, measures } });
})();
