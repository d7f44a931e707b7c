#include "rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/*
 * Scores are scale * q.k, soft-capped to cap * tanh(s / cap) where the model does, plus the head's
 * slope times the mask (ALiBi, Press 2022); a learned sink adds its share to the denominator only.
 */

enum { QUERY, KEY, VALUE, MASK, SINKS };

static bool reserve(float **memory, size_t *capacity, size_t floats) {
  if (*capacity < floats) {
    free(*memory);
    *memory = malloc(floats * sizeof(float));
    *capacity = *memory == NULL ? 0 : floats;
  }
  return *memory != NULL;
}

/* The values of a source in this process's memory, or null. */
static const char *open_values(struct rows *r, int slot, const struct ggml *g, const struct tensor *t) {
  if (tensor_on_host(g, t)) {
    return t->data;
  }
  size_t bytes = g->nbytes(t);
  if (r->copy_capacity[slot] < bytes) {
    free(r->copies[slot]);
    r->copies[slot] = malloc(bytes);
    r->copy_capacity[slot] = r->copies[slot] == NULL ? 0 : bytes;
  }
  return r->copies[slot] != NULL && tensor_copy(g, t, r->copies[slot], bytes) ? r->copies[slot] : NULL;
}

static void convert(struct element type, const char *from, float *to, int64_t n) {
  if (type.to_float == NULL) {
    memcpy(to, from, (size_t)n * sizeof(float));
  } else {
    type.to_float(from, to, n);
  }
}

/* The products are summed in the order of the tracer's own kernels, so that both round alike. */

enum { LANES = 4, MANY = 32 };

static float dot(const float *a, const float *b, int64_t n) {
  float lanes[LANES] = {0};
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) {
    for (int l = 0; l < LANES; l++) {
      lanes[l] += a[i + l] * b[i + l];
    }
  }
  for (; i < n; i++) {
    lanes[0] += a[i] * b[i];
  }
  return (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
}

/* Products with all keys at once, which lie dimension by dimension. */
static void dots(const float *query, const float *keys, int64_t width, int64_t count, float *out) {
  memset(out, 0, (size_t)count * sizeof *out);
  for (int64_t d = 0; d < width; d++) {
    float q = query[d];
    const float *line = keys + d * count;
    for (int64_t k = 0; k < count; k++) {
      out[k] += q * line[k];
    }
  }
}

static double slope_of(int64_t head, int64_t heads, float max_bias) {
  if (max_bias <= 0) {
    return 1;
  }
  int64_t power = 1;
  while (2 * power <= heads) {
    power *= 2;
  }
  return head < power ? pow(2, -max_bias / (double)power * (double)(head + 1))
                      : pow(2, -max_bias / 2 / (double)power * (double)(2 * (head - power) + 1));
}

static float param(const struct tensor *t, int i) {
  float f;
  memcpy(&f, &t->params[i], sizeof f);
  return f;
}

struct line {
  const float *query;
  const float *keys; /* [key, width], or [width, key] where many queries meet them */
  int64_t width;
  bool many;
  const char *mask; /* null where every key is open */
  struct element mask_type;
  int64_t count;
  float scale;
  float softcap;
  double slope;
  float sink;
};

/* One row; keys that the mask hides stay zero. */
static void softmax_row(const struct line *l, float *bias, float *out) {
  bool biased = false;
  if (l->mask == NULL) {
    memset(bias, 0, (size_t)l->count * sizeof *bias);
  } else {
    convert(l->mask_type, l->mask, bias, l->count);
  }
  if (l->many) {
    dots(l->query, l->keys, l->width, l->count, out);
  }
  for (int64_t k = 0; k < l->count; k++) {
    if (bias[k] == -INFINITY) {
      continue;
    }
    biased |= bias[k] != 0;
    if (!l->many) {
      out[k] = dot(l->query, l->keys + k * l->width, l->width);
    }
  }
  float remaining = l->scale;
  if (l->softcap != 0 || biased) {
    for (int64_t k = 0; k < l->count; k++) {
      if (bias[k] != -INFINITY) {
        double score = (double)(l->scale * out[k]);
        score = l->softcap == 0 ? score : (double)l->softcap * tanh(score);
        out[k] = (float)(score + l->slope * (double)bias[k]);
      }
    }
    remaining = 1;
  }
  double max = (double)l->sink;
  for (int64_t k = 0; k < l->count; k++) {
    if (bias[k] != -INFINITY) {
      double score = (double)remaining * (double)out[k];
      max = score > max || score != score ? score : max;
    }
  }
  double sum = exp((double)l->sink - max);
  for (int64_t k = 0; k < l->count; k++) {
    if (bias[k] == -INFINITY) {
      out[k] = 0;
    } else {
      out[k] = (float)exp((double)remaining * (double)out[k] - max);
      sum += (double)out[k];
    }
  }
  float share = (float)(1 / sum);
  for (int64_t k = 0; k < l->count; k++) {
    out[k] *= share;
  }
}

size_t rows_compute(struct rows *r, const struct ggml *g, const struct tensor *fused,
                    struct element query_type, struct element key_type, struct element mask_type,
                    const uint8_t *heads, uint32_t head_bits) {
  const struct tensor *q = fused->src[QUERY];
  const struct tensor *k = fused->src[KEY];
  const struct tensor *m = fused->src[MASK];
  const struct tensor *sinks = fused->src[SINKS];
  int64_t width = q->ne[0];
  int64_t keys = k->ne[1];
  int64_t queries = q->ne[1];
  int64_t head_count = q->ne[2];
  int64_t streams = q->ne[3];
  bool plain = q->ne[0] == k->ne[0] && k->ne[2] > 0 && k->ne[3] > 0 && head_count % k->ne[2] == 0 &&
               q->nb[0] == query_type.block_bytes && width % query_type.block == 0 &&
               width % key_type.block == 0 && k->nb[0] == key_type.block_bytes &&
               (m == NULL || m->ne[0] >= keys);
  if (!plain || keys <= 0 || queries <= 0) {
    return 0;
  }
  size_t row = (size_t)keys;
  size_t all = row * (size_t)queries * (size_t)head_count * (size_t)streams;
  const char *q_data = open_values(r, 0, g, q);
  const char *k_data = open_values(r, 1, g, k);
  const char *m_data = m == NULL ? NULL : open_values(r, 2, g, m);
  const float *s_data = sinks == NULL ? NULL : (const float *)open_values(r, 3, g, sinks);
  if (q_data == NULL || k_data == NULL || (m != NULL && m_data == NULL) ||
      (sinks != NULL && s_data == NULL) || !reserve(&r->weights, &r->capacity, all) ||
      !reserve(&r->keys, &r->key_capacity, row * (size_t)width) ||
      !reserve(&r->query, &r->query_capacity, (size_t)width + row)) {
    return 0;
  }
  float softcap = param(fused, 2);
  float scale = softcap == 0 ? param(fused, 0) : param(fused, 0) / softcap;
  float max_bias = param(fused, 1);
  int64_t group = head_count / k->ne[2];
  bool many = queries * group >= MANY;
  for (int64_t s = 0; s < streams; s++) {
    for (int64_t kh = 0; kh < k->ne[2]; kh++) {
      bool laid = false;
      for (int64_t h = kh * group; h < (kh + 1) * group; h++) {
        float *out = r->weights + (size_t)((s * head_count + h) * queries) * row;
        if (h >= head_bits || (heads[h / 8] >> (h % 8) & 1) == 0) {
          memset(out, 0, (size_t)queries * row * sizeof *out);
          continue;
        }
        for (int64_t i = 0; !laid && i < keys; i++) {
          size_t from = (size_t)i * k->nb[1] + (size_t)kh * k->nb[2] + (size_t)(s % k->ne[3]) * k->nb[3];
          float *to = many ? r->query : r->keys + i * width;
          convert(key_type, k_data + from, to, width);
          for (int64_t d = 0; many && d < width; d++) {
            r->keys[d * keys + i] = to[d];
          }
        }
        laid = true;
        for (int64_t i = 0; i < queries; i++) {
          size_t from = (size_t)i * q->nb[1] + (size_t)h * q->nb[2] + (size_t)s * q->nb[3];
          convert(query_type, q_data + from, r->query, width);
          struct line l = {
              .query = r->query,
              .keys = r->keys,
              .width = width,
              .many = many,
              .mask = m == NULL ? NULL
                                : m_data + (size_t)i * m->nb[1] + (size_t)(h % m->ne[2]) * m->nb[2] +
                                      (size_t)(s % m->ne[3]) * m->nb[3],
              .mask_type = mask_type,
              .count = keys,
              .scale = scale,
              .softcap = softcap,
              .slope = slope_of(h, head_count, max_bias),
              .sink = s_data == NULL ? -INFINITY : s_data[h],
          };
          softmax_row(&l, r->query + width, out + (size_t)i * row);
        }
      }
    }
  }
  return all * sizeof(float);
}

void rows_free(struct rows *r) {
  free(r->weights);
  free(r->keys);
  free(r->query);
  for (int i = 0; i < 4; i++) {
    free(r->copies[i]);
  }
  memset(r, 0, sizeof *r);
}
