#include "graph.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_ENTRIES = 65536, NONE = 0 };

static uint64_t mix(uint64_t h, uint64_t x) {
  h ^= x + UINT64_C(0x9E3779B97F4A7C15) + (h << 6) + (h >> 2);
  h *= UINT64_C(0xff51afd7ed558ccd);
  return h ^ (h >> 32);
}

static uint64_t mix_text(uint64_t h, const char *s, size_t most) {
  for (size_t i = 0; i < most && s[i] != 0; i++) {
    h = (h ^ (unsigned char)s[i]) * UINT64_C(0x100000001b3);
  }
  return mix(h, 0);
}

static uint32_t hash_of(const struct tensor *t, uint32_t size) {
  return (uint32_t)(((uintptr_t)t >> 4) * UINT64_C(0x9E3779B97F4A7C15) >> 32) & (size - 1);
}

static bool index_grow(struct graph *g, uint32_t entries) {
  uint32_t size = 1024;
  while (size < 4 * entries) {
    size *= 2;
  }
  if (size <= g->index_size) {
    memset(g->index, 0, g->index_size * sizeof *g->index);
    return true;
  }
  free(g->index);
  g->index = calloc(size, sizeof *g->index);
  g->index_size = g->index == NULL ? 0 : size;
  return g->index != NULL;
}

static uint32_t *find(struct graph *g, const struct tensor *t) {
  uint32_t i = hash_of(t, g->index_size);
  while (g->index[i] != NONE && g->entries[g->index[i] - 1].tensor != t) {
    i = (i + 1) & (g->index_size - 1);
  }
  return &g->index[i];
}

/* The number of a tensor plus one; 0 when there is no room. Sources come before what uses them. */
static uint32_t add(struct graph *g, struct tensor *t, int32_t node, int depth) {
  uint32_t *place = find(g, t);
  if (*place != NONE) {
    return *place;
  }
  struct entry e = {.tensor = t, .node = node};
  if (depth < 64) {
    for (int i = 0; i < TENSOR_SOURCES; i++) {
      /* A cast names itself as its second source. */
      if (t->src[i] != NULL && t->src[i] != t) {
        e.sources[i] = add(g, t->src[i], -1, depth + 1);
      }
    }
    if (t->view_src != NULL && t->view_src != t) {
      e.view = add(g, t->view_src, -1, depth + 1);
    }
  }
  if (g->count == g->capacity || 2 * g->count >= g->index_size) {
    return 0;
  }
  g->entries[g->count++] = e;
  /* What came in meanwhile may have taken the place. */
  place = find(g, t);
  *place = g->count;
  return g->count;
}

bool graph_read(struct graph *g, const struct ggml *ggml, void *cgraph) {
  int n = ggml->graph_n_nodes(cgraph);
  if (n <= 0 || n > (int)MAX_NODES) {
    return false;
  }
  uint32_t want = (uint32_t)n * 4 + 256;
  if (want > MOST_ENTRIES) {
    want = MOST_ENTRIES;
  }
  if (g->capacity < want) {
    free(g->entries);
    g->entries = malloc(want * sizeof *g->entries);
    g->capacity = g->entries == NULL ? 0 : want;
  }
  if (g->node_capacity < (uint32_t)n) {
    free(g->nodes);
    g->nodes = malloc((size_t)n * sizeof *g->nodes);
    g->node_capacity = g->nodes == NULL ? 0 : (uint32_t)n;
  }
  g->count = 0;
  if (g->entries == NULL || g->nodes == NULL || !index_grow(g, want)) {
    return false;
  }
  uint64_t h = 1;
  for (int i = 0; i < n; i++) {
    struct tensor *t = ggml->graph_node(cgraph, i);
    uint32_t at = add(g, t, i, 0);
    if (at == 0) {
      return false;
    }
    struct entry *e = &g->entries[at - 1];
    e->node = i;
    g->nodes[i] = at - 1;
    h = mix(h, (uint64_t)(uint32_t)t->op << 8 | (uint32_t)(uint8_t)t->type);
    h = mix_text(h, t->name, sizeof t->name);
    for (int s = 0; s < TENSOR_SOURCES; s++) {
      h = mix(h, e->sources[s]);
    }
    h = mix(h, e->view);
  }
  g->node_count = (uint32_t)n;
  g->hash = mix(h, g->count);
  const struct tensor *first = g->entries[g->nodes[0]].tensor;
  g->rows = first->ne[1] * first->ne[2] * first->ne[3];
  return true;
}

bool graph_same(const struct graph *g, const struct ggml *ggml, void *cgraph) {
  if (g->count == 0 || ggml->graph_n_nodes(cgraph) != (int)g->node_count) {
    return false;
  }
  for (uint32_t i = 0; i < g->node_count; i++) {
    const struct entry *e = &g->entries[g->nodes[i]];
    const struct tensor *t = ggml->graph_node(cgraph, (int)i);
    if (t != e->tensor) {
      return false;
    }
    for (int s = 0; s < TENSOR_SOURCES; s++) {
      const struct tensor *source = e->sources[s] == 0 ? NULL : g->entries[e->sources[s] - 1].tensor;
      if (t->src[s] != source && t->src[s] != t) {
        return false;
      }
    }
    const struct tensor *viewed = e->view == 0 ? NULL : g->entries[e->view - 1].tensor;
    if (t->view_src != viewed) {
      return false;
    }
  }
  return true;
}

bool graph_looks_same(const struct graph *g, const struct ggml *ggml, void *cgraph) {
  if (g->count == 0 || ggml->graph_n_nodes(cgraph) != (int)g->node_count) {
    return false;
  }
  for (uint32_t i = 0; i < 4; i++) {
    uint32_t at = i * (g->node_count - 1) / 3;
    if (ggml->graph_node(cgraph, (int)at) != g->entries[g->nodes[at]].tensor) {
      return false;
    }
  }
  return true;
}

void graph_sizes(const struct tensor *t, uint32_t index, struct changed_tensor *out) {
  memset(out, 0, sizeof *out);
  out->index = index;
  out->flags = t->flags;
  for (int d = 0; d < 4; d++) {
    out->ne[d] = t->ne[d];
    out->nb[d] = t->nb[d];
  }
  out->view_offset = t->view_offs;
}

void graph_free(struct graph *g) {
  free(g->entries);
  free(g->nodes);
  free(g->index);
  memset(g, 0, sizeof *g);
}
