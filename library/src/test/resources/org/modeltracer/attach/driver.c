/*
 * A program that generates with llama.cpp and knows nothing of being traced. It declares what it
 * calls by itself: parameters are passed in more room than any generation needs.
 *
 * driver MODEL CONTEXTS SEQUENCES FLASH GENERATE REPEAT ID,ID,...
 *
 * With DRIVER_CACHE it rearranges its KV cache instead of generating, of one stream where
 * DRIVER_UNIFIED is set.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct params { long words[64]; };
struct llama_batch {
  int32_t n_tokens; int32_t *token; float *embd; int32_t *pos; int32_t *n_seq_id; int32_t **seq_id; int8_t *logits;
};

struct params llama_model_default_params(void);
struct params llama_context_default_params(void);
void *llama_model_load_from_file(const char *, struct params);
void *llama_init_from_model(void *, struct params);
const void *llama_model_get_vocab(const void *);
int32_t llama_vocab_n_tokens(const void *);
int32_t llama_decode(void *, struct llama_batch);
float *llama_get_logits_ith(void *, int32_t);
void llama_free(void *);
void llama_model_free(void *);
void llama_log_set(void (*)(int, const char *, void *), void *);
void llama_backend_init(void);
void ggml_backend_load_all_from_path(const char *) __attribute__((weak));

/* Of today, and of before. */
#define CACHE(type, name, ...)                                  \
  type llama_memory_##name(void *, __VA_ARGS__) __attribute__((weak)); \
  type llama_kv_self_##name(void *, __VA_ARGS__) __attribute__((weak))
#define CALL(name) (llama_get_memory != NULL ? llama_memory_##name : llama_kv_self_##name)
void *llama_get_memory(void *) __attribute__((weak));
CACHE(void, clear, bool);
CACHE(bool, seq_rm, int32_t, int32_t, int32_t);
CACHE(void, seq_cp, int32_t, int32_t, int32_t, int32_t);
CACHE(void, seq_keep, int32_t);
CACHE(void, seq_add, int32_t, int32_t, int32_t, int32_t);

static int32_t tokens[4096];
static int32_t count;
static int sequences;
static int generate;
static int vocabulary;
static pthread_mutex_t printing = PTHREAD_MUTEX_INITIALIZER;

static void quiet(int level, const char *text, void *data) { (void)level; (void)text; (void)data; }

static int best(const float *logits) {
  int b = 0;
  for (int i = 1; i < vocabulary; i++) b = logits[i] > logits[b] ? i : b;
  return b;
}

static double milliseconds(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

/* Prompts of all sequences in one batch, then a token of each in turn. */
static void *work(void *context) {
  int n = count * sequences;
  int32_t *token = malloc(n * sizeof *token), *pos = malloc(n * sizeof *pos), *one = malloc(n * sizeof *one);
  int32_t *id = malloc(n * sizeof *id), **ids = malloc(n * sizeof *ids);
  int8_t *logits = calloc(n, 1);
  int32_t last[64], place[64];
  char *out = malloc(64 * (size_t)(generate + 1) * sequences + 1);
  size_t used = 0;
  int k = 0;
  for (int s = 0; s < sequences; s++)
    for (int i = 0; i < count; i++, k++) {
      token[k] = tokens[i]; pos[k] = i; one[k] = 1; id[k] = s; ids[k] = &id[k];
      logits[k] = i == count - 1;
      if (logits[k]) { last[s] = k; place[s] = count; }
    }
  struct llama_batch batch = {n, token, NULL, pos, one, ids, logits};
  double wall = 0, cpu = 0;
  for (int step = 0; step <= generate; step++) {
    if (step == 4) { wall = milliseconds(CLOCK_MONOTONIC); cpu = milliseconds(CLOCK_THREAD_CPUTIME_ID); }
    if (llama_decode(context, batch) != 0) { fprintf(stderr, "decode failed\n"); exit(3); }
    for (int s = 0; s < sequences; s++) {
      int chosen = best(llama_get_logits_ith(context, last[s]));
      if (step < generate) used += (size_t)sprintf(out + used, "%d ", chosen);
      token[s] = chosen; pos[s] = place[s]++; one[s] = 1; id[s] = s; ids[s] = &id[s]; logits[s] = 1;
    }
    if (step + 1 >= generate) break;
    for (int s = 0; s < sequences; s++) last[s] = s;
    batch.n_tokens = sequences;
  }
  if (getenv("DRIVER_TIME") != NULL && generate > 4)
    fprintf(stderr, "ms/token: %.3f, cpu %.3f\n", (milliseconds(CLOCK_MONOTONIC) - wall) / (generate - 4),
            (milliseconds(CLOCK_THREAD_CPUTIME_ID) - cpu) / (generate - 4));
  pthread_mutex_lock(&printing);
  printf("%s\n", out);
  fflush(stdout);
  pthread_mutex_unlock(&printing);
  return NULL;
}

static void read_tokens(void *context, int sequence, int from, int n, const int32_t *ids) {
  int32_t token[256], pos[256], one[256], *all[256];
  int8_t logits[256] = {0};
  for (int i = 0; i < n; i++) {
    token[i] = ids[i]; pos[i] = from + i; one[i] = 1; all[i] = &sequence;
  }
  logits[n - 1] = 1;
  struct llama_batch batch = {n, token, NULL, pos, one, all, logits};
  if (llama_decode(context, batch) != 0) { fprintf(stderr, "decode failed\n"); exit(3); }
}

/* All that a program can do to a cache; the test does the same to one of our own. */
static void *rearrange(void *context) {
  void *cache = llama_get_memory != NULL ? llama_get_memory(context) : context;
  const int32_t more[] = {40, 41, 42, 43, 44, 45, 46, 47};
  read_tokens(context, 0, 0, count, tokens);
  if (sequences > 1) {
    CALL(seq_cp)(cache, 0, 1, -1, -1);
    read_tokens(context, 1, count, 3, more);
    if (!CALL(seq_rm)(cache, 1, count + 1, -1)) exit(4);
    read_tokens(context, 1, count + 1, 2, more + 3);
  }
  if (!CALL(seq_rm)(cache, 0, 2, 4)) exit(4);
  CALL(seq_add)(cache, 0, 4, -1, -2);
  read_tokens(context, 0, count - 2, 1, more + 5);
  CALL(seq_keep)(cache, 0);
  read_tokens(context, 0, count - 1, 2, more + 6);
  CALL(clear)(cache, true);
  read_tokens(context, 0, 0, 4, tokens);
  if (sequences > 1) {
    /* Both in one batch: a stream of cells each, where they do not share one. */
    int32_t token[] = {50, 51, 52}, pos[] = {4, 5, 0}, one[] = {1, 1, 1}, id[] = {0, 0, 1};
    int32_t *all[] = {&id[0], &id[1], &id[2]};
    int8_t logits[] = {0, 1, 1};
    struct llama_batch both = {3, token, NULL, pos, one, all, logits};
    if (llama_decode(context, both) != 0) exit(3);
  }
  return NULL;
}

int main(int argc, char **argv) {
  if (argc < 8) return 2;
  int contexts = atoi(argv[2]);
  sequences = atoi(argv[3]);
  int flash = atoi(argv[4]);
  generate = atoi(argv[5]);
  int repeat = atoi(argv[6]);
  for (char *t = strtok(argv[7], ","); t != NULL; t = strtok(NULL, ",")) tokens[count++] = atoi(t);
  llama_log_set(quiet, NULL);
  const char *backends = getenv("DRIVER_BACKENDS");
  if (backends != NULL && ggml_backend_load_all_from_path != NULL) ggml_backend_load_all_from_path(backends);
  llama_backend_init();
  struct params mp, cp;
  memset(&mp, 0, sizeof mp);
  memset(&cp, 0, sizeof cp);
  mp = llama_model_default_params();
  void *model = llama_model_load_from_file(argv[1], mp);
  if (model == NULL) { fprintf(stderr, "no model\n"); return 3; }
  vocabulary = llama_vocab_n_tokens(llama_model_get_vocab(model));
  cp = llama_context_default_params();
  int32_t *p = (int32_t *)&cp;
  p[0] = 512; p[1] = 256; p[2] = 256; p[3] = sequences;
  /* As v0.5.0 and b4916 have them. */
  if (ggml_backend_load_all_from_path != NULL && p[4] == 0) {
    p[7] = p[8] = 1; p[13] = flash;
    p[26] = p[27] = 0;
    ((char *)&cp)[133] = getenv("DRIVER_UNIFIED") != NULL;
  } else {
    /* Flash attention of that generation aborts on float32 keys. */
    p[4] = p[5] = 1; p[22] = p[23] = flash ? 1 : 0;
    ((char *)&cp)[99] = (char)flash;
  }
  void *all[16];
  pthread_t threads[16];
  for (int r = 0; r < repeat; r++) {
    for (int i = 0; i < contexts; i++) all[i] = llama_init_from_model(model, cp);
    for (int i = 0; i < contexts; i++) {
      if (all[i] == NULL) { fprintf(stderr, "no context\n"); return 3; }
      pthread_create(&threads[i], NULL, getenv("DRIVER_CACHE") != NULL ? rearrange : work, all[i]);
    }
    for (int i = 0; i < contexts; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < contexts; i++) llama_free(all[i]);
  }
  llama_model_free(model);
  return 7;
}
