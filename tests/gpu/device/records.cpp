// What happened on the devices: operators with their bytes, a log of them, and the counters.
#include "simulated.h"

#include <set>

namespace simulated
{

Counters counters;
std::atomic<int> count_only{0};

namespace
{

struct Tally {
    long calls = 0;
    long long bytes = 0;
};

std::mutex records_lock;
std::map<std::string, Tally> tallies[DEVICES]; // of each device
std::vector<std::string> lines;
std::set<std::string> refused;
std::atomic<bool> logging{false};

const struct {
    const char *name;
    std::atomic<long> *value;
} numbers[] = {{"blocking_to_device", &counters.blocking_to_device},
               {"async_to_device", &counters.async_to_device},
               {"blocking_to_host", &counters.blocking_to_host},
               {"async_to_host", &counters.async_to_host},
               {"between_devices", &counters.between_devices},
               {"waits", &counters.waits},
               {"tf32", &counters.tf32},
               {"float16_sums", &counters.float16_sums},
               {"cache_clearings", &counters.cache_clearings},
               {"refused", &counters.refused},
               {"pinned", &counters.pinned},
               {"unordered", &counters.unordered}};

} // namespace

bool is_logging() { return logging; }

void record(const std::string &name, long long bytes, const std::string &operands, long long copied)
{
    copied ? begin_copy(current_device(), copied) : begin_work(current_device());
    std::lock_guard<std::mutex> lock(records_lock);
    Tally &tally = tallies[current_device()][name];
    tally.calls++, tally.bytes += bytes;
    if (logging)
        lines.push_back(name + operands);
}

std::string shape_text(const at::Tensor &x)
{
    std::string text = " [";
    for (int64_t size : x.sizes())
        text += (text.size() > 2 ? "," : "") + std::to_string(size);
    text += "]";
    if (!x.is_contiguous()) {
        text += "/(";
        for (int64_t stride : x.strides())
            text += std::to_string(stride) + " ";
        text += ")";
    }
    return text;
}

void check_not_refused(const std::string &name)
{
    std::lock_guard<std::mutex> lock(records_lock);
    TORCH_CHECK_NOT_IMPLEMENTED(!refused.count(name), "The operator '", name,
                                "' is not currently implemented for the simulated device.");
}

} // namespace simulated

extern "C" {

void simulated_reset()
{
    std::lock_guard<std::mutex> lock(simulated::records_lock);
    for (auto &tallies : simulated::tallies)
        tallies.clear();
    simulated::lines.clear();
    for (const auto &number : simulated::numbers)
        *number.value = 0;
}

void simulated_count_only(int on) { simulated::count_only = on; }

void simulated_log(int on) { simulated::logging = on != 0; }

// The operator fails from now on, as if the device did not have it; "": all work again.
void simulated_refuse(const char *name)
{
    std::lock_guard<std::mutex> lock(simulated::records_lock);
    *name ? (void)simulated::refused.insert(name) : simulated::refused.clear();
}

// The counter of this name; -1: there is none.
long simulated_counter(const char *name)
{
    for (const auto &number : simulated::numbers)
        if (std::string(name) == number.name)
            return *number.value;
    return -1;
}

// "name\tcalls\tbytes" of each operator on the device, one a line; valid until the next call.
const char *simulated_operators(int device)
{
    static std::string text;
    std::lock_guard<std::mutex> lock(simulated::records_lock);
    text.clear();
    for (const auto &entry : simulated::tallies[device])
        text +=
            entry.first + "\t" + std::to_string(entry.second.calls) + "\t" + std::to_string(entry.second.bytes) + "\n";
    return text.c_str();
}

// The log, one operator a line; valid until the next call.
const char *simulated_lines()
{
    static std::string text;
    std::lock_guard<std::mutex> lock(simulated::records_lock);
    text.clear();
    for (const std::string &line : simulated::lines)
        text += line + "\n";
    return text.c_str();
}
}
