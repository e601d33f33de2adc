// Enough of CUDA C++ for a kernel file to compile with g++ and to run on a CPU.
// This is what a kernel sees; runtime.cpp holds the threads, the barriers and the checks.
#pragma once
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <type_traits>
#include <utility>

#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __forceinline__ inline
#define __launch_bounds__(...)
// One block runs at a time, so that its shared memory can be a static variable: it lies in the
// .bss of the kernels' library, where Python finds it by its name.
#define __shared__ static __attribute__((aligned(256)))

struct uint2 { unsigned x, y; };
struct uint3 { unsigned x, y, z; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(16) double2 { double x, y; };
struct dim3 { unsigned x, y, z; };
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

struct EmuThread { uint3 tid, bid; dim3 bdim, gdim; };
extern "C" {  // runtime.cpp
extern EmuThread emu_self;
void emu_block_barrier(int line);
void emu_warp_barrier(unsigned mask);
uint64_t emu_exchange(unsigned mask, uint64_t value, int lane);  // lane < 0: a ballot
void emu_atomic(void* address, unsigned size);
void emu_fence();
void* emu_dynamic_shared();
}
#define threadIdx emu_self.tid
#define blockIdx emu_self.bid
#define blockDim emu_self.bdim
#define gridDim emu_self.gdim
constexpr int warpSize = 32;

// ---- Barriers and warps -------------------------------------------------------------------------

#define __syncthreads() emu_block_barrier(__LINE__)
inline void __syncwarp(unsigned mask = 0xffffffffu) { emu_warp_barrier(mask); }

#define EMU_UNCHECKED __attribute__((no_sanitize("thread"), no_sanitize("undefined"), noinline))

inline int emu_lane() {
  return (threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) & 31;
}
template <class T> EMU_UNCHECKED T emu_from(unsigned mask, T value, int lane) {
  static_assert(sizeof(T) <= 8, "shuffles take at most 8 bytes");
  uint64_t bits = 0;
  memcpy(&bits, &value, sizeof(T));
  bits = emu_exchange(mask, bits, lane);
  memcpy(&value, &bits, sizeof(T));
  return value;
}
// In all four, a lane whose source lies outside its group of `width` lanes keeps its own value.
template <class T> T __shfl_sync(unsigned mask, T v, int source, int width = 32) {
  return emu_from(mask, v, (emu_lane() & ~(width - 1)) | (source & (width - 1)));
}
template <class T> T __shfl_down_sync(unsigned mask, T v, unsigned delta, int width = 32) {
  int lane = emu_lane(), inside = (lane & (width - 1)) + (int)delta < width;
  return emu_from(mask, v, inside ? lane + (int)delta : lane);
}
template <class T> T __shfl_up_sync(unsigned mask, T v, unsigned delta, int width = 32) {
  int lane = emu_lane(), inside = (lane & (width - 1)) >= (int)delta;
  return emu_from(mask, v, inside ? lane - (int)delta : lane);
}
template <class T> T __shfl_xor_sync(unsigned mask, T v, int bits, int width = 32) {
  int lane = emu_lane(), source = lane ^ bits;
  return emu_from(mask, v, (source & ~(width - 1)) > (lane & ~(width - 1)) ? lane : source);
}
inline unsigned __ballot_sync(unsigned mask, int p) { return (unsigned)emu_exchange(mask, p != 0, -1); }
inline int __any_sync(unsigned mask, int p) { return __ballot_sync(mask, p) != 0; }
inline int __all_sync(unsigned mask, int p) { return __ballot_sync(mask, !p) == 0; }

// ---- Atomics and arithmetic ---------------------------------------------------------------------

#define EMU_ATOMIC(NAME, NEW)                                                    \
  template <class T> EMU_UNCHECKED T NAME(T* p, std::common_type_t<T> v) {       \
    emu_atomic(p, sizeof(T)); T old = *p; *p = (NEW); return old; }
EMU_ATOMIC(atomicAdd, old + v)
EMU_ATOMIC(atomicMax, old > v ? old : v)
EMU_ATOMIC(atomicMin, old < v ? old : v)
EMU_ATOMIC(atomicExch, v)
EMU_ATOMIC(atomicInc, old >= v ? 0 : old + 1)
inline void __threadfence() { emu_fence(); }

template <class T> T __ldg(const T* p) { return *p; }
template <class A, class B> constexpr std::common_type_t<A, B> max(A a, B b) { return a > b ? a : b; }
template <class A, class B> constexpr std::common_type_t<A, B> min(A a, B b) { return a < b ? a : b; }
inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((uint64_t)a * b >> 32); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline float rsqrt(float x) { return 1.0f / sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / sqrt(x); }
inline float __fmul_rn(float a, float b) { return a * b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float __fdividef(float x, float y) { return x / y; }
inline float __uint_as_float(unsigned x) { float r; memcpy(&r, &x, 4); return r; }
inline unsigned __float_as_uint(float x) { unsigned r; memcpy(&r, &x, 4); return r; }

// ---- A table of the kernels: how Python finds each one and what it takes ------------------------

struct EmuParameter { char pointer, kind, size; };  // kind: f, i, u or b, as NumPy's dtype.kind
template <class T> constexpr EmuParameter emu_parameter() {
  using V = std::remove_cv_t<std::remove_pointer_t<T>>;
  // a pointer to a vector type takes an array of its elements
  if (std::is_same_v<V, float4> || std::is_same_v<V, float2>) return {std::is_pointer_v<T>, 'f', 4};
  if (std::is_same_v<V, double2>) return {std::is_pointer_v<T>, 'f', 8};
  char kind = std::is_same_v<V, bool> ? 'b' : std::is_floating_point_v<V> ? 'f'
            : std::is_unsigned_v<V> ? 'u' : std::is_integral_v<V> ? 'i' : '?';
  return {std::is_pointer_v<T>, kind, (char)sizeof(V)};
}
template <auto kernel> struct EmuKernel;
template <class... A, void (*kernel)(A...)> struct EmuKernel<kernel> {
  static constexpr int count = sizeof...(A);
  static constexpr EmuParameter parameters[] = {emu_parameter<std::remove_cv_t<A>>()..., {}};
  template <size_t... I> EMU_UNCHECKED static void unpack(void** a, std::index_sequence<I...>) {
    kernel(*(std::remove_cv_t<A>*)a[I]...);
  }
  EMU_UNCHECKED static void call(void** a) { unpack(a, std::index_sequence_for<A...>{}); }
};
struct EmuEntry { void (*call)(void**); const EmuParameter* parameters; int count; };
#define EMU_ENTRY(...) {&EmuKernel<&__VA_ARGS__>::call, EmuKernel<&__VA_ARGS__>::parameters, EmuKernel<&__VA_ARGS__>::count}
extern "C" { extern __attribute__((visibility("hidden"))) char __bss_start[]; }
