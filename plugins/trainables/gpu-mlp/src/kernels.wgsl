// A multi-layer perceptron: forward, loss, backward, update. Every matrix is row-major; a layer's parameters
// are a row of weights for each input and then the row of biases. `batch` is the part of `order` at hand.

struct Batch {
    start: u32,
    rows: u32,
    rate: f32,
    momentum: f32,
    decay: f32,
}
@group(0) @binding(0) var<uniform> batch: Batch;

override INPUTS: u32 = 1u;
override OUTPUTS: u32 = 1u;
// 0: none, 1: relu, 2: tanh. In `backward` that of the layer below.
override ACTIVATION: u32 = 0u;
override ADAM: bool = false;

const BETA_1 = 0.9;
const BETA_2 = 0.999;
const EPSILON = 1e-8;

// The images of the batch, side by side.
@group(1) @binding(0) var<storage, read> images: array<f32>;
@group(1) @binding(1) var<storage, read> order: array<u32>;
@group(1) @binding(2) var<storage, read_write> gathered: array<f32>;

@compute @workgroup_size(64)
fn gather(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= INPUTS || id.y >= batch.rows { return; }
    gathered[id.y * INPUTS + id.x] = images[order[batch.start + id.y] * INPUTS + id.x];
}

// Outputs of a layer.
@group(1) @binding(0) var<storage, read> weights: array<f32>;
@group(1) @binding(1) var<storage, read> inputs: array<f32>;
@group(1) @binding(2) var<storage, read_write> outputs: array<f32>;

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= OUTPUTS || id.y >= batch.rows { return; }
    var sum = weights[INPUTS * OUTPUTS + id.x];
    for (var i = 0u; i < INPUTS; i++) {
        sum += inputs[id.y * INPUTS + i] * weights[i * OUTPUTS + id.x];
    }
    switch ACTIVATION {
        case 1u: { sum = select(sum, 0.0, sum < 0.0); }
        case 2u: { sum = tanh(sum); }
        default: {}
    }
    outputs[id.y * OUTPUTS + id.x] = sum;
}

// Cross-entropy, hit and gradient of each image by the outputs of the last layer.
@group(1) @binding(0) var<storage, read> guesses: array<f32>;
@group(1) @binding(1) var<storage, read> numbers: array<u32>;
@group(1) @binding(2) var<storage, read> labels: array<u32>;
@group(1) @binding(3) var<storage, read_write> slopes: array<f32>;
@group(1) @binding(4) var<storage, read_write> scores: array<vec2f>;

@compute @workgroup_size(64)
fn score(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= batch.rows { return; }
    let first = id.x * OUTPUTS;
    var best = 0u;
    for (var c = 1u; c < OUTPUTS; c++) {
        if guesses[first + c] > guesses[first + best] { best = c; }
    }
    let top = guesses[first + best];
    var sum = 0.0;
    for (var c = 0u; c < OUTPUTS; c++) { sum += exp(guesses[first + c] - top); }
    let label = labels[numbers[batch.start + id.x]];
    let share = 1.0 / f32(batch.rows);
    for (var c = 0u; c < OUTPUTS; c++) {
        let power = exp(guesses[first + c] - top);
        slopes[first + c] = power / sum * share - select(0.0, share, c == label);
    }
    let loss = log(sum) + top - guesses[first + label];
    scores[batch.start + id.x] = vec2f(loss, select(0.0, 1.0, best == label));
}

// Gradient by the inputs of a layer, and through the activation that they came out of.
@group(1) @binding(0) var<storage, read> through: array<f32>;
@group(1) @binding(1) var<storage, read> values: array<f32>;
@group(1) @binding(2) var<storage, read> above: array<f32>;
@group(1) @binding(3) var<storage, read_write> below: array<f32>;

@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= INPUTS || id.y >= batch.rows { return; }
    var sum = 0.0;
    for (var o = 0u; o < OUTPUTS; o++) {
        sum += above[id.y * OUTPUTS + o] * through[id.x * OUTPUTS + o];
    }
    let value = values[id.y * INPUTS + id.x];
    switch ACTIVATION {
        case 1u: { sum = select(0.0, sum, value > 0.0); }
        case 2u: { sum *= 1.0 - value * value; }
        default: {}
    }
    below[id.y * INPUTS + id.x] = sum;
}

// One step of the optimizer for each parameter of a layer.
@group(1) @binding(0) var<storage, read> signals: array<f32>;
@group(1) @binding(1) var<storage, read> gradients: array<f32>;
@group(1) @binding(2) var<storage, read_write> parameters: array<f32>;
@group(1) @binding(3) var<storage, read_write> moment_1: array<f32>;
@group(1) @binding(4) var<storage, read_write> moment_2: array<f32>;

@compute @workgroup_size(64)
fn update(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= OUTPUTS || id.y > INPUTS { return; }
    let is_bias = id.y == INPUTS;
    var gradient = 0.0;
    for (var row = 0u; row < batch.rows; row++) {
        var signal = 1.0;
        if !is_bias { signal = signals[row * INPUTS + id.y]; }
        gradient += signal * gradients[row * OUTPUTS + id.x];
    }
    let at = id.y * OUTPUTS + id.x;
    let parameter = parameters[at];
    if !is_bias { gradient += batch.decay * parameter; }
    if ADAM {
        let m = BETA_1 * moment_1[at] + (1.0 - BETA_1) * gradient;
        let v = BETA_2 * moment_2[at] + (1.0 - BETA_2) * gradient * gradient;
        moment_1[at] = m;
        moment_2[at] = v;
        parameters[at] = parameter - batch.rate * m / (sqrt(v) + EPSILON);
    } else {
        let velocity = batch.momentum * moment_1[at] + gradient;
        moment_1[at] = velocity;
        parameters[at] = parameter - batch.rate * velocity;
    }
}
