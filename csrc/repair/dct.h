/* dct.h - the 8-point DCT of one lane; loops over lanes vectorise.
 *
 * The flow graph of C. Loeffler, A. Ligtenberg, G. Moschytz, "Practical fast 1-D DCT algorithms with 11
 * multiplications", ICASSP 1989. Values are sqrt(8) times those of the orthonormal transform in both directions:
 * forward and inverse together multiply by 8. */
#ifndef SONIC_REPAIR_DCT_H
#define SONIC_REPAIR_DCT_H

typedef struct sonic_eight {
    float v[8];
} sonic_eight;

/* Frequencies 0..7 of samples 0..7. */
static inline sonic_eight sonic_dct_forward(const sonic_eight in)
{
    const float s0 = in.v[0] + in.v[7], s1 = in.v[1] + in.v[6], s2 = in.v[2] + in.v[5], s3 = in.v[3] + in.v[4];
    const float d0 = in.v[0] - in.v[7], d1 = in.v[1] - in.v[6], d2 = in.v[2] - in.v[5], d3 = in.v[3] - in.v[4];
    const float e0 = s0 + s3, e1 = s1 + s2, e2 = s0 - s3, e3 = s1 - s2;
    const float r = (e2 + e3) * 0.541196100f;
    const float rotation = ((d3 + d1) + (d2 + d0)) * 1.175875602f;
    const float z1 = (d3 + d0) * -0.899976223f, z2 = (d2 + d1) * -2.562915447f;
    const float z3 = (d3 + d1) * -1.961570560f + rotation, z4 = (d2 + d0) * -0.390180644f + rotation;
    const sonic_eight out = {{e0 + e1, d0 * 1.501321110f + z1 + z4, r + e2 * 0.765366865f, d1 * 3.072711026f + z2 + z3,
                              e0 - e1, d2 * 2.053119869f + z2 + z4, r - e3 * 1.847759065f,
                              d3 * 0.298631336f + z1 + z3}};
    return out;
}

/* Samples 0..7 of frequencies 0..7: the same graph backwards. */
static inline sonic_eight sonic_dct_inverse(const sonic_eight in)
{
    const float r = (in.v[2] + in.v[6]) * 0.541196100f;
    const float e2 = r + in.v[2] * 0.765366865f, e3 = r - in.v[6] * 1.847759065f;
    const float a = in.v[0] + in.v[4], b = in.v[0] - in.v[4];
    const float s0 = a + e2, s3 = a - e2, s1 = b + e3, s2 = b - e3;
    const float rotation = ((in.v[7] + in.v[3]) + (in.v[5] + in.v[1])) * 1.175875602f;
    const float z1 = (in.v[7] + in.v[1]) * -0.899976223f, z2 = (in.v[5] + in.v[3]) * -2.562915447f;
    const float z3 = (in.v[7] + in.v[3]) * -1.961570560f + rotation,
                z4 = (in.v[5] + in.v[1]) * -0.390180644f + rotation;
    const float d3 = in.v[7] * 0.298631336f + z1 + z3, d2 = in.v[5] * 2.053119869f + z2 + z4;
    const float d1 = in.v[3] * 3.072711026f + z2 + z3, d0 = in.v[1] * 1.501321110f + z1 + z4;
    const sonic_eight out = {{s0 + d0, s1 + d1, s2 + d2, s3 + d3, s3 - d3, s2 - d2, s1 - d1, s0 - d0}};
    return out;
}

#endif
