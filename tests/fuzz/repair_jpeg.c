/* Repair from a file's coefficients, from any bytes. */
#include "fuzz.h"
#include "gate/jpeg.h"
#include "repair/jpeg.h"

#define PIXELS_MAX (512 * 512) /* larger ones only take longer */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    sonic_jpeg_facts facts;
    if (sonic_jpeg_read(&facts, bytes, size, 0) != SONIC_OK || (int64_t)facts.width_px * facts.height_px > PIXELS_MAX)
        return 0;
    const ptrdiff_t stride = 3 * facts.width_px;
    sonic_image rgb = {malloc((size_t)(stride * facts.height_px)), facts.width_px, facts.height_px, 3, stride};
    SONIC_FUZZ_EXPECT(rgb.data);
    sonic_status status = sonic_repair_jpeg(rgb, bytes, size);
    SONIC_FUZZ_EXPECT(status == SONIC_OK || *sonic_last_error());
    free(rgb.data);
    return 0;
}
