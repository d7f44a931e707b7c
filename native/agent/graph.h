/* A graph as a table of tensors, found again from pass to pass. */
#ifndef MODELTRACER_GRAPH_H
#define MODELTRACER_GRAPH_H

#include "channel.h"
#include "tensor.h"

struct entry {
  struct tensor *tensor;
  int32_t node; /* place in execution order, -1 for a leaf */
  uint32_t view; /* as sources: number of an earlier entry plus one, 0 for none */
  uint32_t sources[TENSOR_SOURCES];
};

struct graph {
  struct entry *entries;
  uint32_t count;
  uint32_t capacity;
  uint32_t *nodes; /* entry of each node */
  uint32_t node_count;
  uint32_t node_capacity;
  uint64_t hash; /* of the structure, sizes left out */
  int64_t rows;  /* of the first node: as many as tokens */
  uint32_t *index; /* open hash of entries by address */
  uint32_t index_size;
};

/* Reads a graph; false when it is too large to be followed. */
bool graph_read(struct graph *g, const struct ggml *ggml, void *cgraph);

/* Whether the table still describes a graph: same tensors, same operations, same sources. */
bool graph_same(const struct graph *g, const struct ggml *ggml, void *cgraph);

/* The same by a few of its nodes alone. */
bool graph_looks_same(const struct graph *g, const struct ggml *ggml, void *cgraph);

void graph_free(struct graph *g);

/* Sizes of a tensor as they are now. */
void graph_sizes(const struct tensor *t, uint32_t index, struct changed_tensor *out);

#endif
