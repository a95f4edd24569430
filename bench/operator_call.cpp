// libtorch's own C++ calls in a loop, for operator_call.py: the cost of a kernel without the stable ABI.
#include <ctime>
#include <functional>
#include <map>
#include <string>

#include <ATen/ATen.h>
#include <ATen/CPUFunctions.h>
#include <c10/core/InferenceMode.h>

namespace
{

template <typename Work> double seconds(long times, Work work)
{
    std::clock_t start = std::clock();
    for (long i = 0; i < times; i++)
        work();
    return (double)(std::clock() - start) / CLOCKS_PER_SEC;
}

at::Tensor ones(std::initializer_list<int64_t> shape) { return at::ones(shape); }

} // namespace

// Processor seconds of `times` calls of the operator `name` on tensors of one element; -1 for an unknown name.
extern "C" double kernel_seconds(const char *name, long times)
{
    at::Tensor x = ones({1}), y = ones({1}), z = ones({1}), m = ones({1, 1}), i = ones({1, 1, 1, 1}), pair = ones({4}),
               zero = at::zeros({1}), n = at::zeros({1, 1});
    c10::InferenceMode inference; // after the tensors, which are not created in inference mode, as ours
    const std::map<std::string, std::function<double()>> all = {
        {"silu", [&] { return seconds(times, [&] { at::cpu::silu(x); }); }},
        {"relu", [&] { return seconds(times, [&] { at::relu(x); }); }},
        {"gelu", [&] { return seconds(times, [&] { at::cpu::gelu(x); }); }},
        {"add", [&] { return seconds(times, [&] { at::cpu::add(x, y); }); }},
        {"mul", [&] { return seconds(times, [&] { at::cpu::mul(x, y); }); }},
        {"mul_scalar", [&] { return seconds(times, [&] { at::mul(x, 2.0); }); }},
        {"linear", [&] { return seconds(times, [&] { at::linear(m, m, x); }); }},
        {"matmul", [&] { return seconds(times, [&] { at::matmul(m, m); }); }},
        {"conv2d", [&] { return seconds(times, [&] { at::conv2d(i, i, x); }); }},
        {"layer_norm", [&] { return seconds(times, [&] { at::layer_norm(m, {1}, x, y); }); }},
        {"group_norm", [&] { return seconds(times, [&] { at::group_norm(i, 1, x, y); }); }},
        {"softmax", [&] { return seconds(times, [&] { at::softmax(m, 1); }); }},
        {"attention", [&] { return seconds(times, [&] { at::scaled_dot_product_attention(i, i, i); }); }},
        {"mean", [&] { return seconds(times, [&] { at::mean(m, {1}, true); }); }},
        {"cat", [&] { return seconds(times, [&] { at::cat({x, y}, 0); }); }},
        {"to_dtype", [&] { return seconds(times, [&] { x.to(at::kHalf); }); }},
        {"clone", [&] { return seconds(times, [&] { x.clone(); }); }},
        {"view", [&] { return seconds(times, [&] { m.view({1}); }); }},
        {"reshape", [&] { return seconds(times, [&] { m.reshape({1}); }); }},
        {"slice", [&] { return seconds(times, [&] { pair.narrow(0, 1, 2); }); }},
        {"permute", [&] { return seconds(times, [&] { i.permute({0, 2, 1, 3}); }); }},
        {"silu_in_place", [&] { return seconds(times, [&] { at::cpu::silu_(zero); }); }},
        {"gelu_in_place", [&] { return seconds(times, [&] { at::cpu::gelu_(zero); }); }},
        {"mul_in_place", [&] { return seconds(times, [&] { at::cpu::mul_(zero, y); }); }},
        {"add_in_place", [&] { return seconds(times, [&] { at::cpu::add_(zero, y); }); }},
        {"add_scaled_in_place", [&] { return seconds(times, [&] { at::cpu::add_(zero, y, 0.5); }); }},
        {"add_product_in_place", [&] { return seconds(times, [&] { at::cpu::addcmul_(zero, y, z, 0.5); }); }},
        {"lerp_in_place", [&] { return seconds(times, [&] { at::cpu::lerp_(zero, y, 0.5); }); }},
        {"add_linear_in_place", [&] { return seconds(times, [&] { at::cpu::addmm_(n, m, m); }); }},
    };
    auto found = all.find(name);
    return found == all.end() ? -1 : found->second();
}
