#ifndef MODELTRACER_STATISTICS_H
#define MODELTRACER_STATISTICS_H

#include "channel.h"

void statistics_clear(struct statistics *s);

/* Adds dense float32 values; in any order, or in that of the tracer's scalar kernels. */
void statistics_add(struct statistics *s, const float *values, int64_t n, bool any_order);

#endif
