#include "draft/render/rig.h"

#include <stdlib.h>
#include <string.h>

#include "draft/render/rig_internal.h"

enum { SMALLEST_SIDE_PX = 16, LARGEST_SIDE_PX = 8192 };

static sonic_status check_image(sonic_image image)
{
    if (image.channels != 3)
        return sonic_fail(SONIC_ERROR_SHAPE, "Give the portrait as [height, width, 3] RGB. It has %d channels",
                          image.channels);
    int32_t small = image.width_px < image.height_px ? image.width_px : image.height_px;
    int32_t large = image.width_px < image.height_px ? image.height_px : image.width_px;
    if (small < SMALLEST_SIDE_PX || large > LARGEST_SIDE_PX)
        return sonic_fail(SONIC_ERROR_SHAPE, "Give a portrait of %d to %d pixels a side. It has %d x %d",
                          SMALLEST_SIDE_PX, LARGEST_SIDE_PX, image.width_px, image.height_px);
    return SONIC_OK;
}

static sonic_status copy_image(sonic_draft_rig *rig, sonic_image image)
{
    size_t width = (size_t)image.width_px, height = (size_t)image.height_px;
    sonic_texture *t = &rig->texture;
    t->width = image.width_px, t->height = image.height_px;
    t->stride = (ptrdiff_t)(4 * (width + 2 * SONIC_TEXTURE_BORDER));
    rig->image = malloc(width * height * 3);
    t->pixels = malloc((size_t)t->stride * (height + 2 * SONIC_TEXTURE_BORDER) * sizeof(float));
    if (!rig->image || !t->pixels)
        return sonic_fail(SONIC_ERROR_MEMORY, "Use a smaller picture: there is no memory for %d x %d px",
                          image.width_px, image.height_px);
    for (size_t y = 0; y < height; y++)
        memcpy(rig->image + y * width * 3, image.data + (ptrdiff_t)y * image.stride, width * 3);
    for (int32_t y = -SONIC_TEXTURE_BORDER; y < t->height + SONIC_TEXTURE_BORDER; y++) {
        int32_t from_y = sonic_clamp_index(y, t->height);
        float *out = t->pixels + (ptrdiff_t)(y + SONIC_TEXTURE_BORDER) * t->stride;
        for (int32_t x = -SONIC_TEXTURE_BORDER; x < t->width + SONIC_TEXTURE_BORDER; x++, out += 4) {
            int32_t from_x = sonic_clamp_index(x, t->width);
            const uint8_t *in = rig->image + ((size_t)from_y * width + (size_t)from_x) * 3;
            out[0] = in[0], out[1] = in[1], out[2] = in[2], out[3] = 0.0f;
        }
    }
    return SONIC_OK;
}

/* From the tip of the nose to its base. */
static sonic_warp_window below_nose(const sonic_face_frame *frame)
{
    sonic_warp_window window = {frame->nose - 0.16f * frame->height, frame->nose - 0.01f * frame->height};
    return window;
}

static sonic_status build(sonic_draft_rig *rig, sonic_image image, const float *mesh, sonic_lip_source source)
{
    sonic_status status = check_image(image);
    if (!status)
        status = sonic_face_frame_build(&rig->frame, mesh, image.width_px, image.height_px);
    if (!status)
        status = copy_image(rig, image);
    if (status)
        return status;
    sonic_outline_build(&rig->outline, mesh);
    status = sonic_lip_line_build(&rig->lip_line, &rig->lips, &rig->frame, &rig->texture, mesh, source);
    sonic_warp_window window = below_nose(&rig->frame);
    if (!status)
        status =
            sonic_warp_field_build(&rig->field, &rig->frame, &rig->lip_line, &rig->outline,
                                   source == SONIC_LIPS_OF_FRAME ? &window : NULL, image.width_px, image.height_px);
    if (!status) {
        sonic_mouth_build(&rig->interior, &rig->lips, &rig->frame, &rig->texture, mesh);
        sonic_eyes_build(rig->eyes, &rig->frame, &rig->texture, mesh);
    }
    return status;
}

static sonic_status create(sonic_draft_rig **out, sonic_image image, const float *mesh, sonic_lip_source source)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return sonic_fail(SONIC_ERROR_MEMORY, "Close other programs: there is no memory for a rig");
    sonic_status status = build(*out, image, mesh, source);
    if (status) {
        sonic_draft_rig_free(*out);
        *out = NULL;
    }
    return status;
}

sonic_status sonic_draft_rig_create(sonic_draft_rig **out, sonic_image image, const float *mesh)
{
    return create(out, image, mesh, SONIC_LIPS_OF_PORTRAIT);
}

sonic_status sonic_draft_rig_create_from_frame(sonic_draft_rig **out, sonic_image image, const float *mesh)
{
    return create(out, image, mesh, SONIC_LIPS_OF_FRAME);
}

void sonic_draft_rig_free(sonic_draft_rig *rig)
{
    if (!rig)
        return;
    free(rig->lip_line.v);
    free(rig->lip_line.parting);
    free(rig->field.basis);
    free(rig->field.sway);
    free(rig->texture.pixels);
    free(rig->image);
    free(rig);
}

int32_t sonic_draft_rig_width_px(const sonic_draft_rig *rig) { return rig->texture.width; }

int32_t sonic_draft_rig_height_px(const sonic_draft_rig *rig) { return rig->texture.height; }
