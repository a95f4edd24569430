/* fields.h - the numbers in the gate's structs by name, as Python and JSON have them. */
#ifndef SONIC_GATE_FIELDS_H
#define SONIC_GATE_FIELDS_H

#include <stddef.h>

typedef enum sonic_field_type {
    SONIC_FIELD_INT32,
    SONIC_FIELD_FLOAT,
    SONIC_FIELD_DOUBLE,
    SONIC_FIELD_STRUCT
} sonic_field_type;

/* A number, or an embedded struct with fields of its own. */
typedef struct sonic_field {
    const char *key; /* of a struct: the prefix of its fields' keys; NULL ends a table */
    size_t offset;   /* bytes, from the beginning of the struct around it */
    sonic_field_type type;
    const struct sonic_field *fields; /* of a struct, else NULL */
} sonic_field;

#define SONIC_FIELD_KEY_MAX 64 /* bytes of a whole key, its end included */

extern const sonic_field sonic_evidence_fields[];   /* of sonic_evidence */
extern const sonic_field sonic_jpeg_facts_fields[]; /* of sonic_jpeg_facts */

/* Called with each number; another result than 0 ends the visit. */
typedef int (*sonic_field_fn)(const char *key, double value, void *context);

/* Calls `visit` for every number of `object` in the order of `fields`; the last result. */
int sonic_fields_visit(const void *object, const sonic_field *fields, sonic_field_fn visit, void *context);

#endif
