// The drawing board: three trained networks read what is drawn. Formulas have their twin in draw_digit.py.
const DrawDigit = (() => {
  const { mean, fixed, scale, px, line, text, tint, svg, slider, choice, ask, data } = DrsnFigure;
  const { NO_NOISE, image, addNoise, words, paint } = DrsnDigits;

  const DEFAULTS = { digit: 3, drawing: "", snr: -5, draw: 3 };
  const NETWORKS = [["resnet", "ResNet", "blue"], ["senet", "SENet", "orange"], ["drsn-cw", "DRSN-CW", "vermillion"]];
  const each = (f) => Object.fromEntries(NETWORKS.map(([key]) => [key, f(key)]));
  const SIDE = 28;
  const GRID = 64;
  const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  // MNIST's digits: their box, half their strokes' width, its soft edge, in pixels.
  const [BOX, HALF_WIDTH, EDGE, MIDDLE, SMALLEST] = [17.8, 1.2, 1.3, 14, 16];

  // ---- the mathematics ------------------------------------------------------------------------------------

  const decode = (drawing) =>
    drawing.split(" ").filter(Boolean).map((s) => s.match(/../g).map((p) => [...p].map((c) => ALPHABET.indexOf(c))));

  // Strokes as an image: 1 within the stroke's width, 0 off it, between the two at its edge.
  function ink(strokes) {
    const out = new Float64Array(SIDE * SIDE);
    const range = (a, b) => [Math.max(Math.ceil(Math.min(a, b) - 2), 0), Math.min(Math.floor(Math.max(a, b) + 2), SIDE - 1)];
    for (const stroke of strokes)
      stroke.forEach(([bx, by], k) => {
        const [ax, ay] = stroke[Math.max(k - 1, 0)];
        const [dx, dy] = [bx - ax, by - ay];
        const [[left, right], [top, bottom]] = [range(ax, bx), range(ay, by)];
        for (let y = top; y <= bottom; y++)
          for (let x = left; x <= right; x++) {
            const along = Math.min(Math.max(((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy || 1), 0), 1);
            const value = (HALF_WIDTH - Math.hypot(x - ax - along * dx, y - ay - along * dy)) / EDGE + 0.5;
            out[y * SIDE + x] = Math.min(Math.max(value, out[y * SIDE + x]), 1);
          }
      });
    return out;
  }

  // A drawing made ready as MNIST's digits were: fitted into a box, drawn, its center of mass moved to the middle.
  function render(drawing) {
    const strokes = decode(drawing);
    const moved = (all, f) => all.map((s) => s.map((p) => p.map(f)));
    const [low, high] = ["min", "max"].map((f) => [0, 1].map((axis) => Math[f](...strokes.flat().map((p) => p[axis]))));
    const factor = BOX / Math.max(high[0] - low[0], high[1] - low[1], SMALLEST);
    const fitted = moved(strokes, (v, axis) => (v - (low[axis] + high[axis]) / 2) * factor + MIDDLE);
    const sums = [0, 0, 0];
    ink(fitted).forEach((v, i) => [i % SIDE, Math.floor(i / SIDE), 1].forEach((place, k) => (sums[k] += v * place)));
    return ink(moved(fitted, (v, axis) => v + MIDDLE - sums[axis] / sums[2]));
  }

  let networks;
  const load = () => (networks ||= each((key) => DrsnNetwork.load(data("digit_networks").networks[key])));

  // What the records say at the level that is nearest to an SNR.
  const records = () => data("digit_networks").accuracies;
  const recorded = (snr) => records().levels.reduce((a, b) => (Math.abs(b.snr - snr) < Math.abs(a.snr - snr) ? b : a));

  const all = (units, what) => units.flatMap((unit) => [...unit[what]]);

  // The run without noise depends on the image alone: kept while only the noise changes.
  let memory = {};
  function measures({ drawing, digit, snr, draw }) {
    const key = drawing || digit;
    if (memory.key !== key) {
      const pixels = drawing ? render(drawing) : image(digit);
      memory = { key, pixels, clean: load()["drsn-cw"].run(pixels, { trace: true }).units };
    }
    const { pixels, clean } = memory;
    const given = addNoise(pixels, snr, draw);
    const said = each((name) => load()[name].run(given, { trace: name === "drsn-cw" }));
    const { units } = said["drsn-cw"];
    return { pixels, given, said, units, clean, ratio: mean(all(units, "thresholds")) / mean(all(clean, "thresholds")) };
  }

  // ---- the drawings -----------------------------------------------------------------------------------------

  const percent = (v, digits = 0) => `${fixed(100 * v, digits)}\u00a0%`;
  const STRONG = 'font-weight="600" style="fill: var(--ink)"';

  // Three networks side by side, ten bars each.
  function drawNetworks(width, { drawing, digit: truth }, { said }, record) {
    const gap = width < 560 ? 14 : 34;
    const panel = (width - 2 * gap) / 3;
    const [top, step] = [52, 19];
    const low = top + 10 * step + 20;
    let out = "";
    NETWORKS.forEach(([key, name, color], n) => {
      const left = n * (panel + gap);
      const { probabilities, label } = said[key];
      const x = scale([0, 1], [left + 16, left + panel - 44]);
      out += text(left, 14, name, `${tint(color)} class="title"`);
      out += text(left, 37, `reads <tspan font-size="19" ${STRONG}>${label}${drawing ? "" : label === truth ? " ✓" : " ✗"}</tspan>`);
      probabilities.forEach((p, digit) => {
        const y = top + digit * step;
        const style = digit === label ? STRONG : "";
        out += text(left, y + 13, digit, style);
        out += `<rect class="bar" x="${px(x(0))}" y="${y + 2}" width="${px(Math.max(x(p) - x(0), 1))}" height="13" rx="2" fill="var(--${color})" opacity="${style ? 1 : 0.45}"/>`;
        if (p >= 0.005) out += text(x(p) + 5, y + 13, percent(p), style);
      });
      out += line(left, low - 16, left + panel, low - 16, 'class="grid"') + text(left, low, "test accuracy");
      out += text(left, low + 18, `<tspan ${STRONG}>${percent(record.mean[key], 1)}</tspan>${width < 560 ? "" : `, ${words(record.snr)}`}`);
    });
    const label = NETWORKS.map(([key, name]) => `${name} reads ${said[key].label} with ${percent(said[key].probabilities[said[key].label])}`);
    return svg(width, low + 22, `Probabilities of the ten digits: ${label.join(", ")}`, out);
  }

  // For each channel of each unit of the DRSN-CW: the share of the branch that the threshold sets to zero.
  function drawThresholds(width, { units, clean }) {
    const box = { left: 46, right: width, top: 30, bottom: 146 };
    const step = (box.right - box.left) / (all(units, "zeroed").length + 2.5 * (units.length - 1));
    const y = scale([0, 1], [box.bottom, box.top]);
    let out = text(0, 14, `DRSN-CW: set to zero${width < 560 ? "" : " by its thresholds, channel by channel"}`, 'class="title"');
    out += text(width, 14, "without noise", 'text-anchor="end"');
    for (const v of [0, 0.5, 1]) out += line(box.left, y(v), box.right, y(v), 'class="grid"') + text(box.left - 6, y(v) + 4, percent(v), 'text-anchor="end"');
    let at = box.left;
    let before = `M${width - 112} 10h18`;
    const label = units.map((unit, u) => {
      const middle = at + (step * unit.zeroed.length) / 2;
      unit.zeroed.forEach((share, c) => {
        out += `<rect class="zeroed" x="${px(at + 0.5)}" y="${px(y(share))}" width="${px(step - 1)}" height="${px(box.bottom - y(share))}" fill="var(--vermillion)"/>`;
        before += `M${px(at)} ${px(y(clean[u].zeroed[c]))}h${px(step)}`;
        at += step;
      });
      at += 2.5 * step;
      const [now, then] = [unit, clean[u]].map((one) => percent(mean(one.zeroed)));
      out += text(middle, 164, `unit ${u + 1}`, 'text-anchor="middle"') + text(middle, 184, now, `text-anchor="middle" ${STRONG}`);
      return `unit ${u + 1} ${now}, without noise ${then}`;
    });
    out += `<path class="clean" d="${before}" stroke="var(--ink)" stroke-width="2"/>`;
    return svg(width, 192, `Share of the channels' values that the thresholds set to zero, on average: ${label.join("; ")}`, out);
  }

  // ---- the figure ---------------------------------------------------------------------------------------------

  const CSS = `
    .top { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)) minmax(0, 1.25fr); gap: 14px 28px; margin: 0 0 18px; }
    .top div > b { display: block; font-size: 14px; margin-bottom: 6px; }
    .top canvas { display: block; width: 100%; aspect-ratio: 1; border-radius: 6px; border: 1px solid var(--gray); }
    #given { image-rendering: pixelated; }
    #board { touch-action: none; cursor: crosshair; }
    .top p { color: var(--soft); font-size: 13.5px; margin-top: 4px; }
    .top .controls { align-content: start; gap: 18px; }
    .top .controls > * { grid-column: 1 / -1; justify-content: flex-start; }
    button:disabled { opacity: 0.5; }
    .top .choice label { flex: 1; }
    .top .choice span { padding: 0; flex: 1; justify-content: center; }
    .top button { padding-inline: 9px; }
    #said { margin-top: 12px; }
    .narrow .top { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 14px; }
    .narrow .top > .controls { grid-column: 1 / -1; }
  `;

  function create(ui) {
    const { trained_db: [low, high], seeds } = records();
    ui.body.innerHTML = `
      ${ask(`<b>Before you add noise:</b> all three networks were trained on noisy digits, and only DRSN-CW has thresholds.
        At −10 dB the noise has ten times the power of the digit. Which of them reads most digits then?`,
        [...NETWORKS, ["none", "no clear difference"]])}
      <div class="top">
        <div><b>Draw a digit here</b>
          <canvas id="board" width="512" height="512" tabindex="0" role="application" aria-describedby="keys" data-lm-suppress-shortcuts="true"></canvas>
          <p id="pen" role="status"></p></div>
        <div><b>What they read</b><canvas id="given" role="img"></canvas><p id="power"></p></div>
        <div class="controls">
          ${choice("digit", "Or take a test digit", [...Array(10).keys()].map((d) => [d, d]))}
          ${slider("snr", "Signal-to-noise ratio (SNR)", [-10, NO_NOISE, 1], "gray")}
          <div class="buttons"><button type="button" id="clear">Clear</button><button type="button" id="draw">New noise</button><button type="button" id="reset">Reset</button></div>
        </div>
      </div>
      <div class="charts"><div id="networks" class="wide"></div><div id="thresholds" class="wide"></div></div>
      <p id="said"></p>
      <p class="note"><span id="keys">On the board, the arrow keys move the pen and the space bar puts it down or lifts it.</span>
      A drawing is made ready as MNIST's digits were: fitted into 20 × 20 of 28 × 28 pixels, with soft strokes of one width, its
      center of mass in the middle. The networks, of random seed 0, were trained in Gaussian noise from ${high} to ${fixed(low, 0)} dB.
      They run in this page; nothing that you draw leaves it. Test accuracies are the records' means over ${seeds} random seeds.</p>`;
    const { $ } = ui;
    const board = $("#board");
    const pen = { x: GRID / 2, y: 12, down: false, keys: false };

    ui.bind("snr");
    ui.resettable();
    ui.$$("[name=digit]").forEach((e) => e.addEventListener("change", () => ui.set({ digit: +e.value, drawing: "" })));
    $("#draw").addEventListener("click", () => ui.set({ draw: (ui.state().draw % 2147483647) + 1 }));
    $("#clear").addEventListener("click", () => ui.set({ drawing: "" }));

    // Add the pen's place to the last stroke, or begin one with it.
    function add(begin) {
      const { drawing } = ui.state();
      const longer = drawing + (begin && drawing ? " " : "") + ALPHABET[pen.x] + ALPHABET[pen.y];
      if (longer.length <= 4000) ui.set({ drawing: longer });
    }
    // Move the pen, if it is by at least so much.
    function move(to, least) {
      const [x, y] = to.map((v) => Math.min(Math.max(Math.round(v), 0), GRID - 1));
      return Math.max(Math.abs(x - pen.x), Math.abs(y - pen.y)) >= least && Object.assign(pen, { x, y });
    }
    function follow({ clientX, clientY }, least) {
      const { left, top, width } = board.getBoundingClientRect();
      return move([clientX - left, clientY - top].map((v) => (v / width) * GRID - 0.5), least);
    }
    board.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      board.setPointerCapture(event.pointerId);
      lift();
      follow(event, 0);
      add(true);
    });
    board.addEventListener("pointermove", (event) => {
      if (board.hasPointerCapture(event.pointerId) && follow(event, 2)) add(false);
    });
    const STEPS = { ArrowLeft: [-2, 0], ArrowRight: [2, 0], ArrowUp: [0, -2], ArrowDown: [0, 2], " ": [0, 0] };
    board.addEventListener("keydown", (event) => {
      const step = STEPS[event.key];
      if (!step) return;
      event.preventDefault();
      pen.keys = true;
      const moved = move([pen.x + step[0], pen.y + step[1]], 1);
      if (event.key === " ") pen.down = !pen.down;
      if (pen.down && (moved || event.key === " ")) add(!moved);
      ui.set({});
    });
    const lift = () => ui.set(Object.assign(pen, { keys: false, down: false }) && {});
    board.addEventListener("blur", lift);

    // White ink on black in either theme.
    const small = document.createElement("canvas");
    const context = board.getContext("2d");
    function drawBoard(drawing, pixels) {
      // The test digit in gray while nothing is drawn.
      paint(small, pixels.map((v) => (drawing ? -0.5 : 1.2 * v - 0.5)), [SIDE, SIDE]);
      context.drawImage(small, 0, 0, 512, 512);
      const at = (v) => (v + 0.5) * (512 / GRID);
      Object.assign(context, { lineCap: "round", lineJoin: "round", lineWidth: 40, strokeStyle: "#fff" });
      for (const stroke of decode(drawing)) {
        context.beginPath();
        [stroke[0], ...stroke].forEach(([x, y]) => context.lineTo(at(x), at(y)));
        context.stroke();
      }
      if (!pen.keys) return;
      Object.assign(context, { lineWidth: 10, strokeStyle: "#ff9d5c", fillStyle: "#ff9d5c" });
      context.beginPath();
      context.arc(at(pen.x), at(pen.y), 20, 0, 7);
      pen.down ? context.fill() : context.stroke();
    }

    const predict = ui.prediction((guess) => {
      const { mean: shares, best } = recorded(-10);
      const [, name] = NETWORKS.find(([key]) => key === best) ?? [];
      const why = name ? `${name} is ahead by more than random seeds explain.` : "The first two are no further apart than random seeds explain.";
      return `${guess === best ? "Yes." : "Not by the records."} Of the test digits at −10 dB, ${NETWORKS.map(([key, n]) => `${n} reads ${percent(shares[key], 1)}`).join(", ")}
        (means over ${seeds} random seeds). ${why} See how the three fare on one digit: move the slider to −10 dB and draw new noise a few times.`;
    });

    return (state, width) => {
      state.snr = Math.min(NO_NOISE, Math.max(-10, state.snr));
      const m = measures(state);
      paint($("#given"), m.given, [SIDE, SIDE]);
      drawBoard(state.drawing, m.pixels);
      $("#networks").innerHTML = drawNetworks(width, state, m, recorded(state.snr));
      $("#thresholds").innerHTML = drawThresholds(width, m);

      const level = words(state.snr);
      const times = 10 ** (-state.snr / 10);
      const power = state.snr >= NO_NOISE ? level : `noise: ${fixed(times, times < 0.995 ? 2 : 1)} × the digit's power`;
      const what = state.drawing ? "your drawing" : `test digit ${state.digit}`;
      ui.show("snr", state.snr, level, `${level.replace("dB", "decibels")}, ${power}`);
      ui.show("digit", state.drawing ? "" : state.digit);
      $("#clear").disabled = !state.drawing;
      $("#power").textContent = power;
      $("#given").setAttribute("aria-label", `28 by 28 pixels: ${what}, ${level}`);
      board.setAttribute("aria-label", `Drawing board: ${what}`);
      $("#pen").textContent = pen.keys ? `pen ${pen.down ? "down" : "up"}: column ${pen.x}, row ${pen.y}` : what;
      const [now, before] = [m.units, m.clean].map((units) => percent(mean(all(units, "zeroed"))));
      $("#said").innerHTML = state.snr >= NO_NOISE ? `Without noise the thresholds set on average <b>${now}</b> of a channel to zero.`
        : `With this noise the thresholds are on average <b>${fixed(m.ratio, 2)} times</b> as high as without it. They set <b>${now}</b> of a channel to zero; without noise it is ${before}.`;
      predict(state);
    };
  }

  return DrsnFigure.figure("draw-digit", { defaults: DEFAULTS, css: CSS, create, math: { render, recorded, measures } });
})();
