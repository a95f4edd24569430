/* The path of pixels: all evidence, from any picture. */
#include <math.h>

#include "gate/evidence.h"
#include "picture.h"

static const sonic_likelihood *tables(void)
{
    static sonic_likelihood *made;
    if (!made)
        SONIC_FUZZ_EXPECT(sonic_likelihood_create(&made) == SONIC_OK);
    return made;
}

static void check_evidence(const sonic_evidence *e)
{
#define CHECK_FINITE(name) SONIC_FUZZ_EXPECT(isfinite(e->name));
    SONIC_EVIDENCE_FIELDS(CHECK_FINITE)
#undef CHECK_FINITE
    SONIC_FUZZ_EXPECT(e->repeated_share >= 0 && e->repeated_share <= 1 && e->region_share >= 0 && e->region_share <= 1);
    SONIC_FUZZ_EXPECT(e->coarsest_quality >= 0 && e->coarsest_quality <= 100);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_picture picture;
    if (!fuzz_picture_make(&picture, bytes, size))
        return 0;
    sonic_evidence evidence;
    uint8_t *heat = malloc((size_t)(picture.image.width_px / 32 * (picture.image.height_px / 32)) + 1);
    SONIC_FUZZ_EXPECT(heat && sonic_evidence_read(&evidence, tables(), picture.image, picture.face, heat) == SONIC_OK);
    check_evidence(&evidence);
    free(heat);
    free(picture.image.data);
    return 0;
}
