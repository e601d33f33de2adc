// Runs a grid of CUDA threads on one CPU thread, and checks what each of them does.
//
// Blocks run one after another. The threads of a block are fibers: stacks of their own that take
// turns. A fiber runs one thread after another until one has to wait at a barrier; only then does
// another fiber start, so that kernels without barriers cost no change of stacks.
//
// The kernels are compiled with -fsanitize=thread, without its library: g++ then calls
// __tsan_read4(address) before each load of 4 bytes, and so on. Those functions are defined below.
// They look up who touched that cell before, and whether a barrier lies in between.
#include "cuda.h"
#undef threadIdx
#undef blockIdx
#undef blockDim
#undef gridDim

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <vector>

extern "C" {
EmuThread emu_self;
struct EmuRegion {  // memory that the kernel may touch; the table in module.py mirrors it
  char* base;
  size_t bytes;
  int granule, shared;  // bytes per cell; shared memory of a block, or an argument
  const char* name;
};
struct EmuTraffic {  // of all warps at one instruction; module.py mirrors it
  void* pc;
  int shared;
  long passes, ideal;
};
}

namespace {

constexpr size_t STACK = 128 << 10;
enum State { READY, RUNNING, AT_BLOCK_BARRIER, AT_WARP_BARRIER, DONE };

struct Fiber { ucontext_t start; jmp_buf position; char* stack; int thread; bool fresh; };
struct Thread {
  Fiber* fiber;
  State state;
  unsigned mask;             // of the warp barrier that it waits at
  int line;                  // of the block barrier
  uint64_t brought, shown;   // to a shuffle; what the others see once all have come
  bool present;
  unsigned fence;            // barriers passed before its last fence, plus one
  bool counted;              // it has passed an atomic
};
// Who touched a cell, and when. `run` counts the blocks that ever ran, so that the stamps of earlier
// launches are out of date by themselves and nothing has to be cleared.
struct Stamp { unsigned run; int thread; unsigned barriers, warp_barriers; };
struct Cell { Stamp write, reads[2]; bool atomic; };
struct Region : EmuRegion { Cell* cells; };

void (*kernel)(void**);
void** arguments;
std::vector<Region> regions;
std::vector<Cell> cells;
std::vector<char> dynamic_shared;

std::vector<Fiber*> fibers, idle;
Fiber* self;        // the fiber that runs now
jmp_buf scheduler;

std::vector<Thread> threads;
std::vector<int> order;              // in which the threads of a block start
std::vector<unsigned> warp_barriers; // passed, by warp
unsigned barriers;                   // passed by this block
std::vector<int> block_order;
unsigned run, first_run;             // of this block, and of the first block of this launch
std::vector<unsigned> published;     // of each run of this launch: before which barrier, or 0
int seer;                            // the thread by which this block sees what was published, or -1
unsigned seen;                       // the barriers passed when it began to
int started, alive;

struct Access { void* pc; size_t offset; unsigned size; int shared, region; };
bool counting;
std::vector<std::vector<Access>> accesses;  // of each thread of this block, in order
std::map<void*, EmuTraffic> traffic;        // of this launch, by instruction
std::vector<EmuTraffic> traffic_table;

bool failed, checking;
char message[1024];
void* where;        // the instruction at fault
int where_line;     // or the line of the source

// ---- Errors -------------------------------------------------------------------------------------

// The first error is kept and the launch abandoned: no thread runs on.
void fail(void* pc, int line, const char* format, ...) {
  va_list values;
  va_start(values, format);
  int n = vsnprintf(message, sizeof message, format, values);
  va_end(values);
  const EmuThread& e = emu_self;
  if (self && self->thread >= 0)
    snprintf(message + n, sizeof message - n, ", by thread (%u, %u, %u) of block (%u, %u, %u)",
             e.tid.x, e.tid.y, e.tid.z, e.bid.x, e.bid.y, e.bid.z);
  where = pc;
  where_line = line;
  failed = true;
  if (self) _longjmp(scheduler, 1);
}

// ---- Fibers -------------------------------------------------------------------------------------

void set_thread(int t) {
  unsigned x = emu_self.bdim.x, y = emu_self.bdim.y;
  emu_self.tid = {t % x, t / x % y, t / (x * y)};
}

void pause() {
  if (!_setjmp(self->position)) _longjmp(scheduler, 1);
}

void run_threads() {  // what a fiber does
  for (;;) {
    while (started < (int)threads.size()) {
      int t = order[started++];
      self->thread = t;
      threads[t].fiber = self;
      threads[t].state = RUNNING;
      set_thread(t);
      kernel(arguments);
      threads[t].state = DONE;
      --alive;
    }
    self->thread = -1;
    idle.push_back(self);
    pause();
  }
}

Fiber* free_fiber() {
  if (idle.empty()) {
    auto* f = new Fiber();
    f->stack = (char*)mmap(nullptr, STACK, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    getcontext(&f->start);
    f->start.uc_stack.ss_sp = f->stack;
    f->start.uc_stack.ss_size = STACK;
    f->start.uc_link = nullptr;
    makecontext(&f->start, run_threads, 0);
    f->fresh = true;
    f->thread = -1;
    fibers.push_back(f);
    return f;
  }
  Fiber* f = idle.back();
  idle.pop_back();
  return f;
}

void resume(Fiber* f) {  // returns when the fiber has to wait, is out of work, or has failed
  self = f;
  if (f->thread >= 0) set_thread(f->thread);
  if (!_setjmp(scheduler)) {
    if (f->fresh) {
      f->fresh = false;
      setcontext(&f->start);
    }
    _longjmp(f->position, 1);
  }
  self = nullptr;
}

// ---- Barriers -----------------------------------------------------------------------------------

bool release_block() {
  int waiting = 0, line = 0, other = 0;
  for (auto& t : threads)
    if (t.state == AT_BLOCK_BARRIER) {
      ++waiting;
      if (!line) line = t.line;
      if (t.line != line) other = t.line;
    }
  if (waiting < alive) return false;
  int all = (int)threads.size();
  if (other) fail(nullptr, other, "divergent barrier: other threads wait at the __syncthreads() of line %d", line);
  else if (waiting < all)  // legal on new hardware, a hang on older; never intended
    fail(nullptr, line, "divergent barrier: %d of %d threads returned before a __syncthreads()", all - waiting, all);
  ++barriers;
  for (auto& t : threads) t.state = t.state == AT_BLOCK_BARRIER ? READY : t.state;
  return true;
}

bool release_warp(int first) {
  int end = std::min(first + 32, (int)threads.size());
  bool any = false;
  for (int i = first; i < end; ++i) {
    if (threads[i].state != AT_WARP_BARRIER) continue;
    unsigned mask = threads[i].mask;
    auto waits = [&](int j) { return threads[j].state == AT_WARP_BARRIER && threads[j].mask == mask; };
    bool complete = true;
    for (int j = first; j < end; ++j)
      if (mask >> (j - first) & 1) complete &= threads[j].state == DONE || waits(j);
    if (!complete) continue;
    for (int j = first; j < end; ++j) {
      if (!(mask >> (j - first) & 1)) continue;
      Thread& t = threads[j];
      t.present = t.state != DONE;
      t.shown = t.brought;
      if (t.present) t.state = READY;
    }
    ++warp_barriers[first / 32];
    any = true;
  }
  return any;
}

bool release() {  // opens every barrier that all have reached; false if there is none
  if (release_block()) return true;
  bool any = false;
  for (int first = 0; first < (int)threads.size(); first += 32) any |= release_warp(first);
  return any;
}

void wait_at(State barrier, unsigned mask, int line) {
  Thread& t = threads[self->thread];
  t.state = barrier, t.mask = mask, t.line = line;
  pause();
}

void wait_for_warp(unsigned mask, void* pc) {
  if (!(mask >> (self->thread & 31) & 1)) fail(pc, 0, "the lane is not in its own mask %08x", mask);
  wait_at(AT_WARP_BARRIER, mask, 0);
}

// ---- Memory -------------------------------------------------------------------------------------

Stamp now() {
  int me = self->thread;
  return {run, me, barriers, warp_barriers[me / 32]};
}

// Blocks of one launch may run in any order. But by a barrier, a fence and then an atomic, a block
// publishes what its threads did before that barrier; and after an atomic, a fence and a barrier, its
// threads see what others have published. (Which atomic, and what it returned, is not looked at.)
bool ordered_across_blocks(const Stamp& s) {
  if (s.run < first_run) return true;
  bool sees = seer == self->thread || (seer >= 0 && barriers > seen);
  return sees && s.barriers < published[s.run - first_run];
}

// Did that access happen before this one, whatever the order in which threads run?
bool ordered(const Stamp& s) {
  int me = self->thread;
  if (s.run != run) return ordered_across_blocks(s);
  bool same_warp = s.thread / 32 == me / 32;
  return s.thread == me || s.barriers < barriers || (same_warp && s.warp_barriers < warp_barriers[me / 32]);
}

bool same_interval(const Stamp& a, const Stamp& b) {
  return a.run == b.run && a.thread == b.thread && a.barriers == b.barriers && a.warp_barriers == b.warp_barriers;
}

int distance(const Stamp& a, const Stamp& b) {
  return a.run != b.run ? 3 : a.thread / 32 != b.thread / 32 ? 2 : a.thread != b.thread;
}

// Two readers are remembered, as far from each other as can be: whoever writes next without a
// barrier in between, be it one of the two, then conflicts with at least one of them.
void remember_reader(Cell& c, const Stamp& reader) {
  for (auto& r : c.reads)
    if (ordered(r)) {
      r = reader;
      return;
    }
  if (distance(c.reads[0], reader) > distance(c.reads[0], c.reads[1])) c.reads[1] = reader;
}

Region* find(char* a, unsigned size) {
  static size_t last = 0;
  auto inside = [&](const Region& r) { return a >= r.base && a + size <= r.base + r.bytes; };
  if (last < regions.size() && inside(regions[last])) return &regions[last];
  for (auto& r : regions)
    if (inside(r)) {
      last = &r - regions.data();
      return &r;
    }
  return nullptr;
}

void out_of_bounds(char* a, unsigned size, const char* what, void* pc) {
  const Region* nearest = nullptr;
  long distance = 0;  // negative: before its start
  for (auto& r : regions) {
    long d = a < r.base ? a - r.base : a + (long)size - (r.base + (long)r.bytes);
    if (!nearest || std::labs(d) < std::labs(distance)) nearest = &r, distance = d;
  }
  fail(pc, 0, "%s out of bounds: %u bytes, %ld bytes %s %s of %zu bytes", what, size, std::labs(distance),
       distance < 0 ? "before" : "past the end of", nearest ? nearest->name : "anything", nearest ? nearest->bytes : 0);
}

void check_cell(Cell& c, const Region& r, long offset, bool write, bool atomic, const char* what, void* pc) {
  if (!write && r.shared && c.write.run != run)
    fail(pc, 0, "read of unwritten shared memory: %s, offset %ld", r.name, offset);
  // each block has shared memory of its own: what another block did there does not count
  auto in_order = [&](const Stamp& s) { return (r.shared && s.run != run) || ordered(s); };
  const Stamp* before = nullptr;
  if (!(atomic && c.atomic) && !in_order(c.write)) before = &c.write;
  for (auto& reader : c.reads)
    if (write && !in_order(reader)) before = &reader;
  if (before)
    fail(pc, 0, "data race: %s of %s, offset %ld, %s by thread %d of block %d with no barrier between", what, r.name,
         offset, before == &c.write ? "written" : "read", before->thread,
         block_order[before->run - first_run]);
  Stamp stamp = now();
  if (!write) return remember_reader(c, stamp);
  // a thread's own atomic does not make up for its plain write just before
  bool plain_before = same_interval(c.write, stamp) && !c.atomic;
  c.atomic = atomic && !plain_before;
  c.write = stamp;
}

void touch(void* address, unsigned size, bool write, bool atomic, void* pc) {
  char* a = (char*)address;
  auto in = [&](const void* start, size_t n) { return a >= (char*)start && a < (char*)start + n; };
  if (!checking || !self || in(self->stack, STACK) || in(&emu_self, sizeof emu_self)) return;  // a thread's own
  const char* what = atomic ? "atomic" : write ? "write" : "read";
  Region* r = find(a, size);
  if (!r) out_of_bounds(a, size, what, pc);
  long offset = a - r->base;
  if (counting) accesses[self->thread].push_back({pc, (size_t)offset, size, r->shared, int(r - regions.data())});
  for (unsigned k = 0; k < size; k += std::min(size, 4u))
    check_cell(r->cells[(offset + k) / r->granule], *r, offset, write, atomic, what, pc);
}

// ---- Traffic ------------------------------------------------------------------------------------

// The lanes of a warp execute an instruction together. Global memory is then served in sectors of 32
// bytes; shared memory in passes, in each of which each of the 32 banks (a word of 4 bytes in turn)
// gives one word, to all who ask for it. With how few could the same bytes be had? (In a loop, the
// k-th time that a lane comes to an instruction is taken for one with the k-th time of the others.)
void count_warp(const std::vector<Access>& lanes) {
  std::set<size_t> words, sectors;
  std::map<size_t, int> of_bank;
  for (auto& a : lanes)
    for (size_t byte = a.offset; byte < a.offset + a.size; byte += 4) {
      sectors.insert((size_t)a.region << 48 | byte / 32);
      if (words.insert((size_t)a.region << 48 | byte / 4).second) ++of_bank[byte / 4 % 32];
    }
  auto& sum = traffic[lanes[0].pc];
  sum.pc = lanes[0].pc, sum.shared = lanes[0].shared;
  int most = 0;
  for (auto& [bank, count] : of_bank) most = std::max(most, count);
  sum.passes += sum.shared ? most : (long)sectors.size();
  sum.ideal += sum.shared ? (long)(words.size() + 31) / 32 : (long)(words.size() + 7) / 8;
}

void count_block() {
  for (size_t first = 0; first < accesses.size(); first += 32) {
    std::map<std::pair<void*, int>, std::vector<Access>> together;
    for (size_t t = first; t < std::min(first + 32, accesses.size()); ++t) {
      std::map<void*, int> times;
      for (auto& a : accesses[t]) together[{a.pc, times[a.pc]++}].push_back(a);
    }
    for (auto& [key, lanes] : together) count_warp(lanes);
  }
}

// ---- A launch -----------------------------------------------------------------------------------

void run_block(int b) {
  emu_self.bid = {b % emu_self.gdim.x, b / emu_self.gdim.x % emu_self.gdim.y, b / (emu_self.gdim.x * emu_self.gdim.y)};
  for (auto& r : regions)
    if (r.shared && !checking) memset(r.base, 0xff, r.bytes);  // NaN
  std::fill(threads.begin(), threads.end(), Thread());
  std::fill(warp_barriers.begin(), warp_barriers.end(), 0);
  barriers = started = 0;
  seer = -1;
  if (counting) accesses.assign(threads.size(), {});
  alive = (int)threads.size();
  while (alive && !failed) {
    if (started < (int)threads.size()) {
      resume(free_fiber());
    } else if (release()) {
      for (int t : order)
        if (threads[t].state == READY && !failed) {
          threads[t].state = RUNNING;
          resume(threads[t].fiber);
        }
    } else {
      fail(nullptr, 0, "deadlock: threads wait at different barriers");
    }
  }
  if (counting) count_block();
}

}  // namespace

extern "C" {

const char* emu_message() { return message; }
void* emu_where() { return where; }
int emu_where_line() { return where_line; }
const EmuTraffic* emu_traffic() { return traffic_table.data(); }
int emu_traffic_count() { return (int)traffic_table.size(); }

// order_seed: 0 starts threads and blocks in rising order, 1 in falling order, others shuffle.
// checks: whether accesses to memory are checked; barriers always are. counts: whether emu_traffic()
// tells of this launch.
// Returns whether the launch went well; if not, emu_message() says why.
int emu_launch(void (*call)(void**), void** args, const unsigned* grid, const unsigned* dim, size_t dynamic,
               const EmuRegion* given, int count, unsigned order_seed,
               int checks, int counts) {
  counting = counts && checks;
  traffic.clear();
  kernel = call, arguments = args, failed = false, checking = checks, self = nullptr;
  emu_self = {{}, {}, {dim[0], dim[1], dim[2]}, {grid[0], grid[1], grid[2]}};
  int n = (int)(dim[0] * dim[1] * dim[2]), blocks = (int)(grid[0] * grid[1] * grid[2]);
  dynamic_shared.assign(dynamic, 0);
  regions.assign(count + 1, Region());
  for (int i = 0; i < count; ++i) (EmuRegion&)regions[i] = given[i];
  (EmuRegion&)regions[count] = {dynamic_shared.data(), dynamic, 4, 1, "dynamic shared memory"};
  size_t needed = 0;
  for (auto& r : regions) needed += r.bytes / r.granule + 1;
  if (cells.size() < needed) cells.resize(needed);
  needed = 0;
  for (auto& r : regions) {
    r.cells = &cells[needed];
    needed += r.bytes / r.granule + 1;
  }
  threads.assign(n, Thread());
  warp_barriers.assign(n / 32 + 1, 0);

  block_order.resize(blocks);
  order.resize(n);
  std::mt19937 random(order_seed);
  for (auto* list : {&order, &block_order}) {
    for (size_t i = 0; i < list->size(); ++i) (*list)[i] = (int)i;
    if (order_seed == 1) std::reverse(list->begin(), list->end());
    if (order_seed > 1) std::shuffle(list->begin(), list->end(), random);
  }
  first_run = run + 1;
  published.assign(blocks, 0);
  for (int b : block_order) {
    if (failed) break;
    ++run;
    run_block(b);
  }
  traffic_table.clear();
  for (auto& [pc, sum] : traffic) traffic_table.push_back(sum);
  if (failed) {  // threads stopped half-way: their stacks are of no more use
    for (Fiber* f : fibers) munmap(f->stack, STACK), delete f;
    fibers.clear();
    idle.clear();
  }
  return !failed;
}

// ---- What kernels call --------------------------------------------------------------------------

void emu_block_barrier(int line) { wait_at(AT_BLOCK_BARRIER, 0, line); }
void emu_warp_barrier(unsigned mask) { wait_for_warp(mask, __builtin_return_address(0)); }
void emu_atomic(void* p, unsigned size) {
  touch(p, size, true, true, __builtin_return_address(0));
  Thread& t = threads[self->thread];
  if (t.fence == barriers + 1) published[run - first_run] = barriers;
  t.counted = true;
}
void emu_fence() {
  Thread& t = threads[self->thread];
  t.fence = barriers + 1;
  if (t.counted && seer < 0) seer = self->thread, seen = barriers;
}
void* emu_dynamic_shared() { return dynamic_shared.data(); }

uint64_t emu_exchange(unsigned mask, uint64_t value, int lane) {
  int me = self->thread, first = me & ~31, n = (int)threads.size();
  threads[me].brought = value;
  wait_for_warp(mask, __builtin_return_address(0));
  auto there = [&](int i) { return (mask >> i & 1) && first + i < n && threads[first + i].present; };
  if (lane >= 0) return there(lane) ? threads[first + lane].shown : ~0ull;  // undefined on a GPU: NaN here
  uint64_t ballot = 0;
  for (int i = 0; i < 32; ++i)
    if (there(i) && threads[first + i].shown) ballot |= 1ull << i;
  return ballot;
}

// ---- What g++ calls -----------------------------------------------------------------------------

#define HOOK(NAME, SIZE, WRITE) \
  void __tsan_##NAME(void* p) { touch(p, SIZE, WRITE, false, __builtin_return_address(0)); }
#define HOOKS(N)                                     \
  HOOK(read##N, N, false) HOOK(write##N, N, true)    \
  HOOK(unaligned_read##N, N, false) HOOK(unaligned_write##N, N, true)
HOOKS(1) HOOKS(2) HOOKS(4) HOOKS(8) HOOKS(16)
void __tsan_read_range(void* p, size_t n) { touch(p, (unsigned)n, false, false, __builtin_return_address(0)); }
void __tsan_write_range(void* p, size_t n) { touch(p, (unsigned)n, true, false, __builtin_return_address(0)); }
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}

// -fsanitize=signed-integer-overflow and its like call these, without a library likewise.
#define UNDEFINED(NAME, TEXT) \
  void __ubsan_handle_##NAME(void*, ...) { fail(__builtin_return_address(0), 0, TEXT); }
UNDEFINED(add_overflow, "signed integer overflow in +")
UNDEFINED(sub_overflow, "signed integer overflow in -")
UNDEFINED(mul_overflow, "signed integer overflow in *")
UNDEFINED(negate_overflow, "signed integer overflow in a negation")
UNDEFINED(divrem_overflow, "integer division by zero")
UNDEFINED(shift_out_of_bounds, "shift by too many bits")
UNDEFINED(type_mismatch_v1, "misaligned access")
UNDEFINED(out_of_bounds, "index out of bounds of its array")
UNDEFINED(float_cast_overflow, "a number too large for an integer")
}
