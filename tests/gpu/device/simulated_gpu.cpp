// All parts as one translation unit: ATen's headers take ten seconds to compile.
#include "memory.cpp"
#include "runtime.cpp"
#include "records.cpp"
#include "boxed.cpp"
#include "kernels.cpp"
