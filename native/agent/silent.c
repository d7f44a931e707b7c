/*
 * A callback of llama.cpp's that has named nodes computed on their own and looks at none of them: the
 * least that observing these nodes can cost, in whatever language.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { NAME_BYTES = 64 };

struct silent {
  uint64_t name_offset; /* of a tensor's name in its struct */
  uint64_t count;       /* of names */
  uint64_t delivered;   /* nodes shown so far */
  char names[][NAME_BYTES]; /* in ascending order */
};

__attribute__((visibility("default"))) bool modeltracer_silent(void *tensor, bool ask, void *data) {
  struct silent *silent = data;
  if (!ask) {
    silent->delivered++;
    return true;
  }
  const char *name = (const char *)tensor + silent->name_offset;
  uint64_t low = 0, high = silent->count;
  while (low < high) {
    uint64_t middle = (low + high) / 2;
    int order = strncmp(name, silent->names[middle], NAME_BYTES);
    if (order == 0) {
      return true;
    }
    if (order < 0) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return false;
}
