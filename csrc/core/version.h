/* version.h - the version of the package that this binary was compiled from; a test compares it with sonic_nodes/__init__.py. */
#ifndef SONIC_CORE_VERSION_H
#define SONIC_CORE_VERSION_H

#define SONIC_VERSION "0.1.0"

#endif
