#include "watermark/payload_code.h"

enum { STATES = 256, REGISTERS = 512 };

static const uint32_t generators[SONIC_CODE_RATE] = {0765, 0671, 0513, 0473};

static uint32_t checksum(uint32_t payload)
{
    uint32_t crc = 0xFFFF;
    for (int bit = 31; bit >= 0; bit--) {
        const uint32_t feedback = (crc >> 15 ^ payload >> bit) & 1;
        crc = (crc << 1 & 0xFFFF) ^ (feedback ? 0x1021u : 0u);
    }
    return crc;
}

/* Of the lowest 9 bits. */
static uint32_t parity(uint32_t x)
{
    x ^= x >> 8, x ^= x >> 4, x ^= x >> 2, x ^= x >> 1;
    return x & 1;
}

static float symbol_of(uint32_t reg, int i) { return parity(reg & generators[i]) ? -1.0f : 1.0f; }

void sonic_payload_encode(float symbols[SONIC_CODE_SYMBOLS], uint32_t payload)
{
    const uint64_t message = (uint64_t)payload << 16 | checksum(payload);
    uint32_t reg = 0;
    for (int step = 0; step < SONIC_PAYLOAD_STEPS; step++) {
        const uint32_t bit = step < SONIC_PAYLOAD_BITS ? (uint32_t)(message >> (SONIC_PAYLOAD_BITS - 1 - step)) & 1 : 0;
        reg = (reg << 1 | bit) & (REGISTERS - 1);
        for (int i = 0; i < SONIC_CODE_RATE; i++)
            symbols[step * SONIC_CODE_RATE + i] = symbol_of(reg, i);
    }
}

/* One step of the trellis: a register is the state before it, shifted, and the new bit; its low 8 bits are the state
 * after it. `from` keeps the bit that left the register. */
static void advance(float after[STATES], uint8_t from[STATES], const float before[STATES], const float *symbols)
{
    for (uint32_t state = 0; state < STATES; state++) {
        float best = 0;
        for (uint32_t old = 0; old < 2; old++) {
            const uint32_t reg = state | old << 8;
            float metric = before[reg >> 1];
            for (int i = 0; i < SONIC_CODE_RATE; i++)
                metric += symbols[i] * symbol_of(reg, i);
            if (old == 0 || metric > best)
                best = metric, from[state] = (uint8_t)old;
        }
        after[state] = best;
    }
}

bool sonic_payload_decode(uint32_t *payload, const float symbols[SONIC_CODE_SYMBOLS])
{
    float metrics[2][STATES];
    uint8_t from[SONIC_PAYLOAD_STEPS][STATES];
    for (int state = 0; state < STATES; state++)
        metrics[0][state] = state == 0 ? 0.0f : -1e30f;
    for (int step = 0; step < SONIC_PAYLOAD_STEPS; step++)
        advance(metrics[(step + 1) & 1], from[step], metrics[step & 1], symbols + step * SONIC_CODE_RATE);
    uint64_t message = 0; /* read backwards from state 0, where the zeros end */
    uint32_t state = 0;
    for (int step = SONIC_PAYLOAD_STEPS - 1; step >= 0; step--) {
        if (step < SONIC_PAYLOAD_BITS)
            message |= (uint64_t)(state & 1) << (SONIC_PAYLOAD_BITS - 1 - step);
        state = (state | (uint32_t)from[step][state] << 8) >> 1;
    }
    *payload = (uint32_t)(message >> 16);
    return checksum(*payload) == (uint32_t)(message & 0xFFFF);
}
