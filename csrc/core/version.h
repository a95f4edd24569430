/* version.h - version of the package that this binary was compiled from; loading.py refuses any other. */
#ifndef SONIC_CORE_VERSION_H
#define SONIC_CORE_VERSION_H

#define SONIC_VERSION "0.1.0"

#endif
