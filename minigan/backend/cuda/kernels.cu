// minigan's CUDA kernels, in rising difficulty: to be read from top to bottom, as a course.
//
// A launch runs one function, a kernel, in very many threads. 256 threads form a block: they can
// share memory and wait for each other at a barrier. The blocks form the grid; they run in any
// order, and none can wait for another. Every thread asks who it is (threadIdx, blockIdx), works
// out which numbers of the result it owns, and writes those and no others. That is the whole art:
// as long as each number has one owner, nothing depends on the order in which threads run.
//
// 32 neighbouring threads form a warp and execute each instruction together. If they then read 32
// neighbouring numbers, memory serves all of them at once ("coalesced"): so below, neighbouring
// threads always own neighbours in memory, that is neighbouring channels, the last axis.
//
//     1  one thread, one number     activations, softplus
//     2  changing state in place    SGD, RMSProp, Adam
//     3  random numbers             Philox, without a state
//     4  many numbers, one sum      column sums, a norm, losses: shuffles, shared memory, a barrier
//     5  batch normalization        the same, with work before and after
//     6  images as matrices         unfold, and its adjoint without a collision
//     7  a matrix product           tiles in shared memory
//     8  convolutions               the same product over matrices that are never stored
//
// The comment above each kernel begins with the name of its page: the code in NumPy that computes
// the same in a few readable lines. The tests compare the two. T is float or double. Sizes are int:
// the backend refuses larger arrays. Constants are written T(0.5): a bare 0.5 is a double, and
// doubles are slow on most GPUs. Sums are taken in an order that depends on sizes alone, so the
// same input gives the same bits.

constexpr int THREADS = 256;  // of every block
constexpr int WARP = 32;
constexpr unsigned ALL_LANES = 0xffffffffu;  // every thread of a warp takes part

// ---- 1. One thread, one number ------------------------------------------------------------------
//
// The grid-stride loop: thread i of all S threads owns the numbers i, i + S, i + 2S, … It is right
// for every grid, also one that is smaller than the array.

#define FOR_EACH(i, n)                                         \
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < (n); \
       i += blockDim.x * gridDim.x)

// The functions of layers/activations.py, in the order of `ACTIVATIONS` (backend.py). All threads
// take the same case, so that the switch costs next to nothing beside the memory that is read.
enum Function { IDENTITY, RELU, LEAKY_RELU, TANH, SIGMOID, SOFTPLUS };

template <typename T>
__device__ T softplus_of(T x) {  // log(1 + eˣ), where eˣ would overflow
  return (x > T(0) ? x : T(0)) + log1p(exp(-fabs(x)));
}

template <typename T>
__device__ T sigmoid_of(T x) {
  T small = exp(-fabs(x));  // asked this way, nothing overflows, and no digit of a tiny σ is lost
  return (x < T(0) ? small : T(1)) / (T(1) + small);
}

template <typename T>
__device__ T value_of(int function, T x, T slope) {
  switch (function) {
    case RELU: return x < T(0) ? T(0) : x;  // asked this way round, NaN stays NaN
    case LEAKY_RELU: return x > T(0) ? x : slope * x;
    case TANH: return tanh(x);
    case SIGMOID: return sigmoid_of(x);
    case SOFTPLUS: return softplus_of(x);
    default: return x;
  }
}

template <typename T>
__device__ T first_derivative(int function, T y, T slope) {  // f'(x) by y = f(x)
  switch (function) {
    case RELU: return y > T(0) ? T(1) : T(0);
    case LEAKY_RELU: return y > T(0) ? T(1) : slope;
    case TANH: return T(1) - y * y;
    case SIGMOID: return y * (T(1) - y);
    case SOFTPLUS: return -expm1(-y);
    default: return T(1);
  }
}

template <typename T>
__device__ T second_derivative(int function, T y) {  // f''(x) by y = f(x)
  T first = first_derivative(function, y, T(0));
  switch (function) {
    case TANH: return T(-2) * y * first;
    case SIGMOID: return (T(1) - T(2) * y) * first;
    case SOFTPLUS: return exp(-y) * first;
    default: return T(0);
  }
}

// Tanh.forward, and all other activations: y = f(x + b), x (n / channels, channels); channels = 0
// says that there is no b; f may be the identity.
// One kernel where NumPy needs two or more passes: every number is read once and written once.
// y may be x itself, as each thread reads its number before it writes it.
template <typename T>
__global__ void bias_activation(const T* x, const T* bias, T* y, int n, int channels,
                                int function, T slope) {
  FOR_EACH(i, n) {
    T v = channels ? x[i] + bias[i % channels] : x[i];
    y[i] = value_of(function, v, slope);
  }
}

// Tanh.backward, and all other activations: dx = dy · f'(x)
template <typename T>
__global__ void activation_gradient(const T* dy, const T* y, T* dx, int n, int function, T slope) {
  FOR_EACH(i, n) dx[i] = first_derivative(function, y[i], slope) * dy[i];
}

// Tanh.double_backward, and all other activations: u_x = u · dy · f''(x)
template <typename T>
__global__ void activation_curvature(const T* u, const T* dy, const T* y, T* out, int n,
                                     int function) {
  FOR_EACH(i, n) out[i] = second_derivative(function, y[i]) * dy[i] * u[i];
}

// ---- 2. Changing state in place -----------------------------------------------------------------
//
// An update reads and writes several long vectors and computes little: its time is that of memory.
// As one kernel it moves each number once. `guard` points to a flag on the device that says whether
// everything so far was finite: if not, nothing is changed, and nobody had to wait to find out.

// SGD.update: v = μ v + g;  w −= lr · v
template <typename T>
__global__ void sgd(T* w, const T* g, T* velocity, const int* guard, int n, T lr, T momentum) {
  if (!*guard) return;
  FOR_EACH(i, n) {
    T v = momentum * velocity[i] + g[i];
    velocity[i] = v;
    w[i] -= lr * v;
  }
}

// RMSProp.update: rest = 1 − alpha
template <typename T>
__global__ void rmsprop(T* w, const T* g, T* square, const int* guard, int n, T lr, T alpha,
                        T rest, T eps) {
  if (!*guard) return;
  FOR_EACH(i, n) {
    T s = alpha * square[i] + rest * (g[i] * g[i]);
    square[i] = s;
    w[i] -= lr * (g[i] / (sqrt(s) + eps));
  }
}

// Adam.update: rest = 1 − beta; the corrections of both means are in `scale` and `eps`
template <typename T>
__global__ void adam(T* w, const T* g, T* mean, T* square, const int* guard, int n, T scale,
                     T beta1, T rest1, T beta2, T rest2, T eps) {
  if (!*guard) return;
  FOR_EACH(i, n) {
    T m = beta1 * mean[i] + rest1 * g[i];
    T v = beta2 * square[i] + rest2 * (g[i] * g[i]);
    mean[i] = m;
    square[i] = v;
    w[i] -= scale * (m / (sqrt(v) + eps));
  }
}

// DeviceWatch.keep: after an update that was refused, statistics become what they were before
template <typename T>
__global__ void set_back(T* statistics, const T* before, const int* guard, int n) {
  if (*guard) return;
  FOR_EACH(i, n) statistics[i] = before[i];
}

// WeightAverage.interpolate: w̄ += rate · (w − w̄)
template <typename T>
__global__ void interpolate(T* average, const T* w, const int* guard, int n, T rate) {
  if (!*guard) return;
  FOR_EACH(i, n) average[i] += rate * (w[i] - average[i]);
}

// ---- 3. Random numbers --------------------------------------------------------------------------
//
// A generator with a state gives its numbers one after another; a thousand threads would queue for
// it. Philox has none: it is a fixed, thorough mixing of a counter with a key, and number i is
// simply mix(i, key). (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", SC'11:
// Philox4x32-10, four words of 32 bits, ten rounds.)
//
// The NumPy twin gives the same bits, also of normal numbers. Sums, products, quotients and square
// roots are rounded alike everywhere (IEEE 754), but two liberties have to be taken away: log, sin
// and cos, of which every library has its own (so they are written out), and the compiler's habit
// of fusing a · b + c into one rounding (so products are marked as not to be fused). CuPy also has
// subnormal floats flushed to zero; none arises here.

struct Words {
  unsigned w[4];
};

__device__ Words philox(unsigned counter, unsigned key0, unsigned key1) {
  Words c = {{counter, 0u, 0u, 0u}};
  for (int round = 0; round < 10; ++round) {
    unsigned long long p = 0xD2511F53ull * c.w[0], q = 0xCD9E8D57ull * c.w[2];
    c = {{(unsigned)(q >> 32) ^ c.w[1] ^ key0, (unsigned)q,
          (unsigned)(p >> 32) ^ c.w[3] ^ key1, (unsigned)p}};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return c;
}

// Four words make four floats of 24 random bits, or two doubles of 53; all in [0, 1).
template <typename T>
struct Uniforms;

template <>
struct Uniforms<float> {
  static constexpr int COUNT = 4;
  float u[4];
  __device__ explicit Uniforms(const Words& words) {
    for (int j = 0; j < 4; ++j) u[j] = (words.w[j] >> 8) * 0x1p-24f;
  }
};

template <>
struct Uniforms<double> {
  static constexpr int COUNT = 2;
  double u[2];
  __device__ explicit Uniforms(const Words& words) {
    for (int j = 0; j < 2; ++j) {
      unsigned long long bits = (unsigned long long)(words.w[2 * j] >> 5) << 26;
      u[j] = (bits + (words.w[2 * j + 1] >> 6)) * 0x1p-53;
    }
  }
};

__device__ inline float times(float a, float b) { return __fmul_rn(a, b); }
__device__ inline double times(double a, double b) { return __dmul_rn(a, b); }

// ln x for 0 < x <= 1: x = m · 2ᵉ with √½ <= m < √2, and with s = (m − 1) / (m + 1),
// ln m = 2 artanh s = 2 s (1 + s²/3 + s⁴/5 + …), |s| < 0.172
template <typename T>
__device__ T exact_log(T x) {
  int e = 0;
  T m = frexp(x, &e);
  if (m < T(0.7071067811865476)) {
    m = m + m;
    e -= 1;
  }
  T s = (m - T(1)) / (m + T(1)), s2 = times(s, s), sum = T(0);
  for (int k = 21; k >= 1; k -= 2) sum = times(sum, s2) + T(1) / T(k);
  return times(T(e), T(0.6931471805599453)) + times(T(2) * s, sum);
}

// (cos 2πu, sin 2πu), 0 <= u < 1: the nearest quarter of the circle, and Taylor series from there
template <typename T>
__device__ void exact_circle(T u, T* cosine, T* sine) {
  T t = times(u, T(4));
  int quarter = (int)(t + T(0.5));
  T a = times(t - T(quarter), T(1.5707963267948966)), a2 = times(a, a), c = T(1), s = T(1);
  for (int k = 16; k >= 2; k -= 2) {
    c = T(1) - times(times(c, a2), T(1) / T((k - 1) * k));
    s = T(1) - times(times(s, a2), T(1) / T(k * (k + 1)));
  }
  s = times(s, a);
  bool swapped = quarter % 2 == 1, turned = quarter % 4 >= 2;
  T x = swapped ? -s : c, y = swapped ? c : s;
  *cosine = turned ? -x : x;
  *sine = turned ? -y : y;
}

// philox.uniform: U[0, 1). The thread of counter i owns the COUNT numbers that start at i · COUNT.
template <typename T>
__global__ void philox_uniform(T* out, int n, unsigned key0, unsigned key1) {
  constexpr int COUNT = Uniforms<T>::COUNT;
  FOR_EACH(i, (n + COUNT - 1) / COUNT) {
    Uniforms<T> uniforms(philox(i, key0, key1));
    for (int j = 0; j < COUNT && i * COUNT + j < n; ++j) out[i * COUNT + j] = uniforms.u[j];
  }
}

// philox.normal: N(0, 1), two from each pair of uniform numbers (Box and Muller 1958):
// √(−2 ln(1 − u)) · (cos 2πv, sin 2πv)
template <typename T>
__global__ void philox_normal(T* out, int n, unsigned key0, unsigned key1) {
  constexpr int COUNT = Uniforms<T>::COUNT;
  FOR_EACH(i, (n + COUNT - 1) / COUNT) {
    Uniforms<T> uniforms(philox(i, key0, key1));
    for (int j = 0; j < COUNT; j += 2) {
      T radius = sqrt(T(-2) * exact_log(T(1) - uniforms.u[j])), x, y;
      exact_circle(uniforms.u[j + 1], &x, &y);
      if (i * COUNT + j < n) out[i * COUNT + j] = times(radius, x);
      if (i * COUNT + j + 1 < n) out[i * COUNT + j + 1] = times(radius, y);
    }
  }
}

// ---- 4. Many numbers, one sum -------------------------------------------------------------------
//
// The gradient of a bias is the sum of each column of dy (rows, columns). A block takes `width`
// neighbouring columns, a power of two up to 32, and all its threads share the rows:
//
//     thread t   owns column t % width, and of the rows t / width, and on in steps of 256 / width
//
// so that a warp reads 32 / width whole rows of the tile: neighbours in memory. Each thread adds up
// its rows in a register. Then 256 partial sums have to become `width`, in two steps:
//
//     in a warp        lanes that are `width` apart hold the same column: shuffles hand numbers
//                      from lane to lane, register to register, without any memory
//     across warps     through shared memory: every warp writes its sums there, all wait at the
//                      barrier, and the first `width` threads add up what the warps left
//
// A grid of several blocks below each other (gridDim.y) makes one row of partial sums each. Blocks
// cannot wait for each other: perhaps the others run only when this one is done. But each can count
// itself when it has written its sums, and the one that comes last adds up all of them, in order.
// To add to the result right away (atomicAdd) would be shorter, but the order would be that in
// which blocks happen to end, and each run would round differently.

// The sum over all threads of a block that have the same t % width; valid in threads t < width.
// Every thread of the block must call it: it holds barriers.
template <typename T>
__device__ T sum_of_block(T value, int width) {
  __shared__ T of_warp[THREADS / WARP][WARP];
  for (int distance = WARP / 2; distance >= width; distance /= 2)
    value += __shfl_down_sync(ALL_LANES, value, distance);
  int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
  if (lane < width) of_warp[warp][lane] = value;
  __syncthreads();  // what the other warps wrote can be read from here on
  T sum = T(0);
  if ((int)threadIdx.x < width)
    for (int w = 0; w < THREADS / WARP; ++w) sum += of_warp[w][threadIdx.x];
  __syncthreads();  // all have read: the next call may write again
  return sum;
}

// Where a thread stands in the tiles of a (rows, columns) matrix, as drawn above.
struct Tile {
  int column, row, step;
  bool inside;  // the last tile may reach beyond the last column

  __device__ Tile(int columns, int width) {
    column = blockIdx.x * width + threadIdx.x % width;
    row = blockIdx.y * (THREADS / width) + threadIdx.x / width;
    step = gridDim.y * (THREADS / width);
    inside = column < columns;
  }
  // A block's sum of a column: one thread of the block has it, and writes it.
  __device__ bool owns_sum(int width) const { return inside && (int)threadIdx.x < width; }
};

// Whether this is the last of the blocks below each other to come here. `arrived` (gridDim.x)
// counts them, and starts again from 0 by itself. A fence sets memory in order: what was written
// before it is there, for all blocks, before what is written after it.
__device__ inline bool comes_last(unsigned* arrived) {
  __shared__ bool last;
  __syncthreads();  // all threads of this block have written
  if (threadIdx.x == 0) {
    __threadfence();
    last = atomicInc(&arrived[blockIdx.x], gridDim.y - 1) == gridDim.y - 1;
    __threadfence();  // what the others wrote is looked at after this one was counted
  }
  __syncthreads();
  return last;
}

// Sums over the whole grid: COUNT of them per column, of which each thread brings its share. True
// in the block that has them, in its threads t < width. partial: (gridDim.y, COUNT, columns).
template <int COUNT, typename T>
__device__ bool sum_of_grid(T (&sums)[COUNT], const Tile& tile, int columns, int width, T* partial,
                            unsigned* arrived) {
  for (T& sum : sums) sum = sum_of_block(sum, width);
  if (gridDim.y == 1) return true;
  for (int k = 0; k < COUNT; ++k)
    if (tile.owns_sum(width)) partial[(blockIdx.y * COUNT + k) * columns + tile.column] = sums[k];
  if (!comes_last(arrived)) return false;
  for (int k = 0; k < COUNT; ++k) {
    sums[k] = T(0);
    if (tile.inside)
      for (int part = threadIdx.x / width; part < (int)gridDim.y; part += THREADS / width)
        sums[k] += partial[(part * COUNT + k) * columns + tile.column];
    sums[k] = sum_of_block(sums[k], width);
  }
  return true;
}

// Dense.add_gradients, db: out (columns,) = (or +=) scale · Σ x (rows, columns)
template <typename T>
__global__ void column_sums(const T* x, T* out, T* partial, unsigned* arrived, int rows,
                            int columns, int width, int accumulate, T scale) {
  Tile tile(columns, width);
  T sums[] = {T(0)};
  if (tile.inside)
    for (int r = tile.row; r < rows; r += tile.step) sums[0] += x[r * columns + tile.column];
  if (!sum_of_grid(sums, tile, columns, width, partial, arrived)) return;
  if (tile.owns_sum(width)) {
    T* target = &out[tile.column];
    *target = accumulate ? *target + scale * sums[0] : scale * sums[0];
  }
}

// NumpyBackend.norm: out = √(Σ x²), x a matrix of one column
template <typename T>
__global__ void vector_norm(const T* x, T* out, T* partial, unsigned* arrived, int rows,
                            int columns, int width) {
  Tile tile(columns, width);
  T sums[] = {T(0)};
  for (int r = tile.row; r < rows; r += tile.step) sums[0] += x[r] * x[r];
  bool complete = sum_of_grid(sums, tile, columns, width, partial, arrived);
  if (complete && tile.owns_sum(width)) *out = sqrt(sums[0]);
}

// DeviceWatch.ask: the first update whose loss, norm or statistics (n,) are not finite clears
// flag[0] and leaves its number in flag[1]. One block. (For a finite x, x − x is 0; ∞ − ∞ and
// NaN − NaN are NaN, and so is any sum with them.)
template <typename T>
__global__ void finite_guard(const T* loss, const T* norm, const T* statistics, int* flag, int n,
                             int number) {
  T doubt = (*loss - *loss) + (*norm - *norm);
  for (int i = threadIdx.x; i < n; i += THREADS) doubt += statistics[i] - statistics[i];
  doubt = sum_of_block(doubt, 1);
  if (threadIdx.x != 0 || doubt == T(0) || !flag[0]) return;
  flag[0] = 0;
  flag[1] = number;
}

// Minimax.discriminator, and NonSaturating.generator: of logits r (rows, 1) and f (others, 1),
// where others may be 0, the loss mean(sign · softplus(slope · r) + rest · r) + mean softplus(f)
// and its gradients
template <typename T>
__global__ void logistic_loss(const T* r, const T* f, T* d_real, T* d_fake, T* loss, T* partial,
                              unsigned* arrived, int rows, int columns, int width, int others,
                              T sign, T slope, T rest) {
  Tile tile(columns, width);
  T sums[] = {T(0), T(0)};
  for (int i = tile.row; i < rows; i += tile.step) {
    sums[0] += sign * softplus_of(slope * r[i]) + rest * r[i];
    d_real[i] = (sign * slope * sigmoid_of(slope * r[i]) + rest) / T(rows);
  }
  for (int i = tile.row; i < others; i += tile.step) {
    sums[1] += softplus_of(f[i]);
    d_fake[i] = sigmoid_of(f[i]) / T(others);
  }
  bool complete = sum_of_grid(sums, tile, columns, width, partial, arrived);
  if (complete && tile.owns_sum(width))
    *loss = sums[0] / T(rows) + (others ? sums[1] / T(others) : T(0));
}

// ---- 5. Batch normalization ---------------------------------------------------------------------
//
// y = γ (x − mean) / √(var + eps) + β needs sums over all rows before it can write any number of y,
// so it is several launches: Σ x (column_sums); then x − mean with Σ (x − mean)²; then y. The
// two passes for the variance are worth it: Σ x² / M − mean² loses every digit if |mean| ≫ √var.
// All of them go over the matrix by tiles: so a thread divides once per column, not per number.

// BatchNorm.forward, first half: centred = x − total / count, and square (columns,) = Σ centred²
template <typename T>
__global__ void batch_norm_center(const T* x, const T* total, T* centred, T* square, T* partial,
                                  unsigned* arrived, int rows, int columns, int width, T count) {
  Tile tile(columns, width);
  T sums[] = {T(0)};
  if (tile.inside) {
    T mean = total[tile.column] / count;
    for (int r = tile.row; r < rows; r += tile.step) {
      T difference = x[r * columns + tile.column] - mean;
      centred[r * columns + tile.column] = difference;
      sums[0] += difference * difference;
    }
  }
  if (!sum_of_grid(sums, tile, columns, width, partial, arrived)) return;
  if (tile.owns_sum(width)) square[tile.column] = sums[0];
}

// BatchNorm.forward, second half: y = f(γ centred / √(square / count + eps) + β), where f is the
// activation behind it, or the identity. Whoever owns a number of the first row also writes 1 / √…,
// and moves the running statistics of its column.
template <typename T>
__global__ void batch_norm_apply(const T* centred, const T* total, const T* square, const T* gamma,
                                 const T* beta, T* y, T* inverse, T* running_mean, T* running_var,
                                 int rows, int columns, int width, T count, T eps, T momentum,
                                 int function, T slope) {
  Tile tile(columns, width);
  if (!tile.inside) return;
  int c = tile.column;
  T mean = total[c] / count, var = square[c] / count, scale = T(1) / sqrt(var + eps);
  T factor = gamma[c] * scale, shift = beta[c];
  for (int r = tile.row; r < rows; r += tile.step)
    y[r * columns + c] = value_of(function, centred[r * columns + c] * factor + shift, slope);
  if (tile.row == 0) {
    inverse[c] = scale;
    running_mean[c] += momentum * (mean - running_mean[c]);
    running_var[c] += momentum * (var * (count / (count - T(1))) - running_var[c]);
  }
}

// BatchNorm.add_gradients, and the first half of backward: sums (2, columns), dβ = Σ dy and
// dγ = Σ dy · x̂, both from one reading of dy
template <typename T>
__global__ void batch_norm_sums(const T* dy, const T* centred, const T* inverse, T* sums,
                                T* partial, unsigned* arrived, int rows, int columns, int width) {
  Tile tile(columns, width);
  T both[] = {T(0), T(0)};
  if (tile.inside) {
    T scale = inverse[tile.column];
    for (int r = tile.row; r < rows; r += tile.step) {
      T g = dy[r * columns + tile.column];
      both[0] += g;
      both[1] += g * (centred[r * columns + tile.column] * scale);
    }
  }
  if (!sum_of_grid(both, tile, columns, width, partial, arrived)) return;
  if (tile.owns_sum(width)) {
    sums[tile.column] = both[0];
    sums[columns + tile.column] = both[1];
  }
}

// BatchNorm.backward, second half: dx = γ·inverse · (dy − dβ / count − x̂ · dγ / count), with the
// `totals` (2, columns) of the whole batch; and dγ, dβ += the `sums` of its part here, if `add`
template <typename T>
__global__ void batch_norm_gradient(const T* dy, const T* centred, const T* inverse,
                                    const T* gamma, const T* sums, const T* totals, T* dx,
                                    T* dgamma, T* dbeta, int rows, int columns, int width, T count,
                                    int add) {
  Tile tile(columns, width);
  if (!tile.inside) return;
  int c = tile.column;
  T mean_dy = totals[c] / count, mean_product = totals[columns + c] / count * inverse[c];
  T factor = gamma[c] * inverse[c];
  for (int r = tile.row; r < rows; r += tile.step) {
    int i = r * columns + c;
    dx[i] = (dy[i] - mean_dy - centred[i] * mean_product) * factor;
  }
  if (add && tile.row == 0) {
    dbeta[c] += sums[c];
    dgamma[c] += sums[columns + c];
  }
}

// ---- 6. Images as matrices ----------------------------------------------------------------------
//
// layers/convolution.py has the shapes and their letters: images (N, H, W, C), a kernel (Kh, Kw),
// stride S, padding P, and OH × OW windows. unfold copies every window into a row of a matrix;
// fold, its adjoint, adds every window back to where it came from.

struct Geometry {
  int H, W, C, Kh, Kw, Sh, Sw, Ph, Pw, OH, OW;
};
#define GEOMETRY \
  int H, int W, int C, int Kh, int Kw, int Sh, int Sw, int Ph, int Pw, int OH, int OW
#define GEOMETRY_OF_ARGUMENTS {H, W, C, Kh, Kw, Sh, Sw, Ph, Pw, OH, OW}

// The matrix of windows of x: row p is the window of output pixel p = (n, oh, ow), and k = (kh, kw,
// c) a number in it. It is split into what a row determines and what a k determines, so that a loop
// over one works the other out only once: divisions cost more than anything else here.
template <typename T>
struct Windows {
  const T* x;
  int pixels;
  Geometry g;

  struct Row {
    int image, h, w;  // the image's first number; the window's top left corner
    bool inside;
  };
  struct Column {
    int kh, kw, c;
    bool inside;
  };
  __device__ Row row(int p) const {
    int ow = p % g.OW, oh = p / g.OW % g.OH, n = p / g.OW / g.OH;
    return {n * g.H * g.W * g.C, oh * g.Sh - g.Ph, ow * g.Sw - g.Pw, p < pixels};
  }
  __device__ Column column(int k) const {
    return {k / g.C / g.Kw, k / g.C % g.Kw, k % g.C, k < g.Kh * g.Kw * g.C};
  }
  __device__ T at(const Row& row, const Column& column) const {
    int h = row.h + column.kh, w = row.w + column.kw;
    bool inside = row.inside && column.inside && h >= 0 && h < g.H && w >= 0 && w < g.W;
    return inside ? x[row.image + (h * g.W + w) * g.C + column.c] : T(0);  // 0: the padding
  }
};

// unfold: columns (pixels, Kh · Kw · C). Tiles as in section 4: a thread owns one k and walks down
// the pixels.
template <typename T>
__global__ void unfold(const T* x, T* columns, int pixels, int width, GEOMETRY) {
  Windows<T> windows = {x, pixels, GEOMETRY_OF_ARGUMENTS};
  int size = Kh * Kw * C;
  Tile tile(size, width);
  if (!tile.inside) return;
  typename Windows<T>::Column column = windows.column(tile.column);
  for (int p = tile.row; p < pixels; p += tile.step)
    columns[p * size + tile.column] = windows.at(windows.row(p), column);
}

// fold: x (N, H, W, C), the adjoint of unfold; rows = N · H.
//
// Windows overlap. With one thread per window, several threads would add to the same number at the
// same time: a race. So ownership is turned round: a thread owns a number of x and gathers from the
// windows that hold it. Number (h, w) stands at place kh of window oh if oh · S + kh = h + P: so kh
// starts at (h + P) modulo S and grows by S, while oh falls by one each time. Tiles again: a thread
// owns one (w, c) and walks down the rows of the images, so that what w determines is divided once.
template <typename T>
__global__ void fold(const T* columns, T* x, int rows, int width, GEOMETRY) {
  Tile tile(W * C, width);
  if (!tile.inside) return;
  int c = tile.column % C, w = tile.column / C;
  int first_kw = (w + Pw) % Sw, last_ow = (w + Pw) / Sw;
  for (int r = tile.row; r < rows; r += tile.step) {
    int image = r / H, h = r % H;
    T sum = T(0);
    for (int kh = (h + Ph) % Sh, oh = (h + Ph) / Sh; kh < Kh && oh >= 0; kh += Sh, --oh) {
      if (oh >= OH) continue;
      for (int kw = first_kw, ow = last_ow; kw < Kw && ow >= 0; kw += Sw, --ow) {
        if (ow >= OW) continue;
        sum += columns[((((image * OH + oh) * OW + ow) * Kh + kh) * Kw + kw) * C + c];
      }
    }
    x[r * W * C + tile.column] = sum;
  }
}

// ---- 7. A matrix product ------------------------------------------------------------------------
//
// C = A B, C[i, j] = Σ_k A[i, k] B[k, j]. With one thread per number of C, each would read a row of
// A and a column of B: two numbers from memory per multiplication, and the same ones over and over.
// So
//
//     a block   owns a 64 × 64 tile of C. It walks along k in steps of 16: its threads together
//               load a 64 × 16 tile of A and a 16 × 64 tile of B into shared memory, wait until all
//               is there, multiply, and wait until all have read before the next tiles come in.
//               Every number that was loaded is used 64 times.
//     a thread  owns 4 × 4 numbers of that tile, in registers: each time it reads 4 + 4 numbers
//               from shared memory and makes 16 products of them. They stand 16 apart, so that
//               neighbouring threads read neighbouring numbers.
//
// cuBLAS does the same with larger tiles, asynchronous copies and tensor cores, and is the default;
// this is how it works. And it leaves open where the numbers of A and B come from, which section 8
// makes use of: an operand is anything with row(), column(), at() and `k_is_contiguous`. B is taken
// transposed, so that in both the rows belong to the result and the columns are summed over.

constexpr int SIDE = 64, DEPTH = 16, EACH = 4, ACROSS = SIDE / EACH, WIDE = SIDE + 2;

// A matrix in memory; transposing it is swapping the strides.
template <typename T>
struct Matrix {
  const T* data;
  int rows, columns, row_stride, column_stride;
  bool k_is_contiguous;

  struct Place {
    int offset;
    bool inside;
  };
  using Row = Place;
  using Column = Place;
  __device__ Row row(int i) const { return {i * row_stride, i < rows}; }
  __device__ Column column(int k) const { return {k * column_stride, k < columns}; }
  __device__ T at(const Row& row, const Column& column) const {
    return row.inside && column.inside ? data[row.offset + column.offset] : T(0);
  }
};

// Loads an operand's rows first_row … + 63, 16 columns at a time, into shared memory; zeros beyond
// its ends. Neighbouring threads read along whichever axis is contiguous. A thread loads the same
// rows in each step along k, so that it works out only once where they are. The last two columns of
// the tile are never used. Shared memory is divided into 32 banks, and threads that ask for different
// numbers of one bank are served one after another: a warp stores 16 k of 2 rows, which WIDE = 66
// puts at the banks 2k and 2k + 1, all different.
template <typename T, typename Operand>
struct Loader {
  static constexpr int LOADS = SIDE * DEPTH / THREADS;  // by each thread
  const Operand& operand;
  typename Operand::Row rows[LOADS];

  __device__ Loader(const Operand& operand, int first_row) : operand(operand) {
#pragma unroll
    for (int e = 0; e < LOADS; ++e) rows[e] = operand.row(first_row + row(e));
  }
  __device__ int row(int e) const {
    int number = threadIdx.x + e * THREADS;
    return operand.k_is_contiguous ? number / DEPTH : number % SIDE;
  }
  __device__ int column(int e) const {
    int number = threadIdx.x + e * THREADS;
    return operand.k_is_contiguous ? number % DEPTH : number / SIDE;
  }
  __device__ void load(int k0, T (*tile)[WIDE]) const {
#pragma unroll
    for (int e = 0; e < LOADS; ++e)
      tile[column(e)][row(e)] = operand.at(rows[e], operand.column(k0 + column(e)));
  }
};

// This thread's part of the block's tile: sums[i][j] of row first_row + Own::row(i), and so on.
template <typename T>
struct Own {
  T sums[EACH][EACH];
  __device__ static int row(int i) { return threadIdx.x / ACROSS + i * ACROSS; }
  __device__ static int column(int j) { return threadIdx.x % ACROSS + j * ACROSS; }
};

// Σ_k over k_begin <= k < k_end. Every thread of the block must call it: it holds barriers.
template <typename T, typename A, typename B>
__device__ Own<T> tile_product(const A& a, const B& b, int first_row, int first_column,
                               int k_begin, int k_end) {
  __shared__ T tile_a[DEPTH][WIDE], tile_b[DEPTH][WIDE];
  Own<T> own = {};
  Loader<T, A> of_a(a, first_row);
  Loader<T, B> of_b(b, first_column);
  for (int k0 = k_begin; k0 < k_end; k0 += DEPTH) {
    of_a.load(k0, tile_a);
    of_b.load(k0, tile_b);
    __syncthreads();  // the tiles are complete
#pragma unroll
    for (int k = 0; k < DEPTH; ++k) {
      T x[EACH], y[EACH];
#pragma unroll
      for (int i = 0; i < EACH; ++i) {
        x[i] = tile_a[k][own.row(i)];
        y[i] = tile_b[k][own.column(i)];
      }
#pragma unroll
      for (int i = 0; i < EACH; ++i)
#pragma unroll
        for (int j = 0; j < EACH; ++j) own.sums[i][j] += x[i] * y[j];
    }
    __syncthreads();  // all have read: the tiles may be overwritten
  }
  return own;
}

// What a block owns: the tile at (blockIdx.x, blockIdx.y).
#define FIRST_ROW (blockIdx.x * SIDE)
#define FIRST_COLUMN (blockIdx.y * SIDE)
#define FOR_EACH_OWN(i, j)         \
  for (int i = 0; i < EACH; ++i) \
    for (int j = 0; j < EACH; ++j)

// Dense.forward: c (M, N) = a (M, K) b (K, N), each by its strides, so that a may be xᵀ or b Wᵀ; or
// c += a b, as in Dense.add_gradients
template <typename T>
__global__ void matmul(const T* a, const T* b, T* c, int M, int N, int K, int a_row, int a_column,
                       int b_row, int b_column, int accumulate) {
  Matrix<T> left = {a, M, K, a_row, a_column, a_column == 1};
  Matrix<T> right = {b, N, K, b_column, b_row, b_row == 1};  // transposed
  Own<T> own = tile_product<T>(left, right, FIRST_ROW, FIRST_COLUMN, 0, K);
  FOR_EACH_OWN(i, j) {
    int row = FIRST_ROW + own.row(i), column = FIRST_COLUMN + own.column(j);
    if (row >= M || column >= N) continue;
    T* target = &c[row * N + column];
    *target = accumulate ? *target + own.sums[i][j] : own.sums[i][j];
  }
}

// ---- 8. Convolutions ----------------------------------------------------------------------------
//
// A convolution is a matrix product, columns times weights, and `columns` repeats every number of
// the image Kh · Kw times. It need not exist: when a block loads its tile of A, it can as well
// fetch the numbers from the image itself. Nothing else changes. ("Implicit GEMM"; Chetlur et al.
// 2014, arXiv:1410.0759, section 3.)

template <typename T>
struct WindowRows : Windows<T> {  // row = output pixel, k = place in the window
  static constexpr bool k_is_contiguous = true;
};

// Conv2d.forward: y (pixels, O) = windows of x · w (Kh · Kw · C, O)
template <typename T>
__global__ void conv(const T* x, const T* w, T* y, int pixels, int O, GEOMETRY) {
  int K = Kh * Kw * C;
  WindowRows<T> a = {{x, pixels, GEOMETRY_OF_ARGUMENTS}};
  Matrix<T> b = {w, O, K, 1, O, false};
  Own<T> own = tile_product<T>(a, b, FIRST_ROW, FIRST_COLUMN, 0, K);
  FOR_EACH_OWN(i, j) {
    int p = FIRST_ROW + own.row(i), o = FIRST_COLUMN + own.column(j);
    if (p < pixels && o < O) y[p * O + o] = own.sums[i][j];
  }
}

// The weight gradient is the product the other way round, dw = windowsᵀ dy: now k is the pixel.
template <typename T>
struct WindowColumns {
  Windows<T> windows;
  static constexpr bool k_is_contiguous = false;

  using Row = typename Windows<T>::Column;
  using Column = typename Windows<T>::Row;
  __device__ Row row(int i) const { return windows.column(i); }
  __device__ Column column(int k) const { return windows.row(k); }
  __device__ T at(const Row& row, const Column& column) const { return windows.at(column, row); }
};

// Conv2d.add_gradients: dw (gridDim.z, Kh · Kw · C, O). The result is small and the sum long: a few
// blocks would do all the work. So the sum over the pixels is cut into chunks (a multiple of
// DEPTH), one per blockIdx.z, and column_sums adds up the partial results.
template <typename T>
__global__ void conv_grad_weight(const T* x, const T* dy, T* dw, int pixels, int O, int chunk,
                                 GEOMETRY) {
  int size = Kh * Kw * C, begin = blockIdx.z * chunk;
  int end = begin + chunk < pixels ? begin + chunk : pixels;
  WindowColumns<T> a = {{x, pixels, GEOMETRY_OF_ARGUMENTS}};
  Matrix<T> b = {dy, O, pixels, 1, O, false};
  Own<T> own = tile_product<T>(a, b, FIRST_ROW, FIRST_COLUMN, begin, end);
  FOR_EACH_OWN(i, j) {
    int row = FIRST_ROW + own.row(i), o = FIRST_COLUMN + own.column(j);
    if (row < size && o < O) dw[(blockIdx.z * size + row) * O + o] = own.sums[i][j];
  }
}

// The transposed convolution, dx from dy. With stride S, only every S-th place of the kernel has a
// part in a number of dx; which places depends on (h + P) % S. So the pixels of dx fall into S · S
// classes ("phases"), and in each of them dx is a plain convolution of stride 1 over dy with those
// ⌈K/S⌉ places. One blockIdx.z per phase: no zeros are multiplied, nothing is scattered.
struct Phase {
  int kernel, h, q, rows, taps;  // along one axis

  // kernel: its first place in this phase; h: the first row of dx in this phase; q: (h + P) / S,
  // the last row of dy with a part in it; rows: of dx; taps: places of the kernel
  __device__ Phase(int phase, int H, int K, int S, int P) {
    kernel = phase;
    h = ((phase - P) % S + S) % S;
    q = (h + P) / S;
    rows = h < H ? (H - h - 1) / S + 1 : 0;
    taps = phase < K ? (K - phase - 1) / S + 1 : 0;
  }
};

// Row = pixel of dx in this phase, k = (th, tw, o): place th of the kernel's phase, channel o of dy
template <typename T>
struct PhaseRows {
  const T* dy;
  int images, O, OH, OW;
  Phase vertical, horizontal;
  static constexpr bool k_is_contiguous = true;

  struct Row {
    int image, oh, ow;
    bool inside;
  };
  struct Column {
    int th, tw, o;
    bool inside;
  };
  __device__ Row row(int i) const {
    int area = vertical.rows * horizontal.rows;
    if (i >= images * area) return {0, 0, 0, false};  // also where the phase has no pixels
    int w = i % horizontal.rows, h = i / horizontal.rows % vertical.rows;
    return {i / area * OH * OW * O, vertical.q + h, horizontal.q + w, true};
  }
  __device__ Column column(int k) const {
    if (k >= vertical.taps * horizontal.taps * O) return {0, 0, 0, false};
    return {k / O / horizontal.taps, k / O % horizontal.taps, k % O, true};
  }
  __device__ T at(const Row& row, const Column& column) const {
    int oh = row.oh - column.th, ow = row.ow - column.tw;
    bool inside = row.inside && column.inside && oh >= 0 && oh < OH && ow >= 0 && ow < OW;
    return inside ? dy[row.image + (oh * OW + ow) * O + column.o] : T(0);
  }
};

// The weights (Kh, Kw, C, O) of one phase: row = c, k = (th, tw, o)
template <typename T>
struct PhaseWeights {
  const T* w;
  int Kw, C, O, Sh, Sw;
  Phase vertical, horizontal;
  static constexpr bool k_is_contiguous = true;

  struct Place {
    int offset;
    bool inside;
  };
  using Row = Place;
  using Column = Place;
  __device__ Row row(int c) const { return {c * O, c < C}; }
  __device__ Column column(int k) const {
    if (k >= vertical.taps * horizontal.taps * O) return {0, false};
    int kh = vertical.kernel + k / O / horizontal.taps * Sh;
    int kw = horizontal.kernel + k / O % horizontal.taps * Sw;
    return {(kh * Kw + kw) * C * O + k % O, true};
  }
  __device__ T at(const Row& row, const Column& column) const {
    return row.inside && column.inside ? w[row.offset + column.offset] : T(0);
  }
};

// Conv2d.backward, and ConvTranspose2d.forward: dx (images, H, W, C) from dy (images, OH, OW, O)
// and w (Kh, Kw, C, O)
template <typename T>
__global__ void conv_grad_input(const T* dy, const T* w, T* dx, int images, int O, GEOMETRY) {
  Phase vertical(blockIdx.z / Sw, H, Kh, Sh, Ph), horizontal(blockIdx.z % Sw, W, Kw, Sw, Pw);
  PhaseRows<T> a = {dy, images, O, OH, OW, vertical, horizontal};
  PhaseWeights<T> b = {w, Kw, C, O, Sh, Sw, vertical, horizontal};
  int K = vertical.taps * horizontal.taps * O, area = vertical.rows * horizontal.rows;
  Own<T> own = tile_product<T>(a, b, FIRST_ROW, FIRST_COLUMN, 0, K);
  FOR_EACH_OWN(i, j) {
    int row = FIRST_ROW + own.row(i), c = FIRST_COLUMN + own.column(j);
    if (row >= images * area || c >= C) continue;
    int h = vertical.h + row / horizontal.rows % vertical.rows * Sh;
    int v = horizontal.h + row % horizontal.rows * Sw;
    dx[((row / area * H + h) * W + v) * C + c] = own.sums[i][j];
  }
}
