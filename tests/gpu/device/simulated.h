// simulated.h - a GPU that is simulated on the CPU, as PyTorch's PrivateUse1 device: what its parts share.
//
// A device address is mapped without any right of access, so host code that touches device memory ends in SIGSEGV; the
// values lie at the same offset of a readable twin. Operators compute with the CPU's kernels on aliases of the twin,
// after the checks that CUDA makes, and lay out their results as CUDA does. Nothing here shows a real GPU's numerics.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <ATen/ATen.h>

namespace simulated
{

constexpr int DEVICES = 2;
constexpr int STREAMS = 4; // of a device; number 0 is the default one
constexpr auto KIND = c10::DeviceType::PrivateUse1;

// memory.cpp

extern c10::Allocator *const allocator;
void map_addresses(); // once, before the first tensor
// The readable address of a device address; nullptr for nullptr.
void *host_address(const void *device_address);
bool is_pinned(const void *host_memory);
c10::Allocator *pinned_allocator();

// runtime.cpp

int current_device();
void register_hooks();
// Work of one operator begins in the device's current stream: with a delay set, it ends that much later. The clock goes
// on by what an operator takes there.
void begin_work(int device);
// The same for a copy of so many bytes between the device and host memory.
void begin_copy(int device, long long bytes);
// The current stream uses x's memory. Counts unordered uses: of memory that another stream has used last, and neither
// an event nor the host has put that before what this stream does.
void use(const at::Tensor &x);
// As a copy between CUDA devices: it begins when both have done their work, and both go on when it ends.
void meet(int device, int other);
// Fails as CUDA does on a card that was lost.
void check_not_lost(int device);
// Waits until the device has done all work; what was copied asynchronously has then arrived.
void wait_for(int device);
// The bytes of `source` (of the readable twin) arrive in the pinned `target` when the device gets there; until then
// `target` holds NaN.
void copy_later(int device, const at::Tensor &source, const at::Tensor &target);

// records.cpp

// What a test counts. Copies between devices and host memory are blocking unless they are asynchronous by request and
// the host memory is pinned.
struct Counters {
    std::atomic<long> blocking_to_device{0}, async_to_device{0}, blocking_to_host{0}, async_to_host{0};
    std::atomic<long> between_devices{0}; // copies from one device to another
    std::atomic<long> waits{0};           // for an event, a stream or a device
    std::atomic<long> tf32{0};            // convolutions and products in float32 that TF32 was allowed for
    std::atomic<long> float16_sums{0};    // products in float16 that may be summed in float16
    std::atomic<long> cache_clearings{0}; // emptyCache
    std::atomic<long> refused{0};         // allocations
    std::atomic<long> pinned{0};          // allocations of pinned memory
    std::atomic<long> unordered{0};       // uses of memory by two streams that nothing has put in order
};
extern Counters counters;
// Whether operators are counted and not computed: results have shapes and no values.
extern std::atomic<int> count_only;
// One operator: its name, the bytes that it reads and writes, and its operands for the log. copied: of these bytes, the
// ones that cross between the device and host memory.
void record(const std::string &name, long long bytes, const std::string &operands, long long copied = 0);
bool is_logging();
// " [2,3]", with the strides where it is not contiguous.
std::string shape_text(const at::Tensor &x);
// Fails an operator that a test has refused.
void check_not_refused(const std::string &name);

// boxed.cpp

inline bool on_device(const at::Tensor &x) { return x.defined() && x.device().type() == KIND; }
at::Tensor host_view(const at::Tensor &x); // x's values as a tensor on the CPU; x itself where it is there
at::Tensor as_meta(const at::Tensor &x);   // the same shape without values
// What an operator computes with: host_view, or as_meta while count_only.
at::Tensor operand(const at::Tensor &x);
std::optional<at::Tensor> operand(const std::optional<at::Tensor> &x);
// A tensor on `device` in the layout of x, with its values unless count_only.
at::Tensor to_device(const at::Tensor &x, at::Device device, bool with_values);
// Where CUDA's operator takes all operands on one device: fails when a defined one is elsewhere.
void check_same_device(const char *name, std::initializer_list<std::optional<at::Tensor>> operands);
void check_precision(const std::string &name, const at::Tensor &x);
// Whether the operator is a product of float16 matrices that may be summed in float16. Counts it.
bool sums_in_float16(const std::string &name, const at::Tensor &x);

} // namespace simulated
