// Device memory: addresses, the allocator with a limit and both of CUDA's out-of-memory texts, pinned host memory.
#include "simulated.h"

#include <cstring>

#include <c10/core/CachingDeviceAllocator.h>
#include <sys/mman.h>

namespace simulated
{

namespace
{

constexpr size_t SPACE = size_t(1) << 38;     // bytes of addresses of a device
constexpr size_t CAPACITY = size_t(24) << 30; // what the device says it has
constexpr size_t PAGE = 4096, LARGE = 1 << 20;

struct Arena {
    char *device = nullptr, *host = nullptr;
    size_t top = PAGE, live = 0, peak = 0, limit = 0; // limit 0: CAPACITY
    std::multimap<size_t, size_t> freed;              // size -> offset
    long allocations = 0, fail_at = 0, fail_count = 0, out_of_memory = 0;
};

Arena arenas[DEVICES];
std::mutex memory_lock;
std::atomic<bool> async_text{false};

char *map_space(int rights)
{
    void *at = mmap(nullptr, SPACE, rights, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    TORCH_CHECK(at != MAP_FAILED, "simulated GPU: this process may not map 1 TB of addresses (ulimit -v)");
    return (char *)at;
}

int device_of(const void *address)
{
    for (int i = 0; i < DEVICES; i++)
        if (arenas[i].device && (char *)address >= arenas[i].device && (char *)address < arenas[i].device + SPACE)
            return i;
    return -1;
}

// As c10/cuda/CUDACachingAllocator.cpp and CUDAMallocAsyncAllocator.cpp write them. The second prints the device's
// index, an int8_t, as a character: with device 0 the text ends there for everything that reads a C string.
[[noreturn]] void fail_for_memory(Arena &arena, int device, size_t bytes)
{
    c10::DeviceIndex index = (c10::DeviceIndex)device;
    arena.out_of_memory++;
    counters.refused++;
    TORCH_CHECK_WITH(OutOfMemoryError, !async_text, "Allocation on device ", index, " would exceed allowed memory. ",
                     "(out of memory)\nCurrently allocated     : 1.00 GiB\nRequested               : 2.00 MiB");
    TORCH_CHECK_WITH(OutOfMemoryError, false, "CUDA out of memory. Tried to allocate ", bytes >> 20, ".00 MiB. GPU ",
                     (int)index, " has a total capacity of 1.00 GiB of which 0 bytes is free.");
    abort();
}

void check_room(Arena &arena, int device, size_t size)
{
    long number = ++arena.allocations;
    bool planted = arena.fail_at && number >= arena.fail_at && number < arena.fail_at + arena.fail_count;
    if (planted || arena.live + size > (arena.limit ? arena.limit : CAPACITY))
        fail_for_memory(arena, device, size);
}

size_t take_offset(Arena &arena, size_t *size)
{
    auto found = arena.freed.lower_bound(*size);
    size_t offset = arena.top;
    if (found != arena.freed.end() && found->first <= *size + *size / 8) {
        *size = found->first, offset = found->second;
        arena.freed.erase(found);
    } else {
        arena.top += *size;
        TORCH_CHECK(arena.top < SPACE, "simulated GPU: its addresses are used up");
    }
    return offset;
}

struct Block {
    int device;
    size_t offset, size, asked; // size: of its addresses, which may be those of a larger one before
};

void release(void *context)
{
    auto *block = (Block *)context;
    std::lock_guard<std::mutex> lock(memory_lock);
    Arena &arena = arenas[block->device];
    arena.freed.emplace(block->size, block->offset);
    arena.live -= block->asked;
    if (block->size > LARGE)
        madvise(arena.host + block->offset, block->size, MADV_DONTNEED);
    delete block;
}

struct DeviceMemory final : c10::DeviceAllocator {
    at::DataPtr allocate(size_t bytes) override
    {
        std::lock_guard<std::mutex> lock(memory_lock);
        int device = current_device();
        Arena &arena = arenas[device];
        size_t size = (bytes + PAGE - 1) / PAGE * PAGE + PAGE; // an address behind each block belongs to none
        check_room(arena, device, size);
        size_t asked = size, offset = take_offset(arena, &size);
        arena.live += asked;
        arena.peak = std::max(arena.peak, arena.live);
        return {arena.device + offset, new Block{device, offset, size, asked}, &release,
                at::Device(KIND, (c10::DeviceIndex)device)};
    }
    at::DeleterFnPtr raw_deleter() const override { return nullptr; }
    void copy_data(void *to, const void *from, std::size_t bytes) const override
    {
        memcpy(host_address(to), host_address(from), bytes);
    }
    bool initialized() override { return true; }
    void emptyCache(c10::MempoolId_t) override { counters.cache_clearings++; }
    void recordStream(const c10::DataPtr &, c10::Stream) override {}
    c10::CachingDeviceAllocator::DeviceStats getDeviceStats(c10::DeviceIndex device) override
    {
        std::lock_guard<std::mutex> lock(memory_lock);
        c10::CachingDeviceAllocator::DeviceStats stats;
        stats.allocated_bytes[0].current = stats.reserved_bytes[0].current = (int64_t)arenas[device].live;
        stats.num_ooms = async_text ? 0 : arenas[device].out_of_memory; // CUDA's other allocator does not count
        return stats;
    }
    void resetAccumulatedStats(c10::DeviceIndex) override {}
    void resetPeakStats(c10::DeviceIndex) override {}
    std::pair<size_t, size_t> getMemoryInfo(c10::DeviceIndex device) override
    {
        std::lock_guard<std::mutex> lock(memory_lock);
        const Arena &arena = arenas[device];
        size_t all = arena.limit ? arena.limit : CAPACITY;
        return {all > arena.live ? all - arena.live : 0, CAPACITY};
    }
};

DeviceMemory device_memory;

std::map<const char *, size_t> pinned_blocks; // by address
std::mutex pinned_lock;

void release_pinned(void *block)
{
    std::lock_guard<std::mutex> lock(pinned_lock);
    pinned_blocks.erase((const char *)block);
    free(block);
}

struct PinnedMemory final : c10::Allocator {
    at::DataPtr allocate(size_t bytes) override
    {
        void *block = malloc(bytes + 64);
        TORCH_CHECK(block, "simulated GPU: no pinned memory");
        std::lock_guard<std::mutex> lock(pinned_lock);
        pinned_blocks[(const char *)block] = bytes + 64;
        counters.pinned++;
        return {block, block, &release_pinned, at::Device(at::kCPU)};
    }
    at::DeleterFnPtr raw_deleter() const override { return &release_pinned; }
    void copy_data(void *to, const void *from, std::size_t bytes) const override { memcpy(to, from, bytes); }
};

PinnedMemory pinned_memory;

} // namespace

c10::Allocator *const allocator = &device_memory;

REGISTER_ALLOCATOR(KIND, &device_memory)

void map_addresses()
{
    for (Arena &arena : arenas)
        if (!arena.device)
            arena.device = map_space(PROT_NONE), arena.host = map_space(PROT_READ | PROT_WRITE);
}

void *host_address(const void *address)
{
    int device = device_of(address);
    TORCH_CHECK(!address || device >= 0, "simulated GPU: not an address of a device");
    return address ? arenas[device].host + ((char *)address - arenas[device].device) : nullptr;
}

bool is_pinned(const void *memory)
{
    std::lock_guard<std::mutex> lock(pinned_lock);
    auto found = pinned_blocks.upper_bound((const char *)memory);
    return found != pinned_blocks.begin() && (--found, (const char *)memory < found->first + found->second);
}

c10::Allocator *pinned_allocator() { return &pinned_memory; }

} // namespace simulated

extern "C" {

using simulated::arenas;

// Where the values at a device address lie; nullptr for nullptr.
void *simulated_host_address(const void *device_address) { return simulated::host_address(device_address); }

long long simulated_live(int device) { return (long long)arenas[device].live; }

long long simulated_peak(int device) { return (long long)arenas[device].peak; }

long simulated_allocations(int device) { return arenas[device].allocations; }

void simulated_reset_peaks()
{
    for (auto &arena : arenas)
        arena.peak = arena.live, arena.allocations = 0;
}

// bytes 0: the whole device. is_async: with the text of cudaMallocAsync's allocator.
void simulated_limit(int device, long long bytes, int is_async)
{
    arenas[device].limit = (size_t)bytes;
    simulated::async_text = is_async != 0;
}

// From now on, `count` allocations from number `first` on (1: the next) fail; 0: none.
void simulated_fail_allocations(int device, long first, long count, int is_async)
{
    arenas[device].fail_at = first ? arenas[device].allocations + first : 0;
    arenas[device].fail_count = count;
    simulated::async_text = is_async != 0;
}
}
