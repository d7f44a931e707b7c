#include "tensor.h"

#include <string.h>

const char *tensor_layout_fault(const struct ggml *g, const struct tensor *t) {
  if (g->overhead() != TENSOR_BYTES + 32) {
    return "ggml_tensor has another size";
  }
  for (int d = 0; d < 4; d++) {
    if (t->ne[d] < 0 || t->ne[d] > INT64_C(1) << 40) {
      return "the sizes of a tensor are elsewhere";
    }
  }
  if (g->get_name(t) != t->name || memchr(t->name, 0, sizeof t->name) == NULL) {
    return "the name of a tensor is elsewhere";
  }
  if (g->get_data(t) != t->data) {
    return "the data pointer of a tensor is elsewhere";
  }
  if (g->nelements(t) != tensor_elements(t)) {
    return "the sizes of a tensor are elsewhere";
  }
  if (tensor_dense(t) && g->nbytes(t) != 4 * (size_t)tensor_elements(t)) {
    return "the strides of a tensor are elsewhere";
  }
  if (t->op < 0 || t->op > 200 || g->op_name(t->op) == NULL) {
    return "the operation of a tensor is elsewhere";
  }
  return NULL;
}

static void *buffer_of(const struct tensor *t) {
  return t->buffer != NULL || t->view_src == NULL ? t->buffer : t->view_src->buffer;
}

bool tensor_on_host(const struct ggml *g, const struct tensor *t) {
  void *buffer = buffer_of(t);
  return t->data != NULL && buffer != NULL && g->buffer_is_host(buffer);
}

bool tensor_copy(const struct ggml *g, const struct tensor *t, void *into, size_t bytes) {
  if (t->data == NULL || buffer_of(t) == NULL) {
    return false;
  }
  if (tensor_on_host(g, t)) {
    memcpy(into, t->data, bytes);
  } else {
    g->tensor_get(t, into, 0, bytes);
  }
  return true;
}

bool tensor_dense(const struct tensor *t) {
  if (t->type != TYPE_F32) {
    return false;
  }
  size_t stride = 4;
  for (int d = 0; d < 4; d++) {
    if (t->ne[d] != 1 && t->nb[d] != stride) {
      return false;
    }
    stride *= (size_t)t->ne[d];
  }
  return true;
}
