/* All evidence, from any image. */
#include <math.h>

#include "gate/evidence.h"
#include "gate/fields.h"
#include "gate/quality.h"
#include "picture.h"

static const sonic_likelihood *tables(void)
{
    static sonic_likelihood *made;
    if (!made)
        SONIC_FUZZ_EXPECT(sonic_likelihood_create(&made) == SONIC_OK);
    return made;
}

static int check_finite(const char *key, double value, void *context)
{
    (void)key, (void)context;
    SONIC_FUZZ_EXPECT(isfinite(value));
    return 0;
}

static void check_evidence(const sonic_evidence *e)
{
    sonic_fields_visit(e, sonic_evidence_fields, check_finite, NULL);
    SONIC_FUZZ_EXPECT(e->repeated_share >= 0 && e->repeated_share <= 1 && e->region.share >= 0 && e->region.share <= 1);
    SONIC_FUZZ_EXPECT(e->history.coarsest.quality >= 0 && e->history.coarsest.quality <= SONIC_QUALITY_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_picture picture;
    if (!fuzz_picture_make(&picture, bytes, size))
        return 0;
    sonic_evidence evidence;
    uint8_t *heat = malloc((size_t)(picture.image.width_px / 32 * (picture.image.height_px / 32)) + 1);
    sonic_image alpha = picture.image; /* any bytes will do */
    alpha.channels = 1;
    SONIC_FUZZ_EXPECT(heat &&
                      sonic_evidence_read(&evidence, tables(), picture.image, alpha, picture.face, heat) == SONIC_OK);
    check_evidence(&evidence);
    free(heat);
    free(picture.image.data);
    return 0;
}
