// The book's networks for images in plain JavaScript: what drsn_lib.models builds, with trained weights, forward
// only. The NumPy twin, and what writes the weights, is _network.py; the tests hold both to Keras.
// Maps are Float32Arrays of shape [channels, height, width], one channel after another.
const DrsnNetwork = (() => {
  const sigmoid = (v) => 1 / (1 + Math.exp(-v));

  // Normalization in inference, folded to a scale and a shift for each channel, and ReLU.
  function normalized(x, [C, H, W], { scale, shift }) {
    const out = new Float32Array(x.length);
    const N = H * W;
    for (let c = 0, i = 0; c < C; c++)
      for (const end = i + N; i < end; i++) {
        const v = x[i] * scale[c] + shift[c];
        out[i] = v > 0 ? v : 0;
      }
    return out;
  }

  // Convolution of size 3, padded as "same": of an odd number of rows or columns the larger half goes behind.
  function convolved(x, [C, H, W], { filters: F, stride: S, kernel, bias }) {
    const [h, w] = [Math.ceil(H / S), Math.ceil(W / S)];
    // A copy with a frame of zeros, so that the inner loops need not look where they are.
    const [PH, PW] = [(h - 1) * S + 3, (w - 1) * S + 3];
    const [top, left] = [Math.max(PH - H, 0) >> 1, Math.max(PW - W, 0) >> 1];
    const padded = new Float32Array(C * PH * PW);
    for (let c = 0; c < C; c++)
      for (let i = 0; i < Math.min(H, PH - top); i++) {
        const row = (c * H + i) * W;
        padded.set(x.subarray(row, row + Math.min(W, PW - left)), (c * PH + i + top) * PW + left);
      }
    const out = new Float32Array(F * h * w);
    for (let f = 0; f < F; f++) {
      out.fill(bias[f], f * h * w, (f + 1) * h * w);
      for (let c = 0; c < C; c++) {
        const k = (f * C + c) * 9;
        const [a0, a1, a2] = [kernel[k], kernel[k + 1], kernel[k + 2]];
        const [b0, b1, b2] = [kernel[k + 3], kernel[k + 4], kernel[k + 5]];
        const [c0, c1, c2] = [kernel[k + 6], kernel[k + 7], kernel[k + 8]];
        for (let i = 0, o = f * h * w; i < h; i++)
          for (let j = 0; j < w; j++) {
            const a = (c * PH + i * S) * PW + j * S;
            const b = a + PW;
            const d = b + PW;
            out[o++] += a0 * padded[a] + a1 * padded[a + 1] + a2 * padded[a + 2] + b0 * padded[b] + b1 * padded[b + 1] +
              b2 * padded[b + 2] + c0 * padded[d] + c1 * padded[d + 1] + c2 * padded[d + 2];
          }
      }
    }
    return out;
  }

  // Kernel and bias of `outputs` numbers from those in x.
  const dense = (x, { outputs, kernel, bias }) =>
    Float32Array.from({ length: outputs }, (_, o) => x.reduce((sum, v, i) => sum + v * kernel[i * outputs + o], bias[o]));

  // The mean of f over each channel.
  function means(x, [C, H, W], f) {
    const N = H * W;
    return Float32Array.from({ length: C }, (_, c) => {
      let sum = 0;
      for (let i = c * N; i < (c + 1) * N; i++) sum += f(x[i]);
      return sum / N;
    });
  }

  // Every S-th row and column, behind `front` channels of zeros, and more zeros behind; null: no shortcut at all.
  function shortcut(x, [C, H, W], front, S, [F, h, w]) {
    const out = new Float32Array(F * h * w);
    if (front !== null)
      for (let c = 0, o = front * h * w; c < C; c++)
        for (let i = 0; i < h; i++) for (let j = 0; j < w; j++) out[o++] = x[(c * H + i * S) * W + j * S];
    return out;
  }

  // One residual unit. `gates` and `thresholds` say, channel by channel, what to take in place of what the unit
  // computes: null or nothing leaves it.
  function runUnit(unit, input, inputShape, gates = [], thresholds = []) {
    const { filters: F, stride } = unit;
    const shape = [F, Math.ceil(inputShape[1] / stride), Math.ceil(inputShape[2] / stride)];
    const N = shape[1] * shape[2];
    const inner = convolved(normalized(input, inputShape, unit.norm), inputShape, unit.conv1);
    // The second normalization is folded into the first convolution.
    const branch = convolved(inner.map((v) => Math.max(v, 0)), shape, unit.conv2);
    const magnitudes = means(branch, shape, Math.abs);
    const result = { name: unit.name, kind: unit.kind, input, inputShape, branch, shape, magnitudes };
    let gated = branch;
    if (unit.kind !== "plain") {
      const asked = unit.kind === "se-textbook" ? means(branch, shape, (v) => v) : magnitudes;
      const hidden = dense(asked, unit.hidden).map((v) => Math.max(v, 0));
      result.gates = dense(hidden, unit.gate).map((v, c) => gates[c] ?? sigmoid(v));
      if (unit.kind.startsWith("drsn")) {
        const all = magnitudes.reduce((sum, v) => sum + v, 0) / F;
        const own = (c) => (unit.kind === "drsn-cs" ? result.gates[0] * all : result.gates[c] * magnitudes[c]);
        result.thresholds = Float32Array.from({ length: F }, (_, c) => thresholds[c] ?? own(c));
        result.zeroed = new Float32Array(F);
        gated = branch.map((v, i) => {
          const c = Math.floor(i / N);
          const kept = Math.abs(v) - result.thresholds[c];
          if (kept > 0) return v > 0 ? kept : -kept;
          result.zeroed[c] += 1 / N;
          return 0;
        });
      } else gated = branch.map((v, i) => v * result.gates[Math.floor(i / N)]);
    }
    const way = shortcut(input, inputShape, unit.shortcut, stride, shape);
    return { ...result, gated, output: way.map((v, i) => v + gated[i]) };
  }

  // Make a network of what `export` of _network.py wrote. Its `run(pixels, {trace, gates, thresholds})` takes as
  // many numbers as the input has (row by row, channel by channel) and returns {logits, probabilities, label} and,
  // with `trace`, also `stem`, `features` (what the classifier sees) and `units`, for each unit: {name, kind, input,
  // inputShape, branch (u), shape, magnitudes (mean |u| of each channel), gates (g, or α: one if shared),
  // thresholds (one a channel) and zeroed (share of u that becomes 0), gated, output}. `gates` and `thresholds`
  // are lists, one a unit, of lists of numbers to take in place of the computed ones: gates: [null, [null, 0]].
  // `known` are the first units' results from an earlier run with the same pixels: these units are not run again.
  function load({ input, layers, units, weights }) {
    const numbers = DrsnFigure.floats(weights);
    let at = 0;
    const take = (count) => numbers.subarray(at, (at += count));
    const conv = ([filters, channels, stride]) => ({ filters, stride, kernel: take(9 * filters * channels), bias: take(filters) });
    const norm = (channels) => ({ scale: take(channels), shift: take(channels) });
    const fully = ([inputs, outputs]) => ({ outputs, kernel: take(inputs * outputs), bias: take(outputs) });
    // In the order in which they were written.
    const stem = conv(layers.stem);
    const parts = units.map((unit) => ({
      ...unit,
      filters: unit.conv1[0],
      stride: unit.conv1[2],
      norm: norm(unit.conv1[1]),
      conv1: conv(unit.conv1),
      conv2: conv(unit.conv2),
      hidden: unit.hidden && fully(unit.hidden),
      gate: unit.gate && fully(unit.gate),
    }));
    const last = norm(layers.classifier[0]);
    const classifier = fully(layers.classifier);

    function run(pixels, { trace = false, gates = [], thresholds = [], known = [] } = {}) {
      let shape = [stem.filters, Math.ceil(input[1] / stem.stride), Math.ceil(input[2] / stem.stride)];
      let x = known.length ? known[0].input : convolved(Float32Array.from(pixels), input, stem);
      const first = x;
      const traces = parts.map((unit, k) => {
        const result = known[k] ?? runUnit(unit, x, shape, gates[k] ?? [], thresholds[k] ?? []);
        [x, shape] = [result.output, result.shape];
        return result;
      });
      const features = means(normalized(x, shape, last), shape, (v) => v);
      const logits = dense(features, classifier);
      const top = Math.max(...logits);
      const powers = logits.map((v) => Math.exp(v - top));
      const probabilities = powers.map((v) => v / powers.reduce((sum, p) => sum + p, 0));
      const result = { logits, probabilities, label: logits.indexOf(top) };
      return trace ? { ...result, stem: first, features, units: traces } : result;
    }
    return { run, input, units: units.map(({ name, kind, conv1 }) => ({ name, kind, channels: conv1[0] })) };
  }

  return { load };
})();
