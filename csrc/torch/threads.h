/* threads.h - how many threads libtorch's operators use in the calling thread. */
#ifndef SONIC_TORCH_THREADS_H
#define SONIC_TORCH_THREADS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Numbers of threads of the calling thread, to restore; 0: not set. */
typedef struct sonic_torch_threads {
    int32_t openmp, mkl;
} sonic_torch_threads;

/* Lets the operators that the calling thread runs use `threads` threads, at least 1: for networks of so little work
 * that threads cost more than they gain, most of all beside other programs. OpenMP's and MKL's numbers of the calling
 * thread change (omp_set_num_threads, mkl_set_num_threads_local); at::set_num_threads would change the process. Returns
 * the numbers before. Where libtorch has no OpenMP nothing changes. */
sonic_torch_threads sonic_torch_threads_limit(int32_t threads);

void sonic_torch_threads_restore(sonic_torch_threads before);

#ifdef __cplusplus
}
#endif
#endif
