#include "gate/fields.h"

#include <stdint.h>
#include <stdio.h>

#include "gate/evidence.h"
#include "gate/jpeg.h"

/* The member's own type decides how it is read. */
#define TYPE_OF(member)                                                                                                \
    _Generic(member, int32_t: SONIC_FIELD_INT32, float: SONIC_FIELD_FLOAT, double: SONIC_FIELD_DOUBLE)
#define NUMBER(key, type, member) {key, offsetof(type, member), TYPE_OF(((type *)0)->member), NULL}
#define STRUCT(prefix, type, member, fields) {prefix, offsetof(type, member), SONIC_FIELD_STRUCT, fields}
#define END {NULL, 0, SONIC_FIELD_INT32, NULL}

/* Keys keep their words when the members are renamed: they are part of the program's interface. */

static const sonic_field votes_fields[] = {
    NUMBER("for", sonic_block_votes, supporting),
    NUMBER("against", sonic_block_votes, against),
    END,
};

static const sonic_field history_fields[] = {
    NUMBER("lattice_quality", sonic_history, strongest.quality),
    NUMBER("lattice_likelihood", sonic_history, strongest.likelihood),
    NUMBER("lattice_margin", sonic_history, strongest.margin),
    NUMBER("lattice_phase", sonic_history, strongest.grid_offset),
    NUMBER("lattice_sigma", sonic_history, strongest.sigma),
    NUMBER("lattice_turned", sonic_history, strongest.rotated_90),
    STRUCT("lattice_blocks_", sonic_history, strongest.votes, votes_fields),
    NUMBER("coarsest_quality", sonic_history, coarsest.quality),
    NUMBER("coarsest_likelihood", sonic_history, coarsest.likelihood),
    NUMBER("coarsest_phase", sonic_history, coarsest.grid_offset),
    NUMBER("coarsest_sigma", sonic_history, coarsest.sigma),
    NUMBER("coarsest_margin", sonic_history, coarsest.margin),
    STRUCT("coarsest_blocks_", sonic_history, coarsest.votes, votes_fields),
    NUMBER("custom_quality", sonic_history, custom.quality),
    NUMBER("custom_likelihood", sonic_history, custom.likelihood),
    NUMBER("custom_phase", sonic_history, custom.grid_offset),
    NUMBER("custom_modes", sonic_history, custom_modes),
    STRUCT("custom_blocks_", sonic_history, custom_votes[0], votes_fields),
    STRUCT("custom_elsewhere_", sonic_history, custom_votes[1], votes_fields),
    STRUCT("low_blocks_", sonic_history, low_votes[0], votes_fields),
    STRUCT("low_elsewhere_", sonic_history, low_votes[1], votes_fields),
    NUMBER("earlier_quality", sonic_history, primary.quality),
    NUMBER("earlier_likelihood", sonic_history, primary.likelihood),
    END,
};

static const sonic_field blockiness_fields[] = {
    NUMBER("strength", sonic_blockiness, strength), NUMBER("second", sonic_blockiness, second),
    NUMBER("chance", sonic_blockiness, chance),     NUMBER("quality", sonic_blockiness, quality),
    NUMBER("emptied", sonic_blockiness, zeroed),    END,
};

static const sonic_field period_fields[] = {
    NUMBER("comb_eight", sonic_block_period, eight),
    NUMBER("comb_other", sonic_block_period, candidate[0].evidence),
    NUMBER("comb_contrast", sonic_block_period, contrast),
    NUMBER("comb_period_px", sonic_block_period, candidate[0].period_px),
    END,
};

static const sonic_field drawn_blocks_fields[] = {
    NUMBER("blocks", sonic_drawn_blocks, count),
    NUMBER("flat", sonic_drawn_blocks, flat),
    NUMBER("repeated", sonic_drawn_blocks, repeated),
    END,
};

static const sonic_field drawn_fields[] = {
    STRUCT("", sonic_drawn, blocks, drawn_blocks_fields),
    NUMBER("periodic", sonic_drawn, periodic),
    END,
};

static const sonic_field resampled_fields[] = {
    NUMBER("period_px", sonic_resampled_grid, period_px),
    STRUCT("", sonic_resampled_grid, history.blockiness, blockiness_fields),
    STRUCT("drawn_", sonic_resampled_grid, drawn, drawn_blocks_fields),
    NUMBER("custom_quality", sonic_resampled_grid, history.custom.quality),
    NUMBER("custom_likelihood", sonic_resampled_grid, history.custom.likelihood),
    NUMBER("custom_modes", sonic_resampled_grid, history.custom_modes),
    END,
};

static const sonic_field region_fields[] = {
    NUMBER("quality", sonic_region, quality),
    NUMBER("likelihood", sonic_region, likelihood),
    NUMBER("share", sonic_region, share),
    STRUCT("blocks_", sonic_region, votes, votes_fields),
    END,
};

static const sonic_field repeated_fields[] = {
    NUMBER("factor", sonic_repeated_pixels, factor),
    NUMBER("regular", sonic_repeated_pixels, regular),
    NUMBER("contrast", sonic_repeated_pixels, contrast),
    NUMBER("variety", sonic_repeated_pixels, variety),
    END,
};

static const sonic_field sharpness_fields[] = {
    NUMBER("band_0", sonic_sharpness, band[0]),      NUMBER("band_1", sonic_sharpness, band[1]),
    NUMBER("band_2", sonic_sharpness, band[2]),      NUMBER("band_3", sonic_sharpness, band[3]),
    NUMBER("band_4", sonic_sharpness, band[4]),      NUMBER("band_5", sonic_sharpness, band[5]),
    NUMBER("band_6", sonic_sharpness, band[6]),      NUMBER("band_7", sonic_sharpness, band[7]),
    NUMBER("sector_0", sonic_sharpness, sector[0]),  NUMBER("sector_1", sonic_sharpness, sector[1]),
    NUMBER("sector_2", sonic_sharpness, sector[2]),  NUMBER("sector_3", sonic_sharpness, sector[3]),
    NUMBER("sharp_50", sonic_sharpness, ratio_50),   NUMBER("sharp_90", sonic_sharpness, ratio_90),
    NUMBER("sharp_blocks", sonic_sharpness, blocks), END,
};

static const sonic_field exposure_fields[] = {
    NUMBER("luma_mean", sonic_exposure, mean),
    NUMBER("luma_deviation", sonic_exposure, deviation),
    NUMBER("dark_share", sonic_exposure, dark_share),
    NUMBER("bright_share", sonic_exposure, bright_share),
    NUMBER("luma_low", sonic_exposure, low),
    NUMBER("luma_high", sonic_exposure, high),
    END,
};

const sonic_field sonic_evidence_fields[] = {
    NUMBER("width_px", sonic_evidence, width_px),
    NUMBER("height_px", sonic_evidence, height_px),
    STRUCT("", sonic_evidence, history, history_fields),
    STRUCT("grid_", sonic_evidence, history.blockiness, blockiness_fields),
    NUMBER("grid_phase", sonic_evidence, history.blockiness.grid_offset),
    STRUCT("", sonic_evidence, period, period_fields),
    STRUCT("resized_", sonic_evidence, resampled, resampled_fields),
    STRUCT("region_", sonic_evidence, region, region_fields),
    NUMBER("repeated_share", sonic_evidence, repeated_share),
    STRUCT("repeated_", sonic_evidence, repeated, repeated_fields),
    STRUCT("drawn_", sonic_evidence, drawn, drawn_fields),
    NUMBER("noise", sonic_evidence, sharpness.noise),
    STRUCT("", sonic_evidence, sharpness, sharpness_fields),
    STRUCT("face_", sonic_evidence, face_sharpness, sharpness_fields),
    STRUCT("", sonic_evidence, exposure, exposure_fields),
    END,
};

const sonic_field sonic_jpeg_facts_fields[] = {
    NUMBER("width_px", sonic_jpeg_facts, width_px),
    NUMBER("height_px", sonic_jpeg_facts, height_px),
    NUMBER("components", sonic_jpeg_facts, components),
    NUMBER("luma_quality", sonic_jpeg_facts, luma.quality),
    NUMBER("luma_standard", sonic_jpeg_facts, luma.standard),
    NUMBER("chroma_quality", sonic_jpeg_facts, chroma.quality),
    NUMBER("chroma_standard", sonic_jpeg_facts, chroma.standard),
    NUMBER("horizontal", sonic_jpeg_facts, horizontal),
    NUMBER("vertical", sonic_jpeg_facts, vertical),
    NUMBER("progressive", sonic_jpeg_facts, progressive),
    NUMBER("scans", sonic_jpeg_facts, scans),
    NUMBER("warnings", sonic_jpeg_facts, warnings),
    NUMBER("coefficients", sonic_jpeg_facts, coefficients),
    NUMBER("earlier_quality", sonic_jpeg_facts, primary.quality),
    NUMBER("earlier_likelihood", sonic_jpeg_facts, primary.likelihood),
    END,
};

static double number_at(const void *at, sonic_field_type type)
{
    if (type == SONIC_FIELD_INT32)
        return *(const int32_t *)at;
    return type == SONIC_FIELD_FLOAT ? (double)*(const float *)at : *(const double *)at;
}

static int visit_prefixed(const void *object, const sonic_field *fields, const char *prefix, sonic_field_fn visit,
                          void *context)
{
    int result = 0;
    for (const sonic_field *field = fields; field->key && !result; field++) {
        char key[SONIC_FIELD_KEY_MAX];
        const void *at = (const char *)object + field->offset;
        snprintf(key, sizeof key, "%s%s", prefix, field->key);
        if (field->type == SONIC_FIELD_STRUCT)
            result = visit_prefixed(at, field->fields, key, visit, context);
        else
            result = visit(key, number_at(at, field->type), context);
    }
    return result;
}

int sonic_fields_visit(const void *object, const sonic_field *fields, sonic_field_fn visit, void *context)
{
    return visit_prefixed(object, fields, "", visit, context);
}
