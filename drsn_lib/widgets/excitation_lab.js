// The excitation laboratory. Every number here has a NumPy twin in excitation_lab.py; tests compare the two.
const ExcitationLab = (() => {
  const { data, mean, fixed, line, text, svg, ask, numbers } = DrsnFigure;
  const range = (n) => [...Array(n).keys()];
  const percent = (p) => `${fixed(100 * p, 0)} %`;
  const { NO_NOISE, noisy, words, controls, wire, tell, paint } = DrsnDigits;

  const DEFAULTS = { digit: 3, draw: 1, snr: 0, switched: "", unit: 4 };
  const SWITCHES = { 0: 0, 1: 1 };
  const net = DrsnNetwork.load(data("excitation_lab"));

  // ---- the mathematics ------------------------------------------------------------------------------------

  // The gates of all units for a digit without noise.
  const kept = {};
  const cleanGates = (digit) => (kept[digit] ||= net.run(noisy(digit, NO_NOISE), { trace: true }).units.map((u) => u.gates));

  // The network with all gates as computed: kept until the image changes.
  let memory = {};
  function usual({ digit, snr, draw }) {
    const key = [digit, snr, draw].join();
    if (memory.key !== key) {
      const image = noisy(digit, snr, draw);
      memory = { key, image, ...net.run(image, { trace: true }) };
    }
    return memory;
  }

  // The network with other gates in one unit: only the units behind it are run again.
  function switchedRun({ unit, ...state }, others) {
    const { image, units } = usual(state);
    const { branch, gates, output, shape } = units[unit - 1];
    const size = shape[1] * shape[2];
    const used = gates.map((g, c) => others[c] ?? g);
    const gated = branch.map((u, i) => u * used[Math.floor(i / size)]);
    const changed = { ...units[unit - 1], gates: used, gated, output: output.map((y, i) => y + gated[i] - branch[i] * gates[Math.floor(i / size)]) };
    return net.run(image, { trace: true, known: [...units.slice(0, unit - 1), changed] });
  }

  // How far the probability of the answer falls when a channel is shut, for each channel.
  function importance(state) {
    const { label, probabilities, units } = usual(state);
    return Array.from(units[state.unit - 1].gates, (_, c) => {
      const others = [];
      others[c] = 0;
      return probabilities[label] - switchedRun(state, others).probabilities[label];
    });
  }

  const apart = (a, b) => mean(Array.from(a, (v, c) => Math.abs(v - b[c])));

  function look(state) {
    const before = usual(state);
    const others = [...state.switched].map((c) => SWITCHES[c]);
    const after = others.some((v) => v !== undefined) ? switchedRun(state, others) : before;
    const { label } = before;
    const { gates } = before.units[state.unit - 1];
    const clean = (digit) => cleanGates(digit)[state.unit - 1];
    const own = clean(state.digit);
    const measures = {
      label,
      before: before.probabilities[label],
      after: after.probabilities[label],
      label_after: after.label,
      gates: Array.from(gates),
      moved_by_noise: apart(gates, own),
      moved_by_digit: mean(range(10).filter((d) => d !== state.digit).map((d) => apart(clean(d), own))),
    };
    return { before, after, own, measures };
  }

  // ---- the charts -------------------------------------------------------------------------------------------

  function drawAnswer(width, { before, after }) {
    const [left, right] = [18, width - 46];
    const bold = 'style="fill: var(--ink); font-weight: 650"';
    let out = text(0, 14, "What the network answers", 'class="title"');
    after.probabilities.forEach((p, d) => {
      const y = 26 + 21 * d;
      const was = before.probabilities[d];
      const top = d === after.label;
      out += text(0, y + 13, d, top ? bold : "");
      out += `<rect class="now" x="${left}" y="${y}" width="${fixed(Math.max(p, 0.004) * (right - left), 2)}" height="16" rx="2" fill="var(--${top ? "green" : "gray"})"/>`;
      if (after !== before && was >= 0.005) out += line(left + was * (right - left), y - 2, left + was * (right - left), y + 18, 'stroke="var(--ink)" stroke-width="2"');
      if (p >= 0.005 || top) out += text(right + 6, y + 13, percent(p), top ? bold : "");
    });
    if (after !== before) out += text(left, 250, "marks: gates as computed");
    return svg(width, 254, `Probabilities of the ten digits; the answer is ${after.label} with ${percent(after.probabilities[after.label])}`, out);
  }

  const CSS = `${DrsnDigits.css}
    .parts { display: grid; grid-template-columns: 240px minmax(0, 1fr); gap: 16px 28px; }
    .medium .parts { grid-template-columns: minmax(0, 1fr); }
    .input { display: flex; gap: 12px; align-items: end; font-size: 13.5px; color: var(--soft); margin-bottom: 14px; }
    .input canvas { width: 84px; flex: none; }
    .head { display: flex; flex-wrap: wrap; gap: 6px 8px; align-items: center; justify-content: space-between; margin-bottom: 8px; }
    .cards { display: grid; grid-template-columns: repeat(8, minmax(0, 1fr)); gap: 8px; }
    .narrow .cards { grid-template-columns: repeat(4, minmax(0, 1fr)); }
    .card { display: block; padding: 4px 5px 6px; font-size: 13px; line-height: 1.35; text-align: left; }
    .card[hidden] { display: none; }
    .card .words { display: flex; justify-content: space-between; }
    .card .bar { display: block; position: relative; height: 9px; margin: 1px 0 5px; background: var(--line); border-radius: 2px; }
    .card i { position: absolute; inset: 0 auto 0 0; background: var(--green); border-radius: 2px; }
    .card u { position: absolute; top: -2px; bottom: -2px; width: 2px; margin-left: -1px; background: var(--ink); }
    .card[data-set] { border-color: var(--vermillion); box-shadow: inset 0 0 0 1px var(--vermillion); }
    .card[data-set] i { background: var(--vermillion); }`;

  // ---- the figure ---------------------------------------------------------------------------------------------

  function create(ui) {
    ui.body.innerHTML = `
      ${ask("<b>Before you shut a channel:</b> shut them one at a time, with all other gates as they are. Is it the channel with the <b>widest gate</b> on which the answer depends most?", [["yes", "yes, the widest gate"], ["no", "no, another one"]])}
      ${controls()}
      ${numbers([["probability", "Probability of the answer"], ["noise", "Gates moved by this noise"], ["digits", "Gates moved by another digit"]])}
      <div class="parts">
        <div><div class="input"><canvas id="image" role="img"></canvas><span id="image-words"></span></div><div id="answer"></div></div>
        <div><div class="head"><b id="cards-title"></b><span><button type="button" id="open">Open all</button> <button type="button" id="computed">As computed</button></span></div>
        <div class="cards" role="group" aria-labelledby="cards-title">${range(16).map((c) =>
          `<button type="button" class="card" data-c="${c}"><span>${c}</span><canvas></canvas><span class="words">g<b></b></span><span class="bar"><i></i><u></u></span><canvas></canvas></button>`).join("")}</div></div>
      </div>
      <p class="note"><b>Press a channel</b> to shut its gate (0); press again to open it (1), and again to leave it as computed. From above: the map u that the branch has made, orange positive, blue negative; the gate g, with a mark where it stands without noise; and g·u, all that goes on. The maps share one scale. In the first units they still look like the digit. The network was trained on digits in noise between −10 and 15 dB; its small network gets the mean of |u| in each channel.</p>`;
    const { $, $$ } = ui;
    wire(ui);
    // Another unit has other channels: what was switched is forgotten.
    $$("[name=unit]").forEach((e) => e.addEventListener("change", () => ui.set({ switched: "" })));
    const count = () => net.units[ui.state().unit - 1].channels;
    $("#open").addEventListener("click", () => ui.set({ switched: "1".repeat(count()) }));
    $("#computed").addEventListener("click", () => ui.set({ switched: "" }));
    const cards = $$(".card");
    for (const card of cards)
      card.addEventListener("click", () => {
        const marks = [...ui.state().switched.padEnd(count(), ".")];
        marks[card.dataset.c] = { ".": "0", 0: "1", 1: "." }[marks[card.dataset.c]];
        ui.set({ switched: marks.join("").replace(/\.+$/, "") });
      });

    const predict = ui.prediction((guess, state) => {
      const { measures: m } = look(state);
      const worth = importance(state);
      const widest = m.gates.indexOf(Math.max(...m.gates));
      const first = worth.indexOf(Math.max(...worth));
      const left = (c) => percent(m.before - worth[c]);
      const same = first === widest;
      const found = same ? "No other channel costs as much, for this image: try other digits and units." : `Shutting channel ${first} (gate ${fixed(m.gates[first], 2)}) takes it to ${left(first)}.`;
      return `${(guess === "yes") === same ? "Right." : "Not here."} The widest gate of unit ${state.unit} is that of channel ${widest} (${fixed(m.gates[widest], 2)}): shutting it takes the probability of “${m.label}” from ${percent(m.before)} to ${left(widest)}. ${found} A gate is a factor, not a mark: what counts is how loud the channel is, and what the layers behind make of it.`;
    });

    return (state, width) => {
      const found = look(state);
      const { before, after, own, measures: m } = found;
      const unit = before.units[state.unit - 1];
      const used = after.units[state.unit - 1];
      const [channels, height, across] = unit.shape;
      tell(ui, state);
      paint($("#image"), before.image, [28, 28]);
      $("#image").setAttribute("aria-label", `The digit ${state.digit}, ${words(state.snr)}`);
      $("#image-words").textContent = `What the network gets: digit ${state.digit}, ${words(state.snr)}`;
      $("#cards-title").textContent = `Unit ${state.unit}: u, gate g and g·u of ${channels} channels`;
      const limit = unit.branch.reduce((top, v) => Math.max(top, Math.abs(v)), 0);
      const size = height * across;
      cards.forEach((card, c) => {
        card.hidden = c >= channels;
        if (card.hidden) return;
        const mark = state.switched[c] || ".";
        const set = mark !== ".";
        const part = (map) => map.subarray(c * size, (c + 1) * size);
        const [u, gu] = card.querySelectorAll("canvas");
        paint(u, part(unit.branch), [height, across], limit);
        paint(gu, part(used.gated), [height, across], limit);
        card.toggleAttribute("data-set", set);
        card.querySelector("b").textContent = set ? ["shut", "open"][mark] : fixed(used.gates[c], 2);
        card.querySelector("i").style.width = `${100 * used.gates[c]}%`;
        card.querySelector("u").style.left = `${100 * own[c]}%`;
        card.setAttribute("aria-label", `Channel ${c}: gate ${fixed(used.gates[c], 2)}, ${set ? "set by you" : "as computed"}; without noise ${fixed(own[c], 2)}`);
      });
      $("#answer").innerHTML = drawAnswer(width < 760 ? width : 240, found);
      const changed = m.label_after === m.label ? "" : ` <small>now ${m.label_after}</small>`;
      $("#probability").innerHTML = `${m.label}: ${after === before ? "" : `<small>${percent(m.before)} →</small> `}${percent(m.after)}${changed}`;
      $("#noise").textContent = fixed(m.moved_by_noise, 2);
      $("#digits").textContent = fixed(m.moved_by_digit, 2);
      predict(state);
    };
  }

  return DrsnFigure.figure("excitation-lab", { defaults: DEFAULTS, css: CSS, create, math: { look, importance, measures: (s) => look(s).measures } });
})();
