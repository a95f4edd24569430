// What both sides hold is allocated and freed by libtorch.
//
// Lists, strings and tensors' handles have functions for it. The box of an optional argument has one from 2.13 on,
// torch_new_stable_ivalue. Before, libtorch frees with `delete` what the caller's `new` allocated
// (stableivalue_conversions.h, "Handling std::optional"), which takes one heap for both. There, a box of libtorch's own
// heap is had as an undefined at::Tensor: it is one pointer, as a box is one word, libtorch allocates it with `new`,
// and it refers to nothing. Written over, it is a box; with its first value, it can be deleted as a tensor.
#include <atomic>

#include "torch/internal.h"
#include "torch/optional.h"

namespace
{

using NewBox = AOTITorchError (*)(StableIValue **);
using DeleteBox = AOTITorchError (*)(StableIValue *);
using NewTensor = AOTITorchError (*)(AtenTensorHandle *);

struct Functions {
    NewBox new_box = (NewBox)sonic_torch_symbol("torch_new_stable_ivalue");
    DeleteBox delete_box = (DeleteBox)sonic_torch_symbol("torch_delete_stable_ivalue");
    NewTensor new_tensor = (NewTensor)sonic_torch_symbol("aoti_torch_new_uninitialized_tensor");
};

const Functions &functions()
{
    static const Functions found;
    return found;
}

// What an undefined tensor holds: the address of one static object.
std::atomic<StableIValue> undefined;

StableIValue *new_box_before_2_13(NewTensor new_tensor)
{
    AtenTensorHandle tensor = nullptr;
    if (!new_tensor || new_tensor(&tensor))
        return nullptr;
    auto *box = (StableIValue *)tensor;
    undefined.store(*box, std::memory_order_relaxed);
    *box = 0;
    return box;
}

} // namespace

StableIValue *sonic::new_box()
{
    static_assert(sizeof(StableIValue) == sizeof(void *));
    const Functions &f = functions();
    StableIValue *box = nullptr;
    if (!f.new_box || !f.delete_box)
        return new_box_before_2_13(f.new_tensor);
    if (f.new_box(&box))
        return nullptr;
    *box = 0;
    return box;
}

void sonic::delete_box(StableIValue *box)
{
    const Functions &f = functions();
    if (box && f.new_box && f.delete_box) {
        f.delete_box(box);
    } else if (box) {
        *box = undefined.load(std::memory_order_relaxed);
        aoti_torch_delete_tensor_object((AtenTensorHandle)box);
    }
}

size_t sonic::list_size(StableListHandle list)
{
    size_t size = 0;
    return torch_list_size(list, &size) == AOTI_TORCH_SUCCESS ? size : 0;
}

StableIValue sonic::list_item(StableListHandle list, size_t i)
{
    StableIValue item = 0;
    torch_list_get_item(list, i, &item);
    return item;
}

void sonic::delete_tensor_list(StableListHandle list)
{
    for (size_t i = 0, size = list_size(list); i < size; i++)
        aoti_torch_delete_tensor_object((AtenTensorHandle)list_item(list, i));
    torch_delete_list(list);
}
