// internal.h - shared by the files of torch/ alone: the tensor behind the handle, and one call into libtorch's
// dispatcher.
#ifndef SONIC_TORCH_INTERNAL_H
#define SONIC_TORCH_INTERNAL_H

#include <torch/csrc/inductor/aoti_torch/c/shim.h>
#include <torch/csrc/stable/c/shim.h>

#include <initializer_list>
#include <string>

#include "torch/tensor.h"

namespace sonic
{

// What a meter knows of memory that tensors show.
struct Memory {
    int64_t handles, bytes; // bytes 0: an operand's
    const void *address;    // nullptr: the meta device
};

} // namespace sonic

struct sonic_tensor {
    AtenTensorHandle handle;
    sonic_scope *scope;
    sonic_tensor *previous, *next;
    sonic_tensor *next_taken; // while a Call releases what it took
    bool taken;
    sonic::Memory *memory; // nullptr: nobody counts
};

struct sonic_meter;

namespace sonic
{

// Wraps a reference that the caller owns; on failure the reference is released and the scope fails.
// `source`: whose memory it shows, when it is known that it shows another tensor's.
sonic_tensor *adopt(sonic_scope *scope, AtenTensorHandle handle, const sonic_tensor *source = nullptr);

// A second owner of the same tensor, in `scope`.
sonic_tensor *share(sonic_scope *scope, const sonic_tensor *x);

// What a meter (meter.h) is told: handles that come and go, and operators with their tensor operands.
void meter_adopt(sonic_meter *meter, sonic_tensor *x, const sonic_tensor *source);
void meter_release(sonic_meter *meter, sonic_tensor *x);
// Whether the result of the operator `op` shows the memory of its first operand x.
bool meter_shares_memory(const char *op, const sonic_tensor *x, AtenTensorHandle result);
void meter_operation(sonic_meter *meter, const char *op, const sonic_tensor *const *operands, int32_t count,
                     const sonic_tensor *result);
// The same for an operator that is not called through Call and multiplies nothing, where there is a meter.
void meter_moved(const sonic_scope *scope, std::initializer_list<const sonic_tensor *> read_and_written);

// Whether an operator may run in `scope`: nothing failed so far, and no watch (core/progress.h) stops the work. Asked
// before each of them.
bool may_run(sonic_scope *scope);

// Fails the scope with libtorch's last exception: SONIC_ERROR_MEMORY when its text says that memory ran out, else
// SONIC_ERROR_TORCH. `what`: the operator and the shapes it was called on.
void fail_with_exception(sonic_scope *scope, const char *what);

// For which device the meter counts, where tensors have none.
bool meter_is_for_gpu(const sonic_meter *meter);

// stand_in.cpp. Whether x has no memory and a meter asks what there would be; and what an elementwise operator would
// make then.
bool is_foretold(const sonic_scope *scope, const sonic_tensor *x);
AtenTensorHandle stand_in_elementwise(const sonic_tensor *a, const sonic_tensor *b);

// A number as 0-dim tensor of x's dtype beside x, taken: for operators that mix no types and devices.
sonic_tensor *number_like(sonic_scope *scope, double value, const sonic_tensor *x);

// x on that device in that dtype: x itself or new.
sonic_tensor *to(sonic_scope *scope, sonic_tensor *x, int32_t device_type, int32_t device_index, int32_t dtype);

// Text of libtorch's last exception on this thread, or "" before torch 2.13, which has no call for it.
const char *torch_message();

int32_t torch_dtype(sonic_dtype dtype);

// Collects the arguments of one operator and calls it: Call(scope, "aten::relu").tensor(x).run().
// Nothing is handed to libtorch before run(), which does nothing when the scope has failed or an operand is missing.
// Taken operands are released when the Call ends, whatever its outcome.
class Call
{
  public:
    Call(sonic_scope *scope, const char *op, const char *overload = "") : scope_(scope), op_(op), overload_(overload) {}
    ~Call();
    Call(const Call &) = delete;
    Call &operator=(const Call &) = delete;

    Call &tensor(sonic_tensor *x) { return add({TENSOR, nullptr, 0, x, nullptr}); }
    Call &optional(sonic_tensor *x) { return x ? add({OPTIONAL_TENSOR, nullptr, 0, x, nullptr}) : none(); }
    Call &tensors(sonic_tensor *const *parts, int32_t count) { return add({TENSORS, parts, count, nullptr, nullptr}); }
    Call &ints(const int64_t *values, int32_t count) { return add({INTS, values, count, nullptr, nullptr}); }
    Call &ints(std::initializer_list<int64_t> values) { return ints(values.begin(), (int32_t)values.size()); }
    Call &integer(int64_t value) { return add({VALUE, nullptr, value, nullptr, nullptr}); }
    Call &real(double value) { return integer(bits(value)); }
    Call &optional_real(double value) { return add({OPTIONAL_REAL, nullptr, bits(value), nullptr, nullptr}); }
    Call &optional_ints(std::initializer_list<int64_t> values)
    {
        return add({OPTIONAL_INTS, values.begin(), (int64_t)values.size(), nullptr, nullptr});
    }
    Call &boolean(bool value) { return integer(value); }
    Call &text(const char *value) { return add({TEXT, nullptr, 0, nullptr, value}); }
    Call &none() { return integer(0); }
    sonic_tensor *run();
    bool run_for_effect(); // an operator without result; true when it succeeded

  private:
    enum Kind { TENSOR, OPTIONAL_TENSOR, TENSORS, INTS, OPTIONAL_INTS, VALUE, OPTIONAL_REAL, TEXT };
    struct Argument {
        Kind kind;
        const void *items; // TENSORS, INTS, OPTIONAL_INTS: they outlive the call's full expression
        int64_t number;    // how many items; the value
        sonic_tensor *operand;
        const char *text;
    };
    enum { MAX_ARGUMENTS = 16 };

    static int64_t bits(double value); // a double crosses as its bits
    Call &add(Argument argument);
    template <typename Work> bool each_operand(Work work) const;
    std::string title() const;
    bool has_operands() const;
    const sonic_tensor *some_operand() const;
    bool dispatch(StableIValue *stack);
    AtenTensorHandle stand_in() const;
    void count(const sonic_tensor *result) const;
    bool stack_value(const Argument &argument, StableIValue *out) const;

    sonic_scope *scope_;
    const char *op_, *overload_;
    Argument arguments_[MAX_ARGUMENTS]; // the first count_ are set
    int32_t count_ = 0;
};

} // namespace sonic
#endif
