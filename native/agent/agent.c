/*
 * The agent: sees the forward passes of a llama.cpp that it knows nothing of but ggml_tensor.
 *
 * It stands in for a few functions that llama.cpp calls across its libraries, by LD_PRELOAD or by
 * patched jump slots (patch.c), and calls the real ones. Nothing is observed that the tracer did
 * not ask for, nothing is printed, errno and the program's own callback are left as they are.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "channel.h"
#include "graph.h"
#include "patch.h"
#include "rows.h"
#include "statistics.h"
#include "tensor.h"

#define EXPORT __attribute__((visibility("default")))

enum { MOST_CONTEXTS = 64, MOST_REAL = 128, MOST_GGML = 8, MOST_PARTS = 4, CHUNK = 1 << 20 };

struct llama_batch {
  int32_t n_tokens;
  int32_t *token;
  float *embd;
  int32_t *pos;
  int32_t *n_seq_id;
  int32_t **seq_id;
  int8_t *logits;
};

typedef bool (*eval_fn)(struct tensor *t, bool ask, void *data);

/* Graphs of one structure, as the tracer knows them. */
struct topology {
  uint64_t hash;
  int64_t rows;
  uint32_t count;
  struct changed_tensor *shown;
};

struct staging {
  char *bytes;
  size_t capacity;
};

/* A scheduler of ggml: one context of llama.cpp. */
struct context {
  void *scheduler;
  void *llama;
  const struct ggml *ggml;
  eval_fn chained;
  void *chained_data;
  pid_t pid;
  uint32_t generation; /* of the tracer */
  bool armed;   /* our callback is set */
  bool rebuilt; /* a graph may be another at the same addresses */
  bool silent;  /* the layout does not hold, or there is no slot */
  bool checked;
  bool unchanged; /* the graph is the one before, used again: its sizes are known to the tracer */
  const void *last_graph;
  struct slot *slot;
  struct ring ring;
  struct graph graph;
  struct topology topologies[MAX_TOPOLOGIES];
  uint32_t topology_count;
  uint32_t topology;
  uint32_t surveys;
  bool watching; /* a pass runs that the tracer has a plan for */
  uint32_t plan_version;
  uint32_t plan_topology;
  uint8_t plan[MAX_NODES];
  uint32_t cursor;
  uint32_t current;
  bool mine;
  bool theirs;
  struct rows rows;
  struct staging node_copy; /* of values in a device's memory */
  struct staging mask_copy;
  void *memory; /* llama_memory, where this generation has one */
};

/* What the thread decodes at the moment. */
struct decoding {
  void *llama;
  const struct llama_batch *batch;
  struct context *told;
  bool warmup;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct context *contexts[MOST_CONTEXTS];
static struct ggml ggmls[MOST_GGML];
static int ggml_count;
static __thread struct decoding decoding __attribute__((tls_model("global-dynamic")));
static void *warming;

/* ---- the real functions ---- */

struct found {
  const char *name;
  const void *caller;
  void *function;
};

static struct found founds[MOST_REAL];
static _Atomic int found_count;

static bool is_ours(const void *p) {
  static const void *base;
  Dl_info info;
  if (base == NULL && dladdr((const void *)&is_ours, &info) != 0) {
    base = info.dli_fbase;
  }
  return dladdr(p, &info) != 0 && info.dli_fbase == base;
}

static void *symbol_in(const char *file, const char *name) {
  void *handle = file == NULL || file[0] == 0 ? NULL : dlopen(file, RTLD_LAZY | RTLD_NOLOAD);
  if (handle == NULL) {
    return NULL;
  }
  void *p = dlsym(handle, name);
  dlclose(handle);
  return p == NULL || is_ours(p) ? NULL : p;
}

struct search {
  const char *name;
  void *found;
};

static int search_object(struct dl_phdr_info *info, size_t size, void *data) {
  (void)size;
  struct search *s = data;
  s->found = symbol_in(info->dlpi_name, s->name);
  return s->found != NULL;
}

static void *search_real(const char *name, const void *caller) {
  Dl_info info;
  void *p = NULL;
  /* Libraries opened with RTLD_LOCAL show their symbols only to who asks them by name. */
  if (dladdr(caller, &info) != 0) {
    p = symbol_in(info.dli_fname, name);
  }
  if (p == NULL) {
    p = dlsym(RTLD_NEXT, name);
    p = p != NULL && is_ours(p) ? NULL : p;
  }
  if (p == NULL) {
    struct search s = {name, NULL};
    dl_iterate_phdr(search_object, &s);
    p = s.found;
  }
  return p;
}

/* The function that a caller would have reached without us. */
static void *real(const char *name, const void *caller) {
  int n = atomic_load_explicit(&found_count, memory_order_acquire);
  for (int i = 0; i < n; i++) {
    if (founds[i].caller == caller && founds[i].name == name) {
      return founds[i].function;
    }
  }
  int saved = errno;
  void *p = search_real(name, caller);
  dlerror();
  errno = saved;
  if (p != NULL) {
    pthread_mutex_lock(&lock);
    n = atomic_load(&found_count);
    if (n < MOST_REAL) {
      founds[n] = (struct found){name, caller, p};
      atomic_store_explicit(&found_count, n + 1, memory_order_release);
    }
    pthread_mutex_unlock(&lock);
  }
  return p;
}

static const char SET_CALLBACK[] = "ggml_backend_sched_set_eval_callback";
static const char COMPUTE[] = "ggml_backend_sched_graph_compute_async";
static const char FREE[] = "ggml_backend_sched_free";
static const char DECODE[] = "llama_decode";
static const char WARMUP[] = "llama_set_warmup";
static const char GET_MEMORY[] = "llama_get_memory";

#define TAKE(field, name)                        \
  do {                                           \
    *(void **)&g->field = symbol_in(file, name); \
    whole &= g->field != NULL;                   \
  } while (0)

/* The ggml that a function of it lies in; null when it lacks something. */
static const struct ggml *ggml_of(const void *function) {
  Dl_info info;
  if (function == NULL || dladdr(function, &info) == 0) {
    return NULL;
  }
  const char *file = info.dli_fname;
  const struct ggml *known = NULL;
  pthread_mutex_lock(&lock);
  for (int i = 0; i < ggml_count; i++) {
    if (strcmp(ggmls[i].path, file) == 0) {
      known = &ggmls[i];
    }
  }
  if (known == NULL && ggml_count < MOST_GGML && strlen(file) < sizeof ggmls[0].path) {
    struct ggml *g = &ggmls[ggml_count];
    bool whole = true;
    strcpy(g->path, file);
    TAKE(graph_n_nodes, "ggml_graph_n_nodes");
    TAKE(graph_node, "ggml_graph_node");
    TAKE(op_name, "ggml_op_name");
    TAKE(op_desc, "ggml_op_desc");
    TAKE(nbytes, "ggml_nbytes");
    TAKE(nelements, "ggml_nelements");
    TAKE(get_name, "ggml_get_name");
    TAKE(get_data, "ggml_get_data");
    TAKE(overhead, "ggml_tensor_overhead");
    TAKE(tensor_get, "ggml_backend_tensor_get");
    TAKE(buffer_is_host, "ggml_backend_buffer_is_host");
    TAKE(set_eval_callback, "ggml_backend_sched_set_eval_callback");
    TAKE(type_traits, "ggml_get_type_traits");
    if (whole) {
      ggml_count++;
      known = g;
    }
  }
  pthread_mutex_unlock(&lock);
  return known;
}

/* ---- contexts ---- */

static struct context *context_of(void *scheduler, bool make) {
  struct context *c = NULL;
  pthread_mutex_lock(&lock);
  int free_at = -1;
  for (int i = 0; i < MOST_CONTEXTS; i++) {
    if (contexts[i] != NULL && contexts[i]->scheduler == scheduler) {
      c = contexts[i];
    } else if (contexts[i] == NULL && free_at < 0) {
      free_at = i;
    }
  }
  if (c == NULL && make && free_at >= 0) {
    c = calloc(1, sizeof *c);
    if (c != NULL) {
      c->scheduler = scheduler;
      c->pid = getpid();
      contexts[free_at] = c;
    }
  }
  pthread_mutex_unlock(&lock);
  return c;
}

static void forget_topologies(struct context *c) {
  for (uint32_t i = 0; i < c->topology_count; i++) {
    free(c->topologies[i].shown);
  }
  memset(c->topologies, 0, sizeof c->topologies);
  c->topology_count = 0;
}

static void context_free(void *scheduler) {
  struct context *c = NULL;
  pthread_mutex_lock(&lock);
  for (int i = 0; i < MOST_CONTEXTS; i++) {
    if (contexts[i] != NULL && contexts[i]->scheduler == scheduler) {
      c = contexts[i];
      contexts[i] = NULL;
    }
  }
  pthread_mutex_unlock(&lock);
  if (c == NULL) {
    return;
  }
  if (c->slot != NULL && c->pid == getpid() && c->generation == channel_generation() && channel_live()) {
    slot_done(c->slot);
  }
  forget_topologies(c);
  graph_free(&c->graph);
  rows_free(&c->rows);
  free(c->node_copy.bytes);
  free(c->mask_copy.bytes);
  free(c);
}

static void note(struct context *c, const char *text) {
  uint64_t bytes = strlen(text);
  struct note_record *n = ring_begin(&c->ring, RECORD_NOTE, sizeof *n + bytes);
  if (n != NULL) {
    n->bytes = bytes;
    memcpy(n + 1, text, bytes);
    ring_commit(&c->ring);
  }
}

/* A slot for this context, in this process: after a fork the child needs one of its own. */
static bool has_slot(struct context *c) {
  pid_t pid = getpid();
  if (c->slot != NULL && c->pid == pid && c->generation == channel_generation()) {
    return true;
  }
  c->pid = pid;
  c->generation = channel_generation();
  forget_topologies(c);
  c->surveys = 0;
  c->slot = slot_claim();
  if (c->slot == NULL) {
    c->silent = true;
    return false;
  }
  ring_open(&c->ring, c->slot);
  uint32_t path = (uint32_t)padded(strlen(c->ggml->path) + 1);
  struct hello_record *h = ring_begin(&c->ring, RECORD_HELLO, sizeof *h + path);
  if (h != NULL) {
    h->context = (uint64_t)(uintptr_t)c->llama;
    h->scheduler = (uint64_t)(uintptr_t)c->scheduler;
    h->pid = (uint32_t)pid;
    h->thread = (uint32_t)syscall(SYS_gettid);
    h->path_bytes = path;
    h->reserved = 0;
    memset(h + 1, 0, path);
    memcpy(h + 1, c->ggml->path, strlen(c->ggml->path));
    ring_commit(&c->ring);
  }
  return true;
}

/* ---- what the tracer is told of a graph ---- */

static uint32_t op_number(struct context *c, struct survey_op *ops, uint32_t *count, const struct tensor *t) {
  const char *name = c->ggml->op_name(t->op);
  const char *description = t->op == 0 ? name : c->ggml->op_desc(t);
  for (uint32_t i = 0; i < *count; i++) {
    if (strncmp(ops[i].name, name, sizeof ops[i].name - 1) == 0 &&
        strncmp(ops[i].description, description, sizeof ops[i].description - 1) == 0) {
      return i;
    }
  }
  if (*count == 256) {
    return 0;
  }
  struct survey_op *op = &ops[(*count)++];
  memset(op, 0, sizeof *op);
  strncpy(op->name, name, sizeof op->name - 1);
  strncpy(op->description, description, sizeof op->description - 1);
  return *count - 1;
}

static bool survey(struct context *c, uint32_t number) {
  static struct survey_op ops[256];
  static pthread_mutex_t ops_lock = PTHREAD_MUTEX_INITIALIZER;
  struct graph *g = &c->graph;
  pthread_mutex_lock(&ops_lock);
  uint32_t count = 0;
  for (uint32_t i = 0; i < g->count; i++) {
    op_number(c, ops, &count, g->entries[i].tensor);
  }
  struct survey_record *s = ring_begin(
      &c->ring, RECORD_SURVEY,
      sizeof *s + count * sizeof(struct survey_op) + (uint64_t)g->count * sizeof(struct survey_tensor));
  if (s != NULL) {
    s->topology = number;
    s->tensors = g->count;
    s->nodes = g->node_count;
    s->ops = count;
    struct survey_op *names = (struct survey_op *)(s + 1);
    memcpy(names, ops, count * sizeof *names);
    struct survey_tensor *out = (struct survey_tensor *)(names + count);
    for (uint32_t i = 0; i < g->count; i++, out++) {
      const struct entry *e = &g->entries[i];
      const struct tensor *t = e->tensor;
      memset(out, 0, sizeof *out);
      out->address = (uint64_t)(uintptr_t)t;
      for (int d = 0; d < 4; d++) {
        out->ne[d] = t->ne[d];
        out->nb[d] = t->nb[d];
      }
      out->view_offset = t->view_offs;
      out->type = t->type;
      out->flags = t->flags;
      memcpy(out->params, t->params, sizeof out->params);
      out->op = op_number(c, ops, &count, t);
      out->node = e->node;
      out->view = e->view;
      memcpy(out->sources, e->sources, sizeof out->sources);
      memcpy(out->name, t->name, sizeof out->name);
    }
    ring_commit(&c->ring);
  }
  pthread_mutex_unlock(&ops_lock);
  return s != NULL;
}

/* Finds the graph's structure among those known, or tells the tracer of it and awaits its plan. */
static bool recognise(struct context *c) {
  struct graph *g = &c->graph;
  uint32_t i = 0;
  while (i < c->topology_count && (c->topologies[i].hash != g->hash || c->topologies[i].count != g->count)) {
    i++;
  }
  bool is_new = i == c->topology_count;
  if (is_new && i == MAX_TOPOLOGIES) {
    return false;
  }
  struct topology *t = &c->topologies[i];
  /* Which dimension counts tokens shows only where there are several. */
  bool again = !is_new && t->rows == 1 && g->rows > 1;
  if (is_new || again) {
    struct changed_tensor *shown = realloc(t->shown, g->count * sizeof *shown);
    if (shown == NULL) {
      return false;
    }
    t->shown = shown;
    t->hash = g->hash;
    t->count = g->count;
    t->rows = g->rows;
    for (uint32_t k = 0; k < g->count; k++) {
      graph_sizes(g->entries[k].tensor, k, &t->shown[k]);
    }
    if (is_new) {
      c->topology_count++;
    }
    if (!survey(c, i)) {
      c->topology_count -= is_new;
      t->hash = 0;
      return false;
    }
    c->surveys++;
    if (!channel_answered(c->slot, c->surveys)) {
      return false;
    }
  }
  c->topology = i;
  return true;
}

/* ---- decodes and passes ---- */

static void tell_decode(struct context *c) {
  const struct llama_batch *b = decoding.batch;
  if (b == NULL || decoding.told == c || b->token == NULL || b->n_tokens <= 0) {
    return;
  }
  decoding.told = c;
  uint32_t n = (uint32_t)b->n_tokens;
  struct decode_record *d =
      ring_begin(&c->ring, RECORD_DECODE, sizeof *d + (uint64_t)n * sizeof(struct token_entry));
  if (d == NULL) {
    return;
  }
  d->tokens = n;
  d->warmup = decoding.warmup;
  struct token_entry *out = (struct token_entry *)(d + 1);
  for (uint32_t i = 0; i < n; i++) {
    out[i].token = b->token[i];
    out[i].position = b->pos == NULL ? -1 : b->pos[i];
    bool named = b->seq_id != NULL && b->n_seq_id != NULL && b->n_seq_id[i] > 0;
    out[i].sequence = named ? b->seq_id[i][0] : 0;
    out[i].output = b->logits == NULL ? i == n - 1 : b->logits[i] != 0;
  }
  ring_commit(&c->ring);
}

static void read_plan(struct context *c) {
  uint32_t version = atomic_load_explicit(&c->slot->plan_version, memory_order_acquire);
  if (version != c->plan_version || c->topology != c->plan_topology) {
    memcpy(c->plan, slot_plan(c->slot, c->topology), c->graph.node_count);
    c->plan_version = version;
    c->plan_topology = c->topology;
  }
}

/* The input of a node that the tracer wants: number of its entry plus one, 0 for none. */
static uint32_t input_of(const struct context *c, uint32_t node) {
  return (c->plan[node] & WANT_INPUT) == 0 ? 0 : c->graph.entries[c->graph.nodes[node]].sources[1];
}

/* Sizes that are not as the tracer knows them, and inputs that it wants. */
static bool tell_pass(struct context *c) {
  struct graph *g = &c->graph;
  struct topology *t = &c->topologies[c->topology];
  uint32_t changed = 0;
  uint64_t bytes = sizeof(struct pass_record);
  for (uint32_t i = 0; i < g->count && !c->unchanged; i++) {
    struct changed_tensor now;
    graph_sizes(g->entries[i].tensor, i, &now);
    changed += memcmp(&now, &t->shown[i], sizeof now) != 0;
  }
  bytes += changed * sizeof(struct changed_tensor);
  uint32_t parts = 0;
  for (uint32_t i = 0; i < g->node_count; i++) {
    uint32_t source = input_of(c, i);
    if (source != 0 && tensor_on_host(c->ggml, g->entries[source - 1].tensor)) {
      parts++;
      bytes += sizeof(struct part) + padded(c->ggml->nbytes(g->entries[source - 1].tensor));
    }
  }
  struct pass_record *p = ring_begin(&c->ring, RECORD_PASS, bytes);
  if (p == NULL) {
    return false;
  }
  p->topology = c->topology;
  p->changed = changed;
  p->parts = parts;
  p->known = c->plan_version << 1 | (decoding.told == c);
  struct changed_tensor *out = (struct changed_tensor *)(p + 1);
  for (uint32_t i = 0; i < g->count && changed > 0; i++) {
    struct changed_tensor now;
    graph_sizes(g->entries[i].tensor, i, &now);
    if (memcmp(&now, &t->shown[i], sizeof now) != 0) {
      *out++ = now;
      t->shown[i] = now;
    }
  }
  char *at = (char *)out;
  for (uint32_t i = 0; i < g->node_count; i++) {
    uint32_t source = input_of(c, i);
    const struct tensor *in = source == 0 ? NULL : g->entries[source - 1].tensor;
    if (in == NULL || !tensor_on_host(c->ggml, in)) {
      continue;
    }
    struct part *part = (struct part *)at;
    part->tensor = source - 1;
    part->kind = PART_DATA;
    part->bytes = c->ggml->nbytes(in);
    if (!tensor_copy(c->ggml, in, part + 1, part->bytes)) {
      memset(part + 1, 0, padded(part->bytes));
    }
    at += sizeof *part + padded(part->bytes);
  }
  ring_commit(&c->ring);
  return true;
}

/* ---- values ---- */

struct source_of_part {
  uint32_t tensor;
  uint32_t kind;
  uint64_t bytes;
  const char *memory;
};

static struct element element_of(const struct ggml *g, int32_t type) {
  const char *traits = g->type_traits(type);
  struct element e;
  memcpy(&e.block, traits + 8, sizeof e.block);
  memcpy(&e.block_bytes, traits + 24, sizeof e.block_bytes);
  memcpy(&e.to_float, traits + 40, sizeof e.to_float);
  if (type == TYPE_F32) {
    e.to_float = NULL;
  }
  return e;
}

/* Values in this process's memory; those of a device are copied first. */
static const char *values_of(struct context *c, struct staging *copy, const struct tensor *t, size_t bytes) {
  if (tensor_on_host(c->ggml, t)) {
    return t->data;
  }
  if (copy->capacity < bytes) {
    free(copy->bytes);
    copy->bytes = malloc(bytes);
    copy->capacity = copy->bytes == NULL ? 0 : bytes;
  }
  return copy->bytes != NULL && tensor_copy(c->ggml, t, copy->bytes, bytes) ? copy->bytes : NULL;
}

static void send_chunks(struct context *c, const struct source_of_part *s) {
  uint64_t most = ring_most(&c->ring) / 2 < CHUNK ? ring_most(&c->ring) / 2 : CHUNK;
  for (uint64_t at = 0; at < s->bytes; at += most) {
    uint64_t n = s->bytes - at < most ? s->bytes - at : most;
    struct chunk_record *r = ring_begin(&c->ring, RECORD_CHUNK, sizeof *r + n);
    if (r == NULL) {
      return;
    }
    r->offset = at;
    r->bytes = n;
    memcpy(r + 1, s->memory + at, n);
    ring_commit(&c->ring);
  }
}

static void send_value(struct context *c, uint32_t node, const struct statistics *st,
                       const struct source_of_part *parts, uint32_t count) {
  uint64_t inside = sizeof(struct value_record);
  for (uint32_t i = 0; i < count; i++) {
    inside += sizeof(struct part) + padded(parts[i].bytes);
  }
  bool chunked = inside > ring_most(&c->ring) / 2;
  uint64_t bytes = chunked ? sizeof(struct value_record) + count * sizeof(struct part) : inside;
  struct value_record *v = ring_begin(&c->ring, RECORD_VALUE, bytes);
  if (v == NULL) {
    return;
  }
  v->node = node;
  v->has_statistics = st != NULL;
  if (st != NULL) {
    v->statistics = *st;
  } else {
    memset(&v->statistics, 0, sizeof v->statistics);
  }
  v->parts = count;
  v->reserved = 0;
  char *at = (char *)(v + 1);
  for (uint32_t i = 0; i < count; i++) {
    struct part *p = (struct part *)at;
    p->tensor = parts[i].tensor;
    p->kind = parts[i].kind | (chunked ? PART_CHUNKED : 0);
    p->bytes = parts[i].bytes;
    at += sizeof *p;
    if (!chunked) {
      memcpy(at, parts[i].memory, parts[i].bytes);
      at += padded(parts[i].bytes);
    }
  }
  ring_commit(&c->ring);
  for (uint32_t i = 0; chunked && i < count; i++) {
    send_chunks(c, &parts[i]);
  }
}

static void observe(struct context *c, const struct tensor *t) {
  uint32_t node = c->current;
  uint8_t want = c->plan[node];
  const struct entry *e = &c->graph.entries[c->graph.nodes[node]];
  struct source_of_part parts[MOST_PARTS];
  uint32_t count = 0;
  struct statistics st;
  bool counted = false;
  size_t bytes = c->ggml->nbytes(t);
  if (tensor_elements(t) == 0) {
    return;
  }
  if ((want & (WANT_STATISTICS | WANT_DATA)) != 0) {
    const char *values = values_of(c, &c->node_copy, t, bytes);
    if (values == NULL) {
      return;
    }
    if ((want & WANT_STATISTICS) != 0 && tensor_dense(t)) {
      statistics_clear(&st);
      statistics_add(&st, (const float *)values, tensor_elements(t),
                     atomic_load_explicit(&c->slot->any_order, memory_order_relaxed) != 0);
      counted = true;
    }
    if ((want & WANT_DATA) != 0 || !counted) {
      parts[count++] = (struct source_of_part){c->graph.nodes[node], PART_DATA, bytes, values};
    }
  }
  bool fused = strcmp(c->ggml->op_name(t->op), "FLASH_ATTN_EXT") == 0;
  if (fused && (want & WANT_ROWS) != 0) {
    const struct tensor *mask = t->src[3];
    size_t n = rows_compute(&c->rows, c->ggml, t, element_of(c->ggml, t->src[0]->type),
                            element_of(c->ggml, t->src[1]->type),
                            element_of(c->ggml, mask == NULL ? TYPE_F32 : mask->type), c->slot->heads,
                            MAX_HEADS);
    if (n == 0) {
      return;
    }
    parts[count++] =
        (struct source_of_part){c->graph.nodes[node], PART_ROWS, n, (const char *)c->rows.weights};
  }
  if ((want & WANT_MASK) != 0) {
    uint32_t mask = e->sources[fused ? 3 : 1];
    if (mask != 0) {
      const struct tensor *m = c->graph.entries[mask - 1].tensor;
      size_t n = c->ggml->nbytes(m);
      const char *values = values_of(c, &c->mask_copy, m, n);
      if (values == NULL) {
        return;
      }
      parts[count++] = (struct source_of_part){mask - 1, PART_DATA, n, values};
    }
  }
  send_value(c, node, counted ? &st : NULL, parts, count);
}

/* What a device works on is copied there just before; the program's own tensor is not in the graph. */
static void tell_device_input(struct context *c, uint32_t node) {
  uint32_t source = input_of(c, node);
  const struct tensor *in = source == 0 ? NULL : c->graph.entries[source - 1].tensor;
  if (in == NULL || tensor_on_host(c->ggml, in)) {
    return;
  }
  uint64_t bytes = c->ggml->nbytes(in);
  struct input_record *r = ring_begin(&c->ring, RECORD_INPUT, sizeof *r + padded(bytes));
  if (r == NULL) {
    return;
  }
  r->tensor = source - 1;
  r->reserved = 0;
  r->bytes = bytes;
  if (!tensor_copy(c->ggml, in, r + 1, bytes)) {
    r->bytes = 0;
  }
  ring_commit(&c->ring);
}

/* ---- the callback ---- */

static bool find_node(struct context *c, const struct tensor *t) {
  const struct graph *g = &c->graph;
  for (uint32_t i = c->cursor; i < g->node_count; i++) {
    if (g->entries[g->nodes[i]].tensor == t) {
      c->current = i;
      c->cursor = i + 1;
      return true;
    }
  }
  return false;
}

static bool wanted(const struct context *c) {
  return (c->plan[c->current] & (WANT_STATISTICS | WANT_DATA | WANT_MASK | WANT_ROWS)) != 0;
}

static bool on_node(struct tensor *t, bool ask, void *data) {
  struct context *c = data;
  if (ask) {
    bool found = c->watching && t != NULL && find_node(c, t);
    if (found) {
      int saved = errno;
      tell_device_input(c, c->current);
      errno = saved;
    }
    c->mine = found && wanted(c);
    c->theirs = c->chained != NULL && c->chained(t, true, c->chained_data);
    return c->mine || c->theirs;
  }
  if (c->mine && c->watching && t != NULL) {
    int saved = errno;
    observe(c, t);
    errno = saved;
  }
  return c->theirs && c->chained != NULL ? c->chained(t, false, c->chained_data) : true;
}

/* When the last context has its own callback back, nothing of ours is left in the program's way. */
static void leave_when_unused(void) {
  bool used = false;
  pthread_mutex_lock(&lock);
  for (int i = 0; i < MOST_CONTEXTS; i++) {
    used |= contexts[i] != NULL && contexts[i]->armed;
  }
  pthread_mutex_unlock(&lock);
  if (!used) {
    patch_undo();
    channel_forget();
  }
}

static void begin_pass(struct context *c, void *graph) {
  c->watching = false;
  if (c->silent || !channel_live()) {
    return;
  }
  if (c->llama == NULL) {
    c->llama = decoding.llama;
  }
  if (!has_slot(c)) {
    return;
  }
  const struct ggml *g = c->ggml;
  /* llama.cpp sets its callback whenever it builds a graph anew; looking at all of one costs. */
  c->unchanged = !c->rebuilt && c->last_graph == graph && graph_looks_same(&c->graph, g, graph) &&
                 c->plan_topology == c->topology && c->generation == channel_generation() && c->pid == getpid();
  c->last_graph = graph;
  if (!c->unchanged && (c->rebuilt || !graph_same(&c->graph, g, graph))) {
    c->rebuilt = false;
    if (!graph_read(&c->graph, g, graph)) {
      c->graph.count = 0;
      note(c, "a graph is too large to be followed");
      return;
    }
    c->plan_topology = UINT32_MAX;
    if (!c->checked) {
      for (uint32_t i = 0; i < c->graph.count; i++) {
        const char *fault = tensor_layout_fault(g, c->graph.entries[i].tensor);
        if (fault != NULL) {
          note(c, fault);
          c->silent = true;
          return;
        }
      }
      c->checked = true;
    }
  }
  tell_decode(c);
  if (!recognise(c)) {
    return;
  }
  read_plan(c);
  c->cursor = 0;
  c->watching = tell_pass(c);
  /* What was not told must be, next time. */
  c->rebuilt |= !c->watching;
}

static void end_pass(struct context *c, int code) {
  if (!c->watching) {
    return;
  }
  c->watching = false;
  struct end_record *e = ring_begin(&c->ring, RECORD_PASS_END, sizeof *e);
  if (e != NULL) {
    e->code = code;
    e->reserved = 0;
    ring_commit(&c->ring);
  }
}

/* ---- the functions that llama.cpp calls ---- */

void agent_set_eval_callback(void *sched, eval_fn callback, void *data, const void *caller) {
  void (*set)(void *, eval_fn, void *) = (void (*)(void *, eval_fn, void *))real(SET_CALLBACK, caller);
  if (set == NULL) {
    return;
  }
  struct context *c = channel_live() ? context_of(sched, true) : context_of(sched, false);
  if (c == NULL || callback == on_node) {
    set(sched, callback, data);
    return;
  }
  c->chained = callback;
  c->chained_data = data;
  c->rebuilt = true;
  c->armed = channel_live();
  if (c->armed) {
    set(sched, on_node, c);
  } else {
    set(sched, callback, data);
  }
}

int agent_graph_compute_async(void *sched, void *graph, const void *caller) {
  int (*compute)(void *, void *) = (int (*)(void *, void *))real(COMPUTE, caller);
  if (compute == NULL) {
    return -1;
  }
  bool live = channel_live();
  struct context *c = context_of(sched, live);
  if (c == NULL) {
    return compute(sched, graph);
  }
  int saved = errno;
  if (c->ggml == NULL) {
    c->ggml = ggml_of((const void *)compute);
    c->silent |= c->ggml == NULL;
  }
  if (c->ggml != NULL && live != c->armed) {
    /* A tracer that came after the graph was built, or has gone. */
    c->armed = live;
    c->ggml->set_eval_callback(sched, live ? on_node : c->chained, live ? c : c->chained_data);
    if (!live) {
      leave_when_unused();
    }
  }
  begin_pass(c, graph);
  errno = saved;
  int code = compute(sched, graph);
  saved = errno;
  end_pass(c, code);
  errno = saved;
  return code;
}

void agent_sched_free(void *sched, const void *caller) {
  void (*release)(void *) = (void (*)(void *))real(FREE, caller);
  if (sched != NULL) {
    context_free(sched);
  }
  if (release != NULL) {
    release(sched);
  }
}

int agent_decode(const char *name, void *llama, const struct llama_batch *batch, const void *caller) {
  int32_t (*decode)(void *, struct llama_batch) =
      (int32_t (*)(void *, struct llama_batch))real(name, caller);
  if (decode == NULL) {
    return -1;
  }
  void *(*memory)(void *) = (void *(*)(void *))real(GET_MEMORY, caller);
  struct decoding before = decoding;
  decoding = (struct decoding){llama, batch, NULL, warming == llama};
  int32_t code = decode(llama, *batch);
  struct context *c = decoding.told;
  decoding = before;
  if (c != NULL && c->pid == getpid() && channel_live()) {
    int saved = errno;
    c->memory = memory == NULL ? NULL : memory(llama);
    struct end_record *e = ring_begin(&c->ring, RECORD_DECODE_END, sizeof *e);
    if (e != NULL) {
      e->code = code;
      e->reserved = 0;
      ring_commit(&c->ring);
    }
    errno = saved;
  }
  return code;
}

/* ---- what the program does to its KV cache ---- */

static void tell_memory(void *memory, struct memory_record what) {
  struct context *c = NULL;
  if (!channel_live()) {
    return;
  }
  pthread_mutex_lock(&lock);
  for (int i = 0; i < MOST_CONTEXTS; i++) {
    if (contexts[i] != NULL && (contexts[i]->memory == memory || contexts[i]->llama == memory)) {
      c = contexts[i];
    }
  }
  pthread_mutex_unlock(&lock);
  if (c == NULL || c->slot == NULL || c->pid != getpid() || c->generation != channel_generation()) {
    return;
  }
  int saved = errno;
  struct memory_record *m = ring_begin(&c->ring, RECORD_MEMORY, sizeof *m);
  if (m != NULL) {
    what.r = m->r;
    *m = what;
    ring_commit(&c->ring);
  }
  errno = saved;
}

/* llama_memory_* of today, and llama_kv_self_* of before, which takes the context. */
#define MEMORY_FUNCTIONS(prefix)                                                                       \
  EXPORT void prefix##_clear(void *memory, bool data) {                                                \
    static const char name[] = #prefix "_clear";                                                       \
    void (*f)(void *, bool) = (void (*)(void *, bool))real(name, CALLER);                              \
    if (f == NULL) return;                                                                             \
    f(memory, data);                                                                                   \
    tell_memory(memory, (struct memory_record){.what = MEMORY_CLEAR});                                 \
  }                                                                                                    \
  EXPORT bool prefix##_seq_rm(void *memory, int32_t s, int32_t from, int32_t to) {                     \
    static const char name[] = #prefix "_seq_rm";                                                      \
    bool (*f)(void *, int32_t, int32_t, int32_t) =                                                     \
        (bool (*)(void *, int32_t, int32_t, int32_t))real(name, CALLER);                               \
    if (f == NULL || !f(memory, s, from, to)) return false;                                            \
    tell_memory(memory, (struct memory_record){.what = MEMORY_REMOVE, .sequence = s, .from = from, .to = to}); \
    return true;                                                                                       \
  }                                                                                                    \
  EXPORT void prefix##_seq_cp(void *memory, int32_t s, int32_t other, int32_t from, int32_t to) {      \
    static const char name[] = #prefix "_seq_cp";                                                      \
    void (*f)(void *, int32_t, int32_t, int32_t, int32_t) =                                            \
        (void (*)(void *, int32_t, int32_t, int32_t, int32_t))real(name, CALLER);                      \
    if (f == NULL) return;                                                                             \
    f(memory, s, other, from, to);                                                                     \
    tell_memory(memory, (struct memory_record){                                                        \
                            .what = MEMORY_COPY, .sequence = s, .other = other, .from = from, .to = to}); \
  }                                                                                                    \
  EXPORT void prefix##_seq_keep(void *memory, int32_t s) {                                             \
    static const char name[] = #prefix "_seq_keep";                                                    \
    void (*f)(void *, int32_t) = (void (*)(void *, int32_t))real(name, CALLER);                        \
    if (f == NULL) return;                                                                             \
    f(memory, s);                                                                                      \
    tell_memory(memory, (struct memory_record){.what = MEMORY_KEEP, .sequence = s});                   \
  }                                                                                                    \
  EXPORT void prefix##_seq_add(void *memory, int32_t s, int32_t from, int32_t to, int32_t delta) {     \
    static const char name[] = #prefix "_seq_add";                                                     \
    void (*f)(void *, int32_t, int32_t, int32_t, int32_t) =                                            \
        (void (*)(void *, int32_t, int32_t, int32_t, int32_t))real(name, CALLER);                      \
    if (f == NULL) return;                                                                             \
    f(memory, s, from, to, delta);                                                                     \
    tell_memory(memory, (struct memory_record){                                                        \
                            .what = MEMORY_SHIFT, .sequence = s, .from = from, .to = to, .delta = delta}); \
  }

#define CALLER __builtin_extract_return_addr(__builtin_return_address(0))

EXPORT void ggml_backend_sched_set_eval_callback(void *sched, eval_fn callback, void *data) {
  agent_set_eval_callback(sched, callback, data, CALLER);
}

EXPORT int ggml_backend_sched_graph_compute_async(void *sched, void *graph) {
  return agent_graph_compute_async(sched, graph, CALLER);
}

EXPORT void ggml_backend_sched_free(void *sched) { agent_sched_free(sched, CALLER); }

EXPORT int32_t llama_decode(void *llama, struct llama_batch batch) {
  return agent_decode(DECODE, llama, &batch, CALLER);
}

EXPORT void llama_set_warmup(void *llama, bool on) {
  void (*set)(void *, bool) = (void (*)(void *, bool))real(WARMUP, CALLER);
  warming = on ? llama : NULL;
  if (set != NULL) {
    set(llama, on);
  }
}

MEMORY_FUNCTIONS(llama_memory)
MEMORY_FUNCTIONS(llama_kv_self)

/*
 * Begins in a process that runs already; called by the thread that was made to load this library.
 * Returns 0, 1 where the tracer's memory cannot be opened, 2 where nothing here calls llama.cpp.
 */
EXPORT int modeltracer_attach(const char *path) {
  const struct replacement replacements[] = {
      {SET_CALLBACK, (void *)ggml_backend_sched_set_eval_callback},
      {COMPUTE, (void *)ggml_backend_sched_graph_compute_async},
      {FREE, (void *)ggml_backend_sched_free},
      {DECODE, (void *)llama_decode},
      {WARMUP, (void *)llama_set_warmup},
      {"llama_memory_clear", (void *)llama_memory_clear},
      {"llama_memory_seq_rm", (void *)llama_memory_seq_rm},
      {"llama_memory_seq_cp", (void *)llama_memory_seq_cp},
      {"llama_memory_seq_keep", (void *)llama_memory_seq_keep},
      {"llama_memory_seq_add", (void *)llama_memory_seq_add},
      {"llama_kv_self_clear", (void *)llama_kv_self_clear},
      {"llama_kv_self_seq_rm", (void *)llama_kv_self_seq_rm},
      {"llama_kv_self_seq_cp", (void *)llama_kv_self_seq_cp},
      {"llama_kv_self_seq_keep", (void *)llama_kv_self_seq_keep},
      {"llama_kv_self_seq_add", (void *)llama_kv_self_seq_add},
  };
  if (!channel_open(path)) {
    return 1;
  }
  return patch_all(replacements, sizeof replacements / sizeof replacements[0]) > 0 ? 0 : 2;
}

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("MODELTRACER_ATTACH");
  if (path != NULL && path[0] != 0) {
    channel_open(path);
  }
}
