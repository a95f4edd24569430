#include "face/mesh_crop.h"

#include <math.h>

#include "opencv/vision.h"

#define SIDE SONIC_MESH_SIDE_PX

sonic_mesh_crop sonic_mesh_crop_make(const float box[4], const float left_eye[2], const float right_eye[2])
{
    double centre_x = (box[0] + box[2]) / 2, centre_y = (box[1] + box[3]) / 2;
    double size_px = 1.5 * fmax(box[2] - box[0], box[3] - box[1]), scale = SIDE / size_px;
    double angle = atan2(right_eye[1] - left_eye[1], right_eye[0] - left_eye[0]);
    double a = scale * cos(angle), b = scale * sin(angle);
    sonic_mesh_crop crop = {
        {a, b, SIDE / 2.0 - a * centre_x - b * centre_y, -b, a, SIDE / 2.0 + b * centre_x - a * centre_y}, scale};
    return crop;
}

sonic_mesh_crop sonic_mesh_crop_half_turn(const sonic_mesh_crop *crop)
{
    const double *m = crop->matrix;
    sonic_mesh_crop turned = {{-m[0], -m[1], SIDE - m[2], -m[3], -m[4], SIDE - m[5]}, crop->scale};
    return turned;
}

sonic_status sonic_mesh_crop_fill(float *planes, uint8_t *square, sonic_image image, const sonic_mesh_crop *crop)
{
    sonic_image target = {square, SIDE, SIDE, 3, SIDE * 3};
    sonic_status status = sonic_vision_warp_affine(target, image, crop->matrix, SONIC_INTERPOLATION_LINEAR);
    for (int32_t i = 0; status == SONIC_OK && i < SIDE * SIDE; i++)
        for (int32_t c = 0; c < 3; c++)
            planes[c * SIDE * SIDE + i] = (float)square[i * 3 + c] / 255.0f;
    return status;
}

/* The inverse of a rotation and a uniform scale: transpose over the squared scale. */
void sonic_mesh_to_image(float out[SONIC_MESH_POINTS][3], const float *points, const sonic_mesh_crop *crop)
{
    const double *m = crop->matrix;
    double squared = m[0] * m[0] + m[1] * m[1];
    for (int i = 0; i < SONIC_MESH_POINTS; i++) {
        double x = points[i * 3] - m[2], y = points[i * 3 + 1] - m[5];
        out[i][0] = (float)((m[0] * x + m[3] * y) / squared);
        out[i][1] = (float)((m[1] * x + m[4] * y) / squared);
        out[i][2] = (float)(points[i * 3 + 2] / crop->scale);
    }
}

void sonic_mesh_hull(float hull[4], const float mesh[SONIC_MESH_POINTS][3])
{
    hull[0] = hull[2] = mesh[0][0];
    hull[1] = hull[3] = mesh[0][1];
    for (int i = 1; i < SONIC_MESH_POINTS; i++)
        for (int axis = 0; axis < 2; axis++) {
            hull[axis] = fminf(hull[axis], mesh[i][axis]);
            hull[2 + axis] = fmaxf(hull[2 + axis], mesh[i][axis]);
        }
}

static void middle(float out[2], const float a[3], const float b[3])
{
    out[0] = (a[0] + b[0]) / 2;
    out[1] = (a[1] + b[1]) / 2;
}

sonic_mesh_crop sonic_mesh_crop_from_mesh(const float mesh[SONIC_MESH_POINTS][3])
{
    float hull[4], left[2], right[2];
    sonic_mesh_hull(hull, mesh);
    middle(left, mesh[SONIC_LANDMARK_EYE_LEFT_OUTER], mesh[SONIC_LANDMARK_EYE_LEFT_INNER]);
    middle(right, mesh[SONIC_LANDMARK_EYE_RIGHT_INNER], mesh[SONIC_LANDMARK_EYE_RIGHT_OUTER]);
    return sonic_mesh_crop_make(hull, left, right);
}
