/* Softmax rows of a fused attention, computed again from its own inputs. */
#ifndef MODELTRACER_ROWS_H
#define MODELTRACER_ROWS_H

#include "tensor.h"

typedef void (*to_float_fn)(const void *from, float *to, int64_t n);

/* How an element type is laid out; null to_float for float32. */
struct element {
  to_float_fn to_float;
  int64_t block;
  size_t block_bytes;
};

struct rows {
  float *weights; /* [key, query, head, stream], dense; zero where the mask hides a key */
  size_t capacity;
  float *keys;
  size_t key_capacity;
  float *query;
  size_t query_capacity;
  char *copies[4];
  size_t copy_capacity[4];
};

/*
 * Computes the rows of the wanted heads; returns their bytes, 0 when an input is missing or is of
 * a type that cannot be converted.
 */
size_t rows_compute(struct rows *r, const struct ggml *g, const struct tensor *fused,
                    struct element query_type, struct element key_type, struct element mask_type,
                    const uint8_t *heads, uint32_t head_bits);

void rows_free(struct rows *r);

#endif
