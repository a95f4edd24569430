// The device's clock and events, device guard, and the hooks through which PyTorch knows it.
#include "simulated.h"

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
std::atomic<long> delay_us{0}; // of one operator
std::atomic<bool> has_bfloat16{true}, has_float16{true};
std::atomic<int> device_count{DEVICES};
std::atomic<long> works_left[DEVICES] = {{-1}, {-1}}; // operators until the device is lost; below 0: it is not

struct Arrival {
    int device;
    Clock::time_point due;
    at::Tensor values, target;
};

std::mutex clock_lock;
Clock::time_point busy_until[DEVICES];
std::vector<Arrival> arrivals;

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

Clock::time_point end_of_work(int device)
{
    std::lock_guard<std::mutex> lock(clock_lock);
    return busy_until[device];
}

struct Event {
    Clock::time_point due;
    int device = 0;
};

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
    c10::Stream getStream(c10::Device device) const override { return c10::Stream(c10::Stream::DEFAULT, device); }
    c10::Stream getDefaultStream(c10::Device device) const override { return getStream(device); }
    c10::Stream exchangeStream(c10::Stream stream) const override { return getStream(stream.device()); }
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
        *(Event *)*event = {end_of_work(stream.device_index()), stream.device_index()};
    }
    void block(void *, const c10::Stream &) const override {} // one stream a device: in order already
    bool queryEvent(void *event) const override
    {
        if (event)
            check_not_lost(((Event *)event)->device);
        return !event || is_past(((Event *)event)->due);
    }
    void synchronizeEvent(void *event) const override { wait_until(((Event *)event)->due); }
    bool queryStream(const c10::Stream &stream) const override { return is_past(end_of_work(stream.device_index())); }
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
    busy_until[device] = busy_until[other] = std::max(busy_until[device], busy_until[other]);
}

void begin_work(int device)
{
    check_not_lost(device);
    if (works_left[device] > 0)
        works_left[device]--;
    long us = delay_us;
    if (!us)
        return;
    std::lock_guard<std::mutex> lock(clock_lock);
    busy_until[device] = std::max(busy_until[device], Clock::now()) + std::chrono::microseconds(us);
}

void wait_for(int device)
{
    check_not_lost(device);
    wait_until(end_of_work(device));
}

void copy_later(int device, const at::Tensor &source, const at::Tensor &target)
{
    at::Tensor values = source.to(target.scalar_type()).clone(at::MemoryFormat::Contiguous);
    memset(target.mutable_data_ptr(), 0xff, target.nbytes());
    std::lock_guard<std::mutex> lock(clock_lock);
    arrivals.push_back({device, busy_until[device], values, target});
}

} // namespace simulated

extern "C" {

void simulated_delay(long us)
{
    simulated::delay_us = us;
    if (!us)
        for (int i = 0; i < simulated::DEVICES; i++)
            simulated::wait_until(simulated::end_of_work(i));
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
