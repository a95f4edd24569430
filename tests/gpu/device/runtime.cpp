// The device's clock and events, device guard, and the hooks through which PyTorch knows it.
#include "simulated.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <c10/core/DeviceCapability.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

namespace simulated
{

namespace
{

using Clock = std::chrono::steady_clock;

thread_local int current = 0;
thread_local int stream_of[DEVICES] = {}; // the current one
std::atomic<int> streams_made{0};
std::atomic<long> delay_us{0}; // of one operator
// Of the clock that runs beside, for a host that is never late: an operator, and a MiB between device and host.
std::atomic<long> operator_ns{0}, mb_ns{0};
std::atomic<bool> has_bfloat16{true}, has_float16{true};
std::atomic<int> device_count{DEVICES};
std::atomic<long> works_left[DEVICES] = {{-1}, {-1}}; // operators until the device is lost; below 0: it is not

struct Arrival {
    Clock::time_point due;
    at::Tensor values, target;
};

std::mutex clock_lock;
Clock::time_point busy_until[DEVICES][STREAMS];
long clock_ns[DEVICES][STREAMS];
std::vector<Arrival> arrivals;

// Vector clocks (Mattern 1989). Of a stream: how much of each stream's work comes before what it is given next. The
// last row of a device is the host's: what it knows to be done.
struct Order {
    long after[STREAMS] = {};

    void join(const Order &other)
    {
        for (int i = 0; i < STREAMS; i++)
            after[i] = std::max(after[i], other.after[i]);
    }
};

constexpr int HOST = STREAMS;
Order orders[DEVICES][STREAMS + 1];
std::map<const void *, Order> uses; // of each block of memory, freed ones included: the last work of each stream on it

void arrive(Clock::time_point now)
{
    for (size_t i = 0; i < arrivals.size();)
        if (arrivals[i].due <= now) {
            memcpy(arrivals[i].target.mutable_data_ptr(), arrivals[i].values.const_data_ptr(),
                   arrivals[i].values.nbytes());
            arrivals.erase(arrivals.begin() + (long)i);
        } else
            i++;
}

// Whether the device is past this point of its work.
bool is_past(Clock::time_point point)
{
    std::lock_guard<std::mutex> lock(clock_lock);
    Clock::time_point now = Clock::now();
    arrive(now);
    return point <= now;
}

void wait_until(Clock::time_point point)
{
    counters.waits++;
    std::this_thread::sleep_until(point);
    is_past(point);
}

// All that was queued on the device, and its streams' clocks.
Clock::time_point end_of_work(int device, Order *order)
{
    std::lock_guard<std::mutex> lock(clock_lock);
    Clock::time_point end = busy_until[device][0];
    for (int i = 0; i < STREAMS; i++) {
        end = std::max(end, busy_until[device][i]);
        order->join(orders[device][i]);
    }
    return end;
}

// The host has seen the end of that work.
void host_knows(int device, const Order &order)
{
    std::lock_guard<std::mutex> lock(clock_lock);
    orders[device][HOST].join(order);
}

struct Event {
    Clock::time_point due;
    int device = 0;
    Order order;
    long ns = 0;
};

Event mark(const c10::Stream &stream)
{
    std::lock_guard<std::mutex> lock(clock_lock);
    int device = stream.device_index(), number = (int)stream.id();
    return {busy_until[device][number], device, orders[device][number], clock_ns[device][number]};
}

// What the stream is given from now on begins after the event.
void hold(const Event &event, const c10::Stream &stream)
{
    std::lock_guard<std::mutex> lock(clock_lock);
    int device = stream.device_index(), number = (int)stream.id();
    busy_until[device][number] = std::max(busy_until[device][number], event.due);
    if (event.device != device)
        return;
    orders[device][number].join(event.order);
    clock_ns[device][number] = std::max(clock_ns[device][number], event.ns);
}

c10::Stream numbered(int device, int number)
{
    return c10::Stream(c10::Stream::UNSAFE, c10::Device(KIND, (c10::DeviceIndex)device), number);
}

struct Guard final : c10::impl::DeviceGuardImplInterface {
    static constexpr c10::DeviceType static_type = KIND;
    Guard() = default;
    explicit Guard(c10::DeviceType) {}
    c10::DeviceType type() const override { return KIND; }
    c10::Device exchangeDevice(c10::Device device) const override
    {
        c10::Device before = getDevice();
        setDevice(device);
        return before;
    }
    c10::Device getDevice() const override { return {KIND, (c10::DeviceIndex)current}; }
    void setDevice(c10::Device device) const override
    {
        TORCH_CHECK(device.index() < device_count, "simulated GPU: invalid device ordinal");
        uncheckedSetDevice(device);
    }
    void uncheckedSetDevice(c10::Device device) const noexcept override
    {
        current = device.index() >= 0 ? device.index() : current;
    }
    c10::Stream getStream(c10::Device device) const override
    {
        int index = device.has_index() ? device.index() : current;
        return numbered(index, stream_of[index]);
    }
    c10::Stream getDefaultStream(c10::Device device) const override { return numbered(device.index(), 0); }
    c10::Stream getNewStream(c10::Device device, int) const override
    {
        return numbered(device.has_index() ? device.index() : current, 1 + streams_made++ % (STREAMS - 1));
    }
    c10::Stream exchangeStream(c10::Stream stream) const override
    {
        c10::Stream before = getStream(stream.device());
        stream_of[stream.device_index()] = (int)stream.id();
        return before;
    }
    c10::DeviceIndex deviceCount() const noexcept override { return (c10::DeviceIndex)device_count.load(); }
    c10::DeviceCapability getDeviceCapability(c10::Device) const override
    {
        c10::DeviceCapability found;
        found.capability_data.supported_scalar_types.has_BFloat16 = has_bfloat16;
        found.capability_data.supported_scalar_types.has_Half = has_float16;
        return found;
    }
    void destroyEvent(void *event, c10::DeviceIndex) const noexcept override { delete (Event *)event; }
    void record(void **event, const c10::Stream &stream, c10::DeviceIndex, c10::EventFlag) const override
    {
        if (!*event)
            *event = new Event{};
        *(Event *)*event = mark(stream);
    }
    void block(void *event, const c10::Stream &stream) const override
    {
        if (event)
            check_not_lost(stream.device_index()), hold(*(Event *)event, stream);
    }
    bool queryEvent(void *event) const override
    {
        if (!event)
            return true;
        const Event &asked = *(Event *)event;
        check_not_lost(asked.device);
        bool past = is_past(asked.due);
        if (past)
            host_knows(asked.device, asked.order);
        return past;
    }
    void synchronizeEvent(void *event) const override
    {
        wait_until(((Event *)event)->due);
        host_knows(((Event *)event)->device, ((Event *)event)->order);
    }
    bool queryStream(const c10::Stream &stream) const override
    {
        Event end = mark(stream);
        return queryEvent(&end);
    }
    void synchronizeStream(const c10::Stream &stream) const override { wait_for(stream.device_index()); }
    void synchronizeDevice(c10::DeviceIndex device) const override { wait_for(device); }
};

C10_REGISTER_GUARD_IMPL(PrivateUse1, Guard)

struct Hooks final : at::PrivateUse1HooksInterface {
    bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
    void init() const override {}
    bool isBuilt() const override { return true; }
    bool isAvailable() const override { return device_count > 0; }
    c10::DeviceIndex deviceCount() const override { return (c10::DeviceIndex)device_count.load(); }
    c10::DeviceIndex getCurrentDevice() const override { return (c10::DeviceIndex)current; }
    void setCurrentDevice(c10::DeviceIndex device) const override { current = device; }
    bool isPinnedPtr(const void *memory) const override { return is_pinned(memory); }
    c10::Allocator *getPinnedMemoryAllocator() const override { return pinned_allocator(); }
};

} // namespace

int current_device() { return current; }

void register_hooks()
{
    static Hooks hooks;
    at::RegisterPrivateUse1HooksInterface(&hooks);
}

void check_not_lost(int device) { TORCH_CHECK(works_left[device] != 0, "CUDA error: unspecified launch failure"); }

void meet(int device, int other)
{
    std::lock_guard<std::mutex> lock(clock_lock);
    Clock::time_point &here = busy_until[device][stream_of[device]], &there = busy_until[other][stream_of[other]];
    here = there = std::max(here, there);
}

static void work(int device, long ns)
{
    check_not_lost(device);
    if (works_left[device] > 0)
        works_left[device]--;
    std::lock_guard<std::mutex> lock(clock_lock);
    int stream = stream_of[device];
    clock_ns[device][stream] += ns;
    if (long us = delay_us)
        busy_until[device][stream] = std::max(busy_until[device][stream], Clock::now()) + std::chrono::microseconds(us);
}

void begin_work(int device) { work(device, operator_ns); }

void begin_copy(int device, long long bytes) { work(device, (long)(bytes * mb_ns >> 20)); }

void use(const at::Tensor &x)
{
    if (!on_device(x) || !x.numel())
        return;
    int device = x.device().index(), stream = stream_of[device];
    std::lock_guard<std::mutex> lock(clock_lock);
    Order &last = uses[x.storage().data()], &now = orders[device][stream];
    now.join(orders[device][HOST]);
    for (int i = 0; i < STREAMS; i++)
        if (i != stream && last.after[i] > now.after[i]) {
            counters.unordered++;
            break;
        }
    last.after[stream] = ++now.after[stream];
}

static void finish(int device)
{
    Order order;
    wait_until(end_of_work(device, &order));
    host_knows(device, order);
}

void wait_for(int device)
{
    check_not_lost(device);
    finish(device);
}

void copy_later(int device, const at::Tensor &source, const at::Tensor &target)
{
    at::Tensor values = source.to(target.scalar_type()).clone(at::MemoryFormat::Contiguous);
    memset(target.mutable_data_ptr(), 0xff, target.nbytes());
    std::lock_guard<std::mutex> lock(clock_lock);
    arrivals.push_back({busy_until[device][stream_of[device]], values, target});
}

} // namespace simulated

extern "C" {

void simulated_delay(long us)
{
    simulated::delay_us = us;
    if (!us)
        for (int i = 0; i < simulated::DEVICES; i++)
            simulated::finish(i);
}

// Sets the clock to 0 on all devices.
void simulated_clock(long ns_of_operator, long ns_of_mb)
{
    std::lock_guard<std::mutex> lock(simulated::clock_lock);
    simulated::operator_ns = ns_of_operator, simulated::mb_ns = ns_of_mb;
    for (auto &device : simulated::clock_ns)
        for (long &ns : device)
            ns = 0;
}

// When the device has done all that it was given.
long simulated_clock_ns(int device)
{
    std::lock_guard<std::mutex> lock(simulated::clock_lock);
    return *std::max_element(simulated::clock_ns[device], simulated::clock_ns[device] + simulated::STREAMS);
}

void simulated_types(int float16, int bfloat16)
{
    simulated::has_float16 = float16 != 0;
    simulated::has_bfloat16 = bfloat16 != 0;
}

void simulated_devices(int count) { simulated::device_count = count; }

// The device is lost after so many more operators; below 0: it is there again.
void simulated_lose(int device, long operators) { simulated::works_left[device] = operators; }

int simulated_device_count() { return simulated::device_count; }

int simulated_current() { return simulated::current; }

void simulated_set_current(int device) { simulated::current = device; }
}
