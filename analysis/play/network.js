// The network of trm/model.py and the recursion of trm/recursion.py, for one example, in plain JavaScript.
// P puzzle tokens, L grid tokens, S = P + L positions, D hidden, I inner width, A heads, K head width, V vocabulary.
// A matrix is a Float32Array, row by row. Sums are taken in double precision, so they are at least as exact as PyTorch's.

const RMS_EPS = 1e-5;

/** x [rows, inputs] · Wᵀ, W [outputs, inputs]; four outputs at a time, which reads x once for them. */
function linear(x, rows, weight) {
  const [outputs, inputs] = weight.shape, w = weight.values, out = new Float32Array(rows * outputs);
  for (let row = 0; row < rows; row++) {
    const from = row * inputs, to = row * outputs;
    let o = 0;
    for (; o + 3 < outputs; o += 4) {
      let at = o * inputs, a = 0, b = 0, c = 0, d = 0;
      for (let i = 0; i < inputs; i++, at++) {
        const value = x[from + i];
        a += value * w[at];
        b += value * w[at + inputs];
        c += value * w[at + 2 * inputs];
        d += value * w[at + 3 * inputs];
      }
      out[to + o] = a; out[to + o + 1] = b; out[to + o + 2] = c; out[to + o + 3] = d;
    }
    for (; o < outputs; o++) {
      let sum = 0;
      for (let i = 0; i < inputs; i++) sum += x[from + i] * w[o * inputs + i];
      out[to + o] = sum;
    }
  }
  return out;
}

/** norm(x + y) over rows of this width: h / √(mean h² + ε). */
function normalisedSum(x, y, width) {
  const out = new Float32Array(x.length);
  for (let from = 0; from < x.length; from += width) {
    let square = 0;
    for (let i = from; i < from + width; i++) {
      out[i] = x[i] + y[i];
      square += out[i] * out[i];
    }
    const scale = 1 / Math.sqrt(square / width + RMS_EPS);
    for (let i = from; i < from + width; i++) out[i] *= scale;
  }
  return out;
}

function transposed(x, rows, columns) {
  const out = new Float32Array(x.length);
  for (let row = 0; row < rows; row++) for (let column = 0; column < columns; column++) out[column * rows + row] = x[row * columns + column];
  return out;
}

const sum = (x, y) => x.map((value, at) => value + y[at]);

/** The network of one model, and the supervision steps of one example. model: see analysis/play/models.py. */
class Network {
  constructor(model) {
    Object.assign(this, model);
    const values = new Float32Array(bytes(model.weights).buffer);
    let from = 0;
    this.tensors = Object.fromEntries(model.tensors.map(([name, shape]) => {
      const size = shape.reduce((product, length) => product * length, 1);
      from += size;
      return [name, { shape, values: values.subarray(from - size, from) }];
    }));
    this.positions = this.puzzle_tokens + this.tokens;
    this.trained_steps = this.steps;
  }

  /** What an answer starts from: each latent at its vector, and the question as what is fed. */
  start(question) {
    const everywhere = name => {
      const out = new Float32Array(this.positions * this.hidden);
      for (let from = 0; from < out.length; from += this.hidden) out.set(this.tensors[name].values, from);
      return out;
    };
    const latents = Object.fromEntries(Object.entries(this.starts).map(([latent, name]) => [latent, everywhere(name)]));
    return { step: 0, question, fed: question, latents };
  }

  /** One supervision step: the network calls that the recursion lists, then the heads. */
  step(state) {
    const step = state.step + 1, x = this.embed(state.fed, step), latents = { ...state.latents };
    const total = names => names.map(name => name === "x" ? x : latents[name]).reduce(sum);
    for (const { updates, state: own, injection, module } of this.recursion) {
      const h = total(own);
      latents[updates] = this.call(injection.length ? sum(h, total(injection)) : h, module);
    }
    const answer = latents[this.answer];
    const logits = linear(answer.subarray(this.puzzle_tokens * this.hidden), this.tokens, this.tensors.lm_head);
    const { predictions, confidence } = this.decode(logits);
    const halt = linear(answer.subarray(0, this.hidden), 1, this.tensors.q_halt)[0] + this.q_halt_bias;
    return { step, question: state.question, fed: this.feed === "prediction" ? predictions : state.question, latents, logits, predictions, confidence, halt };
  }

  /** x̃ [S, D]: of the tokens, of the places (puzzle tokens and positions) and of the step, which is at most the last
   *  trained one; scaled already. */
  embed(tokens, step) {
    const { token_vectors, place_vectors, step_vectors } = this.tensors, width = this.hidden, x = place_vectors.values.slice();
    const ofStep = (Math.min(step, this.trained_steps) - 1) * width;
    for (let i = 0; i < x.length; i++) x[i] += step_vectors.values[ofStep + i % width];
    tokens.forEach((token, place) => {
      const to = (this.puzzle_tokens + place) * width;
      for (let i = 0; i < width; i++) x[to + i] += token_vectors.values[token * width + i];
    });
    return x;
  }

  /** One network call: the module's blocks, one after the other. */
  call(h, module) {
    for (let layer = 0; layer < this.layers[module]; layer++) {
      const at = name => this.tensors[`${module}.layers.${layer}.${name}`];
      if (this.mlp_t) {
        const channels = transposed(h, this.positions, this.hidden);
        const mixed = this.swiglu(channels, this.hidden, at("mlp_t.gate_up_proj"), at("mlp_t.down_proj"));
        h = transposed(normalisedSum(channels, mixed, this.positions), this.hidden, this.positions);
      } else {
        h = normalisedSum(h, this.attention(h, at("self_attn.qkv_proj"), at("self_attn.o_proj")), this.hidden);
      }
      h = normalisedSum(h, this.swiglu(h, this.positions, at("mlp.gate_up_proj"), at("mlp.down_proj")), this.hidden);
    }
    return h;
  }

  /** silu(x G) · (x U) D. */
  swiglu(x, rows, gateUp, down) {
    const both = linear(x, rows, gateUp), inner = down.shape[1], gated = new Float32Array(rows * inner);
    for (let row = 0; row < rows; row++) for (let i = 0; i < inner; i++) {
      const gate = both[row * 2 * inner + i];
      gated[row * inner + i] = gate / (1 + Math.exp(-gate)) * both[row * 2 * inner + inner + i];
    }
    return linear(gated, rows, down);
  }

  /** Softmax attention of A heads, D = A·K here; queries and keys are turned by their positions where there are rotary tables. */
  attention(x, qkvProjection, outProjection) {
    const S = this.positions, D = outProjection.shape[1], K = D / this.heads, qkv = linear(x, S, qkvProjection);
    if (this.tensors.cos) for (let row = 0; row < S; row++) for (let head = 0; head < 2 * this.heads; head++) this.turn(qkv, row * 3 * D + head * K, row * K, K);
    const mixed = new Float32Array(S * D), scores = new Float64Array(S);
    for (let head = 0; head < this.heads; head++) for (let row = 0; row < S; row++) {
      const query = row * 3 * D + head * K, to = row * D + head * K;
      let most = -Infinity, total = 0;
      for (let other = 0; other < S; other++) {
        const key = other * 3 * D + D + head * K;
        let score = 0;
        for (let k = 0; k < K; k++) score += qkv[query + k] * qkv[key + k];
        scores[other] = score / Math.sqrt(K);
        most = Math.max(most, scores[other]);
      }
      for (let other = 0; other < S; other++) total += scores[other] = Math.exp(scores[other] - most);
      for (let other = 0; other < S; other++) {
        const value = other * 3 * D + 2 * D + head * K, share = scores[other] / total;
        for (let k = 0; k < K; k++) mixed[to + k] += share * qkv[value + k];
      }
    }
    return linear(mixed, S, outProjection);
  }

  /** Turn each pair (x_k, x_{k + K/2}) of the K numbers from `at` on by the angle of its position. */
  turn(x, at, table, K) {
    const cos = this.tensors.cos.values, sin = this.tensors.sin.values;
    for (let k = 0; k < K / 2; k++) {
      const [first, second] = [x[at + k], x[at + k + K / 2]];
      x[at + k] = first * cos[table + k] + second * sin[table + k]; // sin: (−sin, sin)
      x[at + k + K / 2] = second * cos[table + k] + first * sin[table + k + K / 2];
    }
  }

  /** The likeliest token of each cell, and its probability under the loss that the network was trained with. */
  decode(logits) {
    const V = this.vocabulary, predictions = new Uint8Array(this.tokens), confidence = new Float32Array(this.tokens);
    const stable = value => value < 0 ? 1 / (1 - value) : value + 1;
    for (let cell = 0; cell < this.tokens; cell++) {
      const row = logits.subarray(cell * V, (cell + 1) * V), most = Math.max(...row), best = row.indexOf(most);
      const scale = this.loss === "stablemax_cross_entropy" ? stable : value => Math.exp(value - most);
      predictions[cell] = best;
      confidence[cell] = scale(most) / row.reduce((total, value) => total + scale(value), 0);
    }
    return { predictions, confidence };
  }
}
