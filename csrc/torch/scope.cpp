// Scopes and the lifetime of tensors.
#include <cstdlib> // calloc, free
#include <cstring> // memset

#include "torch/internal.h"

namespace
{

void unlink(sonic_tensor *x)
{
    if (x->previous)
        x->previous->next = x->next;
    else
        x->scope->first = x->next;
    if (x->next)
        x->next->previous = x->previous;
}

void link(sonic_scope *scope, sonic_tensor *x)
{
    x->scope = scope;
    x->previous = nullptr;
    x->next = scope->first;
    if (scope->first)
        scope->first->previous = x;
    scope->first = x;
}

} // namespace

sonic_tensor *sonic::adopt(sonic_scope *scope, AtenTensorHandle handle, const sonic_tensor *source)
{
    auto *x = (sonic_tensor *)calloc(1, sizeof(sonic_tensor));
    if (!x) {
        aoti_torch_delete_tensor_object(handle);
        sonic_scope_fail(scope,
                         sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: no memory for a tensor's handle."));
        return nullptr;
    }
    x->handle = handle;
    link(scope, x);
    if (scope->meter)
        cost_meter_adopt(scope->meter, x, source);
    return x;
}

sonic_tensor *sonic::share(sonic_scope *scope, const sonic_tensor *x)
{
    AtenTensorHandle handle = nullptr;
    if (aoti_torch_new_tensor_handle(x->handle, &handle)) {
        sonic_scope_fail(scope,
                         sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: no memory for a tensor's handle."));
        return nullptr;
    }
    return adopt(scope, handle, x);
}

void sonic_scope_open(sonic_scope *scope, sonic_scope *parent)
{
    scope->parent = parent;
    scope->root = parent ? parent->root : scope;
    scope->first = nullptr;
    if (!parent)
        memset(scope->ones, 0, sizeof scope->ones);
    scope->status = parent ? parent->status : SONIC_OK;
    scope->meter = parent ? parent->meter : nullptr;
}

sonic_status sonic_scope_close(sonic_scope *scope)
{
    while (scope->first)
        st_release(scope->first);
    if (scope->parent)
        sonic_scope_fail(scope->parent, scope->status);
    return scope->status;
}

sonic_status sonic_scope_fail(sonic_scope *scope, sonic_status status)
{
    if (scope->status == SONIC_OK)
        scope->status = status;
    return scope->status;
}

sonic_tensor *st_take(sonic_tensor *x)
{
    if (x)
        x->taken = true;
    return x;
}

sonic_tensor *st_return(sonic_scope *scope, sonic_tensor *x)
{
    if (!x || !scope->parent)
        return x;
    unlink(x);
    x->taken = false;
    link(scope->parent, x);
    return x;
}

void st_release(sonic_tensor *x)
{
    if (!x)
        return;
    if (x->scope->meter)
        sonic::cost_meter_release(x->scope->meter, x);
    unlink(x);
    aoti_torch_delete_tensor_object(x->handle);
    free(x);
}

void st_release_taken(sonic_tensor *x)
{
    if (x && x->taken)
        st_release(x);
}
