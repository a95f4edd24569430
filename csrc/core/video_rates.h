/* video_rates.h - frame rates and block sizes that the networks were trained with (Ji et al., "Sonic", CVPR 2025).
 * sonic_nodes/models/constants.py has the same values; tests/models/test_constants.py compares them. */
#ifndef SONIC_CORE_VIDEO_RATES_H
#define SONIC_CORE_VIDEO_RATES_H

#define SONIC_VIDEO_FPS 25     /* video frames a second */
#define SONIC_LATENT_FPS 12.5  /* latent frames a second: one for every two video frames */
#define SONIC_WINDOW_FRAMES 25 /* latent frames that the UNet processes together */
#define SONIC_CHUNK_FRAMES 8   /* latent frames that the VAE decoder processes together */

#endif
