#include "smooth/correction.h"

#include <math.h>

#include "core/parallel.h"
#include "smooth/path.h"

enum { TILES = SONIC_GAIN_TILES * SONIC_GAIN_TILES };
/* The smoothed paths: the shift along x and y, the log gains of R, G and B, and those of the tiles. */
enum { SHIFT = 0, GAIN = 2, TILE = 5, PATHS = TILE + TILES };

/* Pairs are ranges of sonic_smooth_ramp: no correction below the first value, full correction from the second on.
 * Standard deviations at which a fault is corrected: well above those of clean recordings, below what is visible.
 * Chosen by hand on the clips of bench/smooth.py, as are the other constants of this file unless they say otherwise. */
static const double shake_px[2] = {0.18, 0.28}, flicker_gain[2] = {0.003, 0.006}, tile_gain[2] = {0.005, 0.009};
/* Shake counts as a fault if it is white along both axes and stands out from the camera's own movement (hand-held
 * cameras move slowly, or shake along one axis); or, beside confident flicker, if it is white along its own axis, and
 * at most beside_movement_px where the other axis is not. Chosen on 70 recordings, none of which it finds shake in. */
static const double confident_px[2] = {0.2, 0.3}, confident_gain[2] = {0.006, 0.01};
static const double confident_ratio[2] = {0.72, 0.82}, beside_movement_px[2] = {0.65, 0.8};
/* Motion measured less accurately than this is not used; the share of the window that must be accurate. */
static const double max_error_px = 0.1, max_error_gain = 0.004, min_share = 0.8;
/* The shake of a path counts up to this multiple of its robust estimate. */
static const double max_over_robust = 1.5;

double sonic_smooth_ramp(double value, const double range[2])
{
    double t = (value - range[0]) / (range[1] - range[0]);
    t = t < 0 ? 0 : t > 1 ? 1 : t;
    return t * t * (3 - 2 * t);
}

static const sonic_camera_motion *motion_at(const sonic_motion_window *w, int64_t i)
{
    return &w->motions[i % w->size];
}

/* The step of one path, or 0 when it is not accurate. Returns whether it is. */
static int read_step(double *out, const sonic_camera_motion *motion, int path)
{
    const sonic_gains *gains = &motion->gains;
    if (path < GAIN)
        *out = motion->shift_px[path];
    else
        *out = path < TILE ? gains->gain[path - GAIN] : gains->tile_gain[path - TILE];
    const double gain_error = path < TILE ? gains->gain_error : gains->tile_error[path - TILE];
    const int accurate = path < GAIN ? motion->error_px[path] < max_error_px : gain_error < max_error_gain;
    if (!accurate)
        *out = 0.0;
    return accurate;
}

/* Steps of one path in the window. Returns the share of accurate ones. */
static double read_steps(double *out, const sonic_motion_window *w, int path)
{
    int32_t accurate = 0;
    for (int64_t i = w->first + 1; i <= w->last; i++)
        accurate += read_step(&out[i - w->first - 1], motion_at(w, i), path);
    return w->last > w->first ? (double)accurate / (double)(w->last - w->first) : 0.0;
}

/* Whether the steps are large enough for white flicker of at least that size. */
static int may_flicker(const double *steps, int64_t count, double min_gain)
{
    double squares = 0;
    for (int64_t i = 0; i < count; i++)
        squares += steps[i] * steps[i];
    return squares > min_gain * min_gain * (double)count;
}

/* The fit of one path in the window; 0 where too little was measured. */
static sonic_path_fit fit_path(const sonic_motion_window *w, int path)
{
    double steps[SONIC_PATH_MAX_POINTS];
    uint8_t repeats[SONIC_PATH_MAX_POINTS];
    const int32_t count = (int32_t)(w->last - w->first);
    for (int32_t i = 0; i < count; i++)
        repeats[i] = (uint8_t)motion_at(w, w->first + 1 + i)->repeat;
    if (read_steps(steps, w, path) < min_share || (path >= TILE && !may_flicker(steps, count, tile_gain[0])))
        return (sonic_path_fit){0, 0, 0, 0, 0};
    return sonic_path_smooth(steps, path < GAIN ? repeats : NULL, count, (int32_t)(w->at - w->first), path < GAIN);
}

typedef struct fits_job {
    const sonic_motion_window *window;
    sonic_path_fit *fits; /* [PATHS] */
} fits_job;

static void fit_paths(int64_t begin, int64_t end, void *context)
{
    const fits_job *job = context;
    for (int64_t i = begin; i < end; i++) {
        /* The two slowest, along x and y, come first and last */
        const int path = i == PATHS - 1 ? SHIFT + 1 : i > SHIFT ? (int)i + 1 : SHIFT;
        job->fits[path] = fit_path(job->window, path);
    }
}

/* Confidence that the noise of a path is white, 0..1, by its size and spectrum and independent of the fitted curve. */
static double white_confidence(const sonic_path_fit *fit, const double range[2])
{
    return sonic_smooth_ramp(fit->robust_sigma, range) * sonic_smooth_ramp(fit->difference_ratio, confident_ratio);
}

static void correct_gains(sonic_correction *out, const sonic_path_fit fits[PATHS], double amount)
{
    for (int path = GAIN; path < PATHS; path++) {
        const sonic_path_fit fit = fits[path];
        const double size = fmin(fit.sigma, max_over_robust * fit.robust_sigma),
                     white = fmax(fit.whiteness, white_confidence(&fit, confident_gain));
        const double share = amount * white * sonic_smooth_ramp(size, path < TILE ? flicker_gain : tile_gain),
                     factor = exp(share * fit.correction);
        if (share > 0)
            out->sigma_gain = fmax(out->sigma_gain, fit.sigma);
        if (path < TILE)
            out->gain[path - GAIN] = factor,
                             out->flicker = fmax(out->flicker, white * sonic_smooth_ramp(size, confident_gain));
        else
            out->tiles[path - TILE] = (float)factor, out->tiled |= share > 0;
    }
}

/* Upper limit of the correction along an axis, 0..1: none where movement is sudden; beside movement along the other
 * axis, only for small shake. */
static double axis_limit(const sonic_path_fit fits[2], int axis)
{
    const double own = sonic_smooth_ramp(fits[axis].difference_ratio, confident_ratio),
                 other = sonic_smooth_ramp(fits[1 - axis].difference_ratio, confident_ratio);
    return fmin(own, fmax(other, 1.0 - sonic_smooth_ramp(fits[axis].robust_sigma, beside_movement_px)));
}

static void correct_shake(sonic_correction *out, const sonic_path_fit fits[2], double amount)
{
    const double confident[2] = {white_confidence(&fits[0], confident_px), white_confidence(&fits[1], confident_px)};
    const double both = fmax(fmin(confident[0], confident[1]), out->flicker);
    for (int axis = 0; axis < 2; axis++) {
        const double white = fmax(fits[axis].whiteness, confident[axis]) * fmin(both, axis_limit(fits, axis));
        const double share = amount * white * sonic_smooth_ramp(fits[axis].sigma, shake_px);
        out->shift_px[axis] = -share * fits[axis].correction;
        if (share > 0)
            out->sigma_px = fmax(out->sigma_px, fits[axis].sigma);
    }
}

void sonic_correction_find(sonic_correction *out, const sonic_motion_window *window, double amount)
{
    sonic_path_fit fits[PATHS];
    fits_job job = {window, fits};
    sonic_parallel_for(PATHS, 1, fit_paths, &job);
    *out = (sonic_correction){{0}, {0}, 0, 0, 0, {0}, 0};
    correct_gains(out, fits, amount);
    correct_shake(out, fits + SHIFT, amount);
}
