/*
 * ggml_tensor as every known generation lays it out: 336 bytes. What is read here is compared with
 * ggml's own accessors before it is relied on (tensor_layout_holds).
 */
#ifndef MODELTRACER_TENSOR_H
#define MODELTRACER_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TENSOR_BYTES = 336, TENSOR_SOURCES = 10, TENSOR_PARAMS = 16, TYPE_F32 = 0, TYPE_F16 = 1 };

struct tensor {
  int32_t type;
  int32_t pad0;
  void *buffer;
  int64_t ne[4];
  size_t nb[4];
  int32_t op;
  int32_t params[TENSOR_PARAMS];
  int32_t flags;
  struct tensor *src[TENSOR_SOURCES];
  struct tensor *view_src;
  size_t view_offs;
  void *data;
  char name[64];
  void *extra;
  char pad1[8];
};

_Static_assert(sizeof(struct tensor) == TENSOR_BYTES, "ggml_tensor");
_Static_assert(offsetof(struct tensor, op) == 80, "op");
_Static_assert(offsetof(struct tensor, src) == 152, "src");
_Static_assert(offsetof(struct tensor, data) == 248, "data");

/* The functions of the ggml at hand; found once for each. */
struct ggml {
  int (*graph_n_nodes)(void *graph);
  struct tensor *(*graph_node)(void *graph, int i);
  const char *(*op_name)(int op);
  const char *(*op_desc)(const struct tensor *t);
  size_t (*nbytes)(const struct tensor *t);
  int64_t (*nelements)(const struct tensor *t);
  const char *(*get_name)(const struct tensor *t);
  void *(*get_data)(const struct tensor *t);
  size_t (*overhead)(void);
  void (*tensor_get)(const struct tensor *t, void *data, size_t offset, size_t size);
  bool (*buffer_is_host)(void *buffer);
  const char *(*type_traits)(int type);
  void (*set_eval_callback)(void *sched, bool (*cb)(struct tensor *, bool, void *), void *data);
  char path[1024]; /* of the library */
};

/* Null when the layout holds for this node, else what does not. */
const char *tensor_layout_fault(const struct ggml *g, const struct tensor *t);

/* Whether the values can be read in place. */
bool tensor_on_host(const struct ggml *g, const struct tensor *t);

/* Copies all values, from the first element to the last; false where there are none. */
bool tensor_copy(const struct ggml *g, const struct tensor *t, void *into, size_t bytes);

static inline int64_t tensor_elements(const struct tensor *t) {
  return t->ne[0] * t->ne[1] * t->ne[2] * t->ne[3];
}

/* Whether this is dense float32. */
bool tensor_dense(const struct tensor *t);

#endif
