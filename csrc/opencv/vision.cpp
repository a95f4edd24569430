#include "opencv/vision.h"

#include "core/thread_local.h"

#include <cstdio> // snprintf
#include <new>    // std::bad_alloc

#include <opencv2/core.hpp>
#include <opencv2/core/utility.hpp> // getCPUFeaturesLine
#include <opencv2/core/version.hpp> // CV_VERSION
#include <opencv2/imgproc.hpp>      // resize, warpAffine

namespace
{

// Borrows the pixels.
cv::Mat view(const sonic_image &image)
{
    return cv::Mat(image.height_px, image.width_px, CV_8UC(image.channels), image.data, (size_t)image.stride);
}

int opencv_flag(sonic_interpolation interpolation)
{
    switch (interpolation) {
    case SONIC_INTERPOLATION_NEAREST:
        return cv::INTER_NEAREST;
    case SONIC_INTERPOLATION_CUBIC:
        return cv::INTER_CUBIC;
    case SONIC_INTERPOLATION_AREA:
        return cv::INTER_AREA;
    default:
        return cv::INTER_LINEAR;
    }
}

// Runs `work`; an exception becomes a status.
template <typename Work> sonic_status guarded(const char *name, Work work)
{
    try {
        work();
        return SONIC_OK;
    } catch (const std::bad_alloc &) {
        return sonic_fail(SONIC_ERROR_MEMORY, "Use a smaller picture: %s ran out of memory.", name);
    } catch (const std::exception &error) {
        return sonic_fail(SONIC_ERROR_INTERNAL, "%s failed in OpenCV: %s", name, error.what());
    } catch (...) {
        return sonic_fail(SONIC_ERROR_INTERNAL, "%s failed in OpenCV, which does not say why.", name);
    }
}

} // namespace

extern "C" const char *sonic_vision_version(void) { return CV_VERSION; }

extern "C" const char *sonic_vision_simd(void)
{
    static SONIC_THREAD_LOCAL char features[256];
    guarded("getCPUFeaturesLine", [] { snprintf(features, sizeof features, "%s", cv::getCPUFeaturesLine().c_str()); });
    return features;
}

extern "C" sonic_status sonic_vision_resize(sonic_image target, sonic_image source, sonic_interpolation interpolation)
{
    return guarded("resize", [&] {
        cv::Mat out = view(target);
        cv::resize(view(source), out, out.size(), 0, 0, opencv_flag(interpolation));
    });
}

extern "C" sonic_status sonic_vision_warp_affine(sonic_image target, sonic_image source, const double matrix[6],
                                                 sonic_interpolation interpolation)
{
    return guarded("warp_affine", [&] {
        cv::Mat out = view(target);
        cv::Mat transform(2, 3, CV_64F, const_cast<double *>(matrix));
        cv::warpAffine(view(source), out, transform, out.size(), opencv_flag(interpolation), cv::BORDER_CONSTANT);
    });
}
