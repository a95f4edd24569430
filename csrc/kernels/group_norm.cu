// Group normalisation of channels-last activations, with a bias before it and SiLU after it. See arguments.h.
//
// Two kernels, since a group's statistics need all of an image: the first sums chunks of tokens, the second adds the
// chunks' sums in order, so results do not depend on the card. Threads own pairs of channels, so reads are coalesced.
// Sums are of differences from one value of the group: squares of numbers far from zero would cancel.
#include "kernels/portable.h"

KERNEL(group_norm_sums, group_norm_arguments)
{
    SHARED float sum[KERNEL_MAX_CHANNELS / 2], squares[KERNEL_MAX_CHANNELS / 2];
    int pairs = a.channels / 2, width = a.channels / a.groups;
    int rows = pairs < KERNEL_THREADS ? KERNEL_THREADS / pairs : 1; // of tokens, side by side
    long long image = BLOCK_Y * a.tokens * a.channels, first = BLOCK_X * a.chunk_tokens, last = first + a.chunk_tokens;
    last = last < a.tokens ? last : a.tokens;
    THREADS
    {
        for (int slot = thread; slot < rows * pairs; slot += KERNEL_THREADS) {
            int channel = slot % pairs * 2;
            number_pair shift = load_pair(a.x, image + channel / width * width), before = {0, 0};
            if (a.before)
                before = load_pair(a.before, channel);
            number_pair s = {0, 0}, q = {0, 0};
            for (long long t = first + slot / pairs; t < last; t += rows) {
                number_pair v = load_pair(a.x, image + t * a.channels + channel);
                v.x += before.x - shift.x, v.y += before.y - shift.x;
                s.x += v.x, s.y += v.y, q.x += v.x * v.x, q.y += v.y * v.y;
            }
            sum[slot] = s.x + s.y, squares[slot] = q.x + q.y;
        }
    }
    BARRIER();
    THREADS
    {
        for (int group = thread; group < a.groups; group += KERNEL_THREADS) {
            float s = 0, q = 0;
            for (int i = 0; i < rows * width / 2; i++) {
                int slot = i / (width / 2) * pairs + group * width / 2 + i % (width / 2);
                s += sum[slot], q += squares[slot];
            }
            float *out = a.sums + ((BLOCK_Y * a.chunks + BLOCK_X) * a.groups + group) * 2;
            out[0] = s, out[1] = q;
        }
    }
}

KERNEL(group_norm_apply, group_norm_arguments)
{
    SHARED float sum[KERNEL_THREADS], squares[KERNEL_THREADS], mean[KERNEL_THREADS], scale[KERNEL_THREADS];
    int pairs = a.channels / 2, width = a.channels / a.groups, parts = KERNEL_THREADS / a.groups;
    int rows = pairs < KERNEL_THREADS ? KERNEL_THREADS / pairs : 1;
    long long image = BLOCK_Y * a.tokens * a.channels, first = BLOCK_X * a.chunk_tokens, last = first + a.chunk_tokens;
    last = last < a.tokens ? last : a.tokens;
    THREADS
    {
        if (thread < parts * a.groups) {
            float s = 0, q = 0;
            for (int chunk = thread / a.groups; chunk < a.chunks; chunk += parts) {
                const float *in = a.sums + ((BLOCK_Y * a.chunks + chunk) * a.groups + thread % a.groups) * 2;
                s += in[0], q += in[1];
            }
            sum[thread] = s, squares[thread] = q;
        }
    }
    BARRIER();
    THREADS
    {
        if (thread < a.groups) {
            float s = 0, q = 0, count = (float)a.tokens * (float)width;
            for (int part = 0; part < parts; part++)
                s += sum[part * a.groups + thread], q += squares[part * a.groups + thread];
            s /= count;
            float variance = q / count - s * s;
            mean[thread] = s + load_pair(a.x, image + thread * width).x;
            scale[thread] = 1.0f / sqrtf((variance < 0 ? 0 : variance) + a.epsilon); // NaN stays NaN
        }
    }
    BARRIER();
    THREADS
    {
        for (int slot = thread; slot < rows * pairs; slot += KERNEL_THREADS) {
            int channel = slot % pairs * 2, group = channel / width;
            number_pair factor = load_pair(a.weight, channel), offset = load_pair(a.bias, channel), before = {0, 0};
            if (a.before)
                before = load_pair(a.before, channel);
            before.x -= mean[group], before.y -= mean[group];
            factor.x *= scale[group], factor.y *= scale[group];
            for (long long t = first + slot / pairs; t < last; t += rows) {
                long long at = image + t * a.channels + channel;
                number_pair v = load_pair(a.x, at);
                v.x = (v.x + before.x) * factor.x + offset.x, v.y = (v.y + before.y) * factor.y + offset.y;
                if (a.silu)
                    v.x = silu(v.x), v.y = silu(v.y);
                store_pair(a.out, at, v);
            }
        }
    }
}
