// internal.h - shared by the files of torch/ alone: the tensor behind the handle, and calls into libtorch's dispatcher.
// The sections are in order of dependency: a file uses only functions of files above it.
#ifndef SONIC_TORCH_INTERNAL_H
#define SONIC_TORCH_INTERNAL_H

#include <torch/csrc/inductor/aoti_torch/c/shim.h> // AtenTensorHandle, aoti_torch_*
#include <torch/csrc/stable/c/shim.h>              // StableIValue, torch_call_dispatcher

#include <initializer_list>

#include "torch/tensor.h"

namespace sonic
{

// Memory that the cost meter follows, shared by all tensors that show it.
struct Memory {
    int64_t handles, bytes; // bytes 0: an operand's
    uintptr_t address;      // 0: the meta device
    Memory *next;           // in the meter's table
};

} // namespace sonic

struct sonic_tensor {
    AtenTensorHandle handle;
    sonic_scope *scope;
    sonic_tensor *previous, *next;
    sonic_tensor *next_taken; // while a Call releases what it took
    bool taken;
    sonic::Memory *memory; // nullptr: no cost meter
};

struct sonic_cost_meter;

namespace sonic
{

// One argument of an operator.
struct Argument {
    enum Kind { TENSOR, OPTIONAL_TENSOR, TENSORS, INTS, OPTIONAL_INTS, VALUE, OPTIONAL_REAL };
    Kind kind;
    const void *items; // TENSORS, INTS, OPTIONAL_INTS: they outlive the call's full expression
    int64_t number;    // how many items; the value
    sonic_tensor *operand;
};

// shape.cpp

int32_t torch_dtype(sonic_dtype dtype);
// As st_device, but with PyTorch's index, -1 where a kind has one device: "cpu" is not "cpu:0" to its operators.
sonic_device torch_device(const sonic_tensor *x);

// cost_meter.cpp (cost_meter.h)

// Called for each tensor that a scope receives or releases. `source`: the tensor whose memory x shows, if known.
void cost_meter_adopt(sonic_cost_meter *meter, sonic_tensor *x, const sonic_tensor *source);
void cost_meter_release(sonic_cost_meter *meter, sonic_tensor *x);
// Whether the result of the operator `op` shows the memory of its first operand x.
bool cost_meter_shares_memory(const char *op, const sonic_tensor *x, AtenTensorHandle result);
// The tensor operands of an operator, as far as its cost depends on them.
struct Operands {
    const sonic_tensor *first = nullptr, *second = nullptr;
    int64_t bytes = 0; // of all

    void add(const sonic_tensor *x);
};

// Counts one operator.
void cost_meter_operator(sonic_cost_meter *meter, const char *op, const Operands &operands, const sonic_tensor *result);
// Counts bytes moved by an operator that is not called through Call and has no matrix product; without a meter,
// nothing.
void cost_meter_moved(const sonic_scope *scope, std::initializer_list<const sonic_tensor *> read_and_written);
// Whether tensors of the meta device are counted as on a GPU.
bool cost_meter_is_for_gpu(const sonic_cost_meter *meter);

// scope.cpp

// Wraps a reference that the caller owns; on failure the reference is released and the scope fails.
// `source`: the tensor whose memory it shows, if known.
sonic_tensor *adopt(sonic_scope *scope, AtenTensorHandle handle, const sonic_tensor *source = nullptr);
// A second owner of the same tensor, in `scope`.
sonic_tensor *share(sonic_scope *scope, const sonic_tensor *x);

// ownership.cpp: what is handed to libtorch, or taken from it

// The value of an optional argument lies in a box, which the dispatcher frees. Holds 0 at first; nullptr: no memory.
StableIValue *new_box();
void delete_box(StableIValue *box); // of a call that does not take place; nullptr is accepted
size_t list_size(StableListHandle list);
StableIValue list_item(StableListHandle list, size_t i); // i below its size
// The list with the references in it.
void delete_tensor_list(StableListHandle list);

// meta_kernels.cpp

// Whether x is a tensor of the meta device and a cost meter counts: the operator is counted, not run.
bool is_dry_run(const sonic_scope *scope, const sonic_tensor *x);
// An empty result on the meta device with the operator's shape and layout; nullptr: not covered, call libtorch.
AtenTensorHandle meta_kernel(const char *op, const Argument *arguments, bool for_gpu);
AtenTensorHandle meta_elementwise(const sonic_tensor *a, const sonic_tensor *b);

// call.cpp

// Whether an operator may run in `scope`: nothing has failed and no progress callback (core/progress.h) cancels. Called
// before every operator.
bool may_run(sonic_scope *scope);
// Fails the scope with libtorch's last exception: SONIC_ERROR_MEMORY when its text says that memory ran out, else
// SONIC_ERROR_TORCH. `what`: the operator and the shapes of its operands.
void fail_with_exception(sonic_scope *scope, const char *what);
// The same for an operator on `like`. Before torch 2.13 exceptions have no text; on a device memory is then said to
// have run out if there is no room for `bytes`.
void fail_with_exception(sonic_scope *scope, const char *what, const sonic_tensor *like, int64_t bytes);
// The same with the text of an exception that was caught here; "": unknown.
void fail_with_text(sonic_scope *scope, const char *what, const char *message);
// Text of libtorch's last exception on this thread, or "" before torch 2.13, which has no call for it.
const char *torch_message();

// device.cpp

// Strides of a contiguous tensor; returns its number of elements.
int64_t contiguous_strides(sonic_shape shape, int64_t *strides);
// Uninitialised, on the device of `like`. `what`: its name in the message when it does not fit.
sonic_tensor *empty_strided(sonic_scope *scope, const char *what, sonic_shape shape, const int64_t *strides,
                            int32_t dtype, const sonic_tensor *like);

// An operator and the shapes of its operands, cut off when it is long.
class Title
{
  public:
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    void
    add(const char *format, ...);
    void add(const sonic_tensor *x);

    char text[256] = "";

  private:
    size_t length_ = 0;
};

// Collects the arguments of one operator and calls it: Call(scope, "aten::relu").tensor(x).run().
// Nothing is passed to libtorch before run(), which does nothing when the scope has failed or an operand is missing.
// Taken operands are released when the Call ends, whatever its outcome.
class Call
{
  public:
    Call(sonic_scope *scope, const char *op, const char *overload = "") : scope_(scope), op_(op), overload_(overload) {}
    ~Call();
    Call(const Call &) = delete;
    Call &operator=(const Call &) = delete;

    Call &tensor(sonic_tensor *x) { return add({Argument::TENSOR, nullptr, 0, x}); }
    Call &optional(sonic_tensor *x) { return x ? add({Argument::OPTIONAL_TENSOR, nullptr, 0, x}) : none(); }
    Call &tensors(sonic_tensor *const *parts, int32_t count) { return add({Argument::TENSORS, parts, count, nullptr}); }
    Call &ints(const int64_t *values, int32_t count) { return add({Argument::INTS, values, count, nullptr}); }
    Call &ints(std::initializer_list<int64_t> values) { return ints(values.begin(), (int32_t)values.size()); }
    Call &integer(int64_t value) { return add({Argument::VALUE, nullptr, value, nullptr}); }
    Call &real(double value) { return integer(bits(value)); }
    Call &optional_real(double value) { return add({Argument::OPTIONAL_REAL, nullptr, bits(value), nullptr}); }
    Call &optional_ints(std::initializer_list<int64_t> values)
    {
        return add({Argument::OPTIONAL_INTS, values.begin(), (int64_t)values.size(), nullptr});
    }
    Call &boolean(bool value) { return integer(value); }
    Call &none() { return integer(0); }
    sonic_tensor *run();
    bool run_for_effect(); // an operator without result; true when it succeeded

  private:
    enum { MAX_ARGUMENTS = 16 };

    static int64_t bits(double value); // a double is passed as its bits
    Call &add(Argument argument);
    template <typename Work> bool each_operand(Work work) const;
    Title title() const;
    bool has_operands() const;
    const sonic_tensor *first_operand() const;
    int64_t likely_bytes() const;
    bool fill(StableIValue *stack) const;
    bool dispatch(StableIValue *stack);
    void count(const sonic_tensor *result) const;

    sonic_scope *scope_;
    const char *op_, *overload_;
    Argument arguments_[MAX_ARGUMENTS]; // the first count_ are set
    int32_t count_ = 0;
};

// Keeps a taken operand for a function that reads it more than once, and releases it when the function ends.
class Kept
{
  public:
    explicit Kept(sonic_tensor *x) : taken_(x && x->taken ? x : nullptr)
    {
        if (taken_)
            taken_->taken = false;
    }
    ~Kept() { st_release(taken_); }
    Kept(const Kept &) = delete;
    Kept &operator=(const Kept &) = delete;

  private:
    sonic_tensor *taken_;
};

// scalars.cpp: one number as a tensor, taken

// 0-dim, float64, on the CPU: does not change the dtype or device of the result.
sonic_tensor *scalar(sonic_scope *scope, double value);
// 0-dim, of x's dtype and device: for operators that do not mix types.
sonic_tensor *scalar_like(sonic_scope *scope, double value, const sonic_tensor *x);
// The same for 1, shared, so that the caller must not release it: on the CPU one of no scope, on a device one of the
// root scope.
sonic_tensor *one_like(sonic_scope *scope, const sonic_tensor *x);
// float64 [1] on the CPU; shared for 1.
sonic_tensor *scalar_list(sonic_scope *scope, double value);

// gelu.cpp

// GELU's operator is in this namespace of the dispatcher.
void gelu_name_operator(const char *space);

// transfer.cpp

// x on that device in that dtype: x itself or a new tensor. The host waits when it is a copy.
sonic_tensor *to(sonic_scope *scope, sonic_tensor *x, int32_t device_type, int32_t device_index, int32_t dtype);

} // namespace sonic
#endif
