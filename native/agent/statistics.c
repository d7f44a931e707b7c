#include "statistics.h"

#include <math.h>
#include <string.h>

/*
 * Statistics of float32 values, with the same sums in the same order as the scalar kernels of the
 * tracer (org.modeltracer.model.RunningStats), so that both give the same bits. Compiled without
 * contraction of a * b + c.
 */

enum { BLOCK = 1024, CENTER = 32 };

static uint32_t bits_of(float x) {
  uint32_t b;
  memcpy(&b, &x, sizeof b);
  return b;
}

static float float_of(uint32_t b) {
  float x;
  memcpy(&x, &b, sizeof x);
  return x;
}

/* Integers in the order of the numbers, -0 before 0. */
static int32_t ordered(float x) {
  int32_t b = (int32_t)bits_of(x);
  return b ^ (int32_t)((uint32_t)(b >> 31) >> 1);
}

static float unordered(int32_t s) { return float_of((uint32_t)(s ^ (int32_t)((uint32_t)(s >> 31) >> 1))); }

static float center_of(const float *v, int n) {
  int step = n / CENTER > 1 ? n / CENTER : 1;
  float sum = 0;
  int taken = 0;
  for (int i = 0; i < n; i += step) {
    sum += v[i];
    taken++;
  }
  float mean = sum / (float)taken;
  return mean - mean == 0 ? mean : 0;
}

static double smaller(double a, double b) { return a < b || (a == b && signbit(a)) ? a : b; }

static double larger(double a, double b) { return a > b || (a == b && !signbit(a)) ? a : b; }

static void merge(struct statistics *s, int64_t n, double mean, double m2, double squares) {
  int64_t total = s->finite + n;
  double delta = mean - s->mean;
  s->mean += delta * (double)n / (double)total;
  s->m2 += m2 + delta * delta * ((double)s->finite * (double)n / (double)total);
  s->finite = total;
  s->squares += squares;
}

static void with_bad(struct statistics *s, const float *v, int n) {
  double sum = 0;
  int good = 0;
  for (int i = 0; i < n; i++) {
    float x = v[i];
    if (x - x != 0.0f) {
      if (s->first_bad < 0) {
        s->first_bad = s->count + i;
      }
      if (x != x) {
        s->nan++;
      } else {
        s->inf++;
      }
    }
  }
  s->count += n;
  for (int i = 0; i < n; i++) {
    float x = v[i];
    if (x - x == 0.0f) {
      sum += (double)x;
      good++;
      s->min = smaller(s->min, (double)x);
      s->max = larger(s->max, (double)x);
      s->zero += x == 0.0f;
    }
  }
  double center = good == 0 ? 0 : sum / good;
  double spread = 0;
  double squares = 0;
  for (int i = 0; i < n; i++) {
    float x = v[i];
    if (x - x == 0.0f) {
      double d = (double)x - center;
      spread += d * d;
      squares += (double)x * (double)x;
    }
  }
  if (good > 0) {
    merge(s, good, center, spread, squares);
  }
}

/* What one pass over a block finds; all of it finite where raw is. */
struct sums {
  double sum, squares, raw;
  int32_t low, high;
  int zeros;
};

static void sums_in_order(struct sums *out, const float *v, int n, float center) {
  struct sums s = {0, 0, 0, INT32_MAX, INT32_MIN, 0};
  for (int i = 0; i < n; i++) {
    float x = v[i];
    double d = (double)x - (double)center;
    s.sum += d;
    s.squares += d * d;
    s.raw += (double)x * (double)x;
    int32_t o = ordered(x);
    s.low = o < s.low ? o : s.low;
    s.high = o > s.high ? o : s.high;
    s.zeros += x == 0.0f;
  }
  *out = s;
}

/* Independent sums, which a compiler can put into vectors. */
static void sums_in_lanes(struct sums *out, const float *v, int n, float center) {
  enum { LANES = 8 };
  double sum[LANES] = {0}, squares[LANES] = {0}, raw[LANES] = {0};
  int32_t low[LANES], high[LANES], zeros[LANES] = {0};
  for (int l = 0; l < LANES; l++) {
    low[l] = INT32_MAX;
    high[l] = INT32_MIN;
  }
  int i = 0;
  for (; i + LANES <= n; i += LANES) {
    for (int l = 0; l < LANES; l++) {
      double x = (double)v[i + l];
      double d = x - (double)center;
      sum[l] += d;
      squares[l] += d * d;
      raw[l] += x * x;
    }
    for (int l = 0; l < LANES; l++) {
      int32_t o = ordered(v[i + l]);
      low[l] = o < low[l] ? o : low[l];
      high[l] = o > high[l] ? o : high[l];
      zeros[l] += v[i + l] == 0.0f;
    }
  }
  sums_in_order(out, v + i, n - i, center);
  for (int l = 0; l < LANES; l++) {
    out->sum += sum[l];
    out->squares += squares[l];
    out->raw += raw[l];
    out->low = low[l] < out->low ? low[l] : out->low;
    out->high = high[l] > out->high ? high[l] : out->high;
    out->zeros += zeros[l];
  }
}

static void add_block(struct statistics *s, const float *v, int n, bool any_order) {
  float center = center_of(v, n);
  struct sums b;
  if (any_order) {
    sums_in_lanes(&b, v, n, center);
  } else {
    sums_in_order(&b, v, n, center);
  }
  if (!(b.raw - b.raw == 0)) {
    with_bad(s, v, n);
    return;
  }
  s->count += n;
  s->zero += b.zeros;
  s->min = smaller(s->min, (double)unordered(b.low));
  s->max = larger(s->max, (double)unordered(b.high));
  double shift = b.sum / n;
  double m2 = b.squares - b.sum * shift;
  merge(s, n, (double)center + shift, m2 > 0 ? m2 : 0, b.raw);
}

void statistics_clear(struct statistics *s) {
  memset(s, 0, sizeof *s);
  s->first_bad = -1;
  s->min = INFINITY;
  s->max = -INFINITY;
}

void statistics_add(struct statistics *s, const float *values, int64_t n, bool any_order) {
  for (int64_t start = 0; start < n; start += BLOCK) {
    int size = (int)(n - start < BLOCK ? n - start : BLOCK);
    add_block(s, values + start, size, any_order);
  }
}
