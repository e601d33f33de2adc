// The mistakes that everybody makes in CUDA, one per kernel: <true> makes it, <false> does not.
// What is wrong is in the line that says `wrong`.

// Reverse 256 numbers through shared memory. A thread reads what another one wrote: in between, all
// must have arrived at a barrier. Without it the result depends on who runs first.
template <bool wrong>
__global__ void no_barrier(float* x) {
  __shared__ float tile[256];
  int t = threadIdx.x;
  tile[t] = x[t];
  if (!wrong) __syncthreads();
  x[t] = tile[255 - t];
}

// Two rounds with one buffer: it must not be written again before all have read it.
template <bool wrong>
__global__ void buffer_used_again(float* x) {
  __shared__ float tile[256];
  int t = threadIdx.x;
  for (int round = 0; round < 3; ++round) {
    tile[t] = x[t];
    __syncthreads();
    x[t] = tile[255 - t];
    if (!wrong) __syncthreads();
  }
}

// A barrier that only some of the threads reach.
template <bool wrong>
__global__ void early_return(float* x, int n) {
  __shared__ float tile[256];
  int t = threadIdx.x;
  if (wrong && t >= n) return;
  tile[t] = t < n ? x[t] : 0.0f;
  __syncthreads();
  if (t < n) x[t] = tile[n - 1 - t];
}

// The two branches have a barrier each: no barrier of all threads.
template <bool wrong>
__global__ void barrier_in_a_branch(float* x) {
  __shared__ float tile[256];
  int t = threadIdx.x;
  tile[t] = x[t];
  if (wrong && t < 128) {
    __syncthreads();
    x[t] = tile[255 - t];
  } else {
    __syncthreads();
    x[t] = tile[255 - t];
  }
}

// Some threads wait for their warp, the others of that warp for the block.
template <bool wrong>
__global__ void deadlock(float* x) {
  if (wrong && threadIdx.x == 0) __syncwarp();
  __syncthreads();
  x[threadIdx.x] += 1.0f;
}

// More threads than numbers: the last block's surplus threads must do nothing.
template <bool wrong>
__global__ void no_bound(float* x, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (wrong || i < n) x[i] *= 2.0f;
}

// The number to the left of the first one.
template <bool wrong>
__global__ void left_neighbour(const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = wrong || i > 0 ? x[i - 1] : 0.0f;
}

// A shared array that is one row short; the compiler sees a pointer only.
template <bool wrong>
__global__ void shared_too_small(float* x) {
  __shared__ float tile[wrong ? 255 : 256];
  float* p = tile;
  p[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  x[threadIdx.x] = p[255 - threadIdx.x];
}

// Only a part of the shared array is written before it is read.
template <bool wrong>
__global__ void unwritten_shared(float* x, int n) {
  __shared__ float tile[256];
  int t = threadIdx.x;
  if (t < n) tile[t] = x[t];
  if (!wrong && t >= n) tile[t] = 0.0f;
  __syncthreads();
  if (t < n) x[t] = tile[255 - t];
}

// Every thread adds to one number: read, add, write is three steps, and another comes between.
template <bool wrong>
__global__ void sum(const float* x, float* total, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  if (wrong) *total += x[i];
  else atomicAdd(total, x[i]);
}

// Neighbours in a warp exchange numbers through shared memory: a barrier of the warp is enough.
template <bool wrong>
__global__ void no_warp_barrier(float* x) {
  __shared__ float tile[256];
  int t = threadIdx.x;
  tile[t] = x[t];
  if (!wrong) __syncwarp();
  x[t] = tile[t ^ 1];
}

// All threads read a number, and one of them writes it again: a barrier of its warp is not enough.
template <bool wrong>
__global__ void warp_barrier_for_block(float* x) {
  __shared__ float first;
  int t = threadIdx.x;
  if (t == 0) first = x[0];
  __syncthreads();
  float v = first;
  if (wrong) __syncwarp();
  else __syncthreads();
  if (t == 0) first = 2.0f * v;
  __syncthreads();
  x[t] += first + v;
}

// A barrier of a half of the warp, which the other half comes to.
template <bool wrong>
__global__ void not_in_the_mask(float* x) {
  __syncwarp(threadIdx.x % 32 < 16 ? 0x0000ffffu : wrong ? 0x0000ffffu : 0xffff0000u);
  x[threadIdx.x] += 1.0f;
}

// One thread sets the sum to zero while others are adding to it already.
template <bool wrong>
__global__ void set_while_adding(const float* x, float* total) {
  if (threadIdx.x == 0) *total = 0.0f;
  if (!wrong) __syncthreads();
  atomicAdd(total, x[threadIdx.x]);
}

// Two threads write one number: the last one wins, and nobody knows which that is.
template <bool wrong>
__global__ void two_writers(const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[wrong ? i / 2 : i] = x[i];
}

// Blocks run in any order: what another block writes in this launch is not there yet, or is.
template <bool wrong>
__global__ void other_block(float* x, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) x[i] += wrong && i + 256 < n ? x[i + 256] : 1.0f;
}

// A shuffle of the whole warp whose mask names half of it.
template <bool wrong>
__global__ void half_a_mask(const float* x, float* total) {
  float v = x[threadIdx.x];
  for (int d = 16; d > 0; d /= 2) v += __shfl_down_sync(wrong ? 0xffffu : 0xffffffffu, v, d);
  if (threadIdx.x == 0) *total = v;
}

// A shuffle that only the even lanes take part in, with the mask of all.
template <bool wrong>
__global__ void shuffle_in_a_branch(const float* x, float* y) {
  float v = x[threadIdx.x];
  if (wrong && threadIdx.x % 2) __syncthreads();
  v += __shfl_xor_sync(0xffffffffu, v, 2);
  if (!(wrong && threadIdx.x % 2)) __syncthreads();
  y[threadIdx.x] = v;
}

// The product of two ints is an int, whatever it is assigned to.
template <bool wrong>
__global__ void overflow(float* y, int n) {
  long long size = wrong ? n * n : (long long)n * n;
  y[threadIdx.x] = (float)size;
}

// A float4 is read in one piece, from an address that 16 divides.
template <bool wrong>
__global__ void misaligned(float* x) {
  float4* p = (float4*)(wrong ? x + 1 : x);
  float4 four = p[threadIdx.x];
  four.y = 1.0f;
  p[threadIdx.x] = four;
}

// The block that comes last adds up what all have left. Without fences, the counter may be there
// before the sums are.
template <bool wrong>
__global__ void last_block(const float* x, float* partial, unsigned* arrived, float* sum) {
  __shared__ bool last;
  partial[blockIdx.x * 256 + threadIdx.x] = x[blockIdx.x * 256 + threadIdx.x];
  __syncthreads();
  if (threadIdx.x == 0) {
    if (!wrong) __threadfence();
    last = atomicInc(arrived, gridDim.x - 1) == gridDim.x - 1;
    if (!wrong) __threadfence();
  }
  __syncthreads();
  if (!last || threadIdx.x) return;
  *sum = 0.0f;
  for (int i = 0; i < gridDim.x * 256; ++i) *sum += partial[i];
}

// Not a mistake: what the warp's intrinsics do, for a test of the emulator itself.
__global__ void warp_intrinsics(const int* x, int* y) {
  int t = threadIdx.x, v = x[t];
  unsigned all = 0xffffffffu;
  int* row = y + t;
  row[0] = __shfl_sync(all, v, 5);
  row[64] = __shfl_sync(all, v, t + 1, 8);
  row[128] = __shfl_up_sync(all, v, 3);
  row[192] = __shfl_down_sync(all, v, 3, 16);
  row[256] = __shfl_xor_sync(all, v, 9);
  row[320] = (int)__ballot_sync(all, v > 0);
  row[384] = __any_sync(all, v == 7);
  row[448] = __all_sync(all, v > -100);
  if (t % 2) row[512] = __shfl_xor_sync(0xaaaaaaaau, v, 2);
  else row[512] = __shfl_up_sync(0x55555555u, v, 2);
  row[576] = __shfl_down_sync(all, v, 1);
}

// Lanes 16 to 31 have returned: what lanes 8 to 15 get from them is undefined, and NaN here.
__global__ void returned_lanes(const float* x, float* y) {
  int t = threadIdx.x;
  if (t >= 16) return;
  float v = __shfl_down_sync(0xffffffffu, x[t], 4);
  y[t] = __shfl_down_sync(0xffffffffu, v, 8);
}

// Not a mistake: each thread's place in a grid of three dimensions.
__global__ void places(int* y) {
  extern __shared__ int seen[];
  int t = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  int b = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  int size = blockDim.x * blockDim.y * blockDim.z;
  seen[t] = b * size + t;
  __syncthreads();
  y[b * size + t] = seen[size - 1 - t];
}
