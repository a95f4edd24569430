/* Container and coefficients of a JPEG file, from any bytes. */
#include <math.h>

#include "fuzz.h"
#include "gate/jpeg.h"
#include "gate/jpeg_reader.h"

static void check_facts(const sonic_jpeg_facts *f)
{
    SONIC_FUZZ_EXPECT(f->width_px > 0 && f->height_px > 0 &&
                      (int64_t)f->width_px * f->height_px <= SONIC_JPEG_PIXELS_MAX);
    SONIC_FUZZ_EXPECT(f->luma.quality >= 0 && f->luma.quality <= SONIC_QUALITY_MAX);
    SONIC_FUZZ_EXPECT(f->chroma.quality >= 0 && f->chroma.quality <= SONIC_QUALITY_MAX);
    SONIC_FUZZ_EXPECT(f->primary.quality >= 0 && f->primary.quality <= SONIC_QUALITY_MAX &&
                      isfinite(f->primary.likelihood));
    SONIC_FUZZ_EXPECT(f->warnings >= 0 && f->scans <= SONIC_JPEG_SCANS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    sonic_jpeg_facts headers, all;
    sonic_status one = sonic_jpeg_read(&headers, bytes, size, 0), two = sonic_jpeg_read(&all, bytes, size, 1);
    if (one == SONIC_OK)
        check_facts(&headers);
    if (two != SONIC_OK)
        return 0;
    check_facts(&all);
    SONIC_FUZZ_EXPECT(one == SONIC_OK && headers.width_px == all.width_px && headers.luma.quality == all.luma.quality);
    return 0;
}
