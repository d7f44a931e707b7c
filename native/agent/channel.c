#define _GNU_SOURCE
#include "channel.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* How long a full ring may hold the program up before the tracer counts as gone. */
#define PATIENCE_NS UINT64_C(2000000000)
#define NAP_NS 50000

static struct channel *channel;
static size_t mapped;
static _Atomic bool lost;
static _Atomic uint32_t generation;

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

static void nap(void) {
  struct timespec t = {0, NAP_NS};
  nanosleep(&t, NULL);
}

/* From now on the program runs as if nobody had asked. */
static void give_up(void) {
  atomic_store(&lost, true);
  atomic_store(&channel->gave_up, 1);
}

static uint64_t slot_bytes(void) { return PAGE + PLANS_BYTES + channel->ring_bytes; }

bool channel_open(const char *path) {
  int saved = errno;
  int file = open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) {
    errno = saved;
    return false;
  }
  struct stat st;
  void *memory = MAP_FAILED;
  if (fstat(file, &st) == 0 && st.st_size > (off_t)PAGE) {
    memory = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  }
  close(file);
  errno = saved;
  if (memory == MAP_FAILED) {
    return false;
  }
  struct channel *c = memory;
  uint64_t ring = c->ring_bytes;
  bool fits = c->magic == CHANNEL_MAGIC && ring >= PAGE && (ring & (ring - 1)) == 0 && c->slots > 0 &&
              c->slots <= 4096 &&
              PAGE + c->slots * (PAGE + PLANS_BYTES + ring) <= (uint64_t)st.st_size;
  if (!fits) {
    munmap(memory, (size_t)st.st_size);
    return false;
  }
  /* An earlier one stays mapped: a thread may be about to look at it. */
  mapped = (size_t)st.st_size;
  channel = c;
  atomic_fetch_add(&generation, 1);
  atomic_store(&lost, false);
  return true;
}

uint32_t channel_generation(void) { return atomic_load(&generation); }

/* The heart beats every few milliseconds; a tracer that was killed leaves it standing. */
static bool tracer_alive(void) {
  if (kill((pid_t)channel->tracer_pid, 0) != 0 && errno == ESRCH) {
    return false;
  }
  uint64_t beat = atomic_load_explicit(&channel->heartbeat, memory_order_acquire);
  uint64_t time = now();
  return time < beat || time - beat < PATIENCE_NS;
}

void channel_forget(void) {
  if (channel == NULL || tracer_alive()) {
    return;
  }
  /* Nobody else will: the mapping stays, its pages go. */
  atomic_store(&lost, true);
  madvise(channel, mapped, MADV_REMOVE);
}

/* Once gone a tracer stays gone: it wipes the memory when it has read everything. */
bool channel_live(void) {
  if (channel == NULL || atomic_load_explicit(&lost, memory_order_relaxed)) {
    return false;
  }
  if (atomic_load_explicit(&channel->closed, memory_order_acquire) != 0 || channel->magic != CHANNEL_MAGIC) {
    atomic_store(&lost, true);
    return false;
  }
  return true;
}

static struct slot *slot_at(uint32_t i) {
  return (struct slot *)((char *)channel + PAGE + i * slot_bytes());
}

struct slot *slot_claim(void) {
  for (uint32_t i = 0; i < channel->slots; i++) {
    struct slot *s = slot_at(i);
    uint32_t state = SLOT_FREE;
    if (atomic_load(&s->state) == SLOT_FREE && s->pid == 0 &&
        atomic_compare_exchange_strong(&s->state, &state, SLOT_LIVE)) {
      s->pid = (uint32_t)getpid();
      return s;
    }
  }
  return NULL;
}

void slot_done(struct slot *s) {
  uint32_t state = SLOT_LIVE;
  atomic_compare_exchange_strong(&s->state, &state, SLOT_DONE);
}

const uint8_t *slot_plan(const struct slot *s, uint32_t topology) {
  return (const uint8_t *)s + PAGE + (size_t)topology * MAX_NODES;
}

void ring_open(struct ring *r, struct slot *s) {
  r->slot = s;
  r->data = (char *)s + PAGE + PLANS_BYTES;
  r->size = channel->ring_bytes;
  r->head = atomic_load(&s->head);
  r->sequence = 0;
}

uint64_t ring_most(const struct ring *r) { return r->size / 4; }

static uint64_t room(struct ring *r) {
  uint64_t tail = atomic_load_explicit(&r->slot->tail, memory_order_acquire);
  uint64_t used = r->head - tail;
  /* The tracer may write what it likes there; never more than the ring has. */
  return used > r->size ? 0 : r->size - used;
}

static bool wait_for(struct ring *r, uint64_t bytes) {
  uint64_t begin = 0;
  uint64_t seen = 0;
  while (room(r) < bytes) {
    if (!channel_live() || atomic_load(&channel->overflow) != 0) {
      return false;
    }
    uint64_t tail = atomic_load_explicit(&r->slot->tail, memory_order_relaxed);
    uint64_t time = now();
    if (begin == 0 || tail != seen) {
      begin = time;
      seen = tail;
    }
    if (!tracer_alive() || time - begin > PATIENCE_NS) {
      give_up();
      return false;
    }
    nap();
  }
  return true;
}

void *ring_begin(struct ring *r, uint32_t type, uint64_t bytes) {
  bytes = padded(bytes);
  uint64_t sequence = r->sequence++;
  if (bytes > ring_most(r) || !channel_live()) {
    return NULL;
  }
  uint64_t size = r->size;
  uint64_t at = r->head & (size - 1);
  uint64_t rest = size - at;
  uint64_t skip = rest < bytes ? rest : 0;
  if (!wait_for(r, skip + bytes)) {
    return NULL;
  }
  if (skip > 0) {
    /* A record lies in one piece: the rest of the ring is passed over. */
    struct record *pad = (struct record *)(r->data + at);
    if (skip >= sizeof *pad) {
      pad->bytes = (uint32_t)skip;
      pad->type = RECORD_PAD;
      pad->sequence = 0;
    }
    r->head += skip;
    at = 0;
  }
  struct record *record = (struct record *)(r->data + at);
  record->bytes = (uint32_t)bytes;
  record->type = type;
  record->sequence = sequence;
  r->head += bytes;
  return record;
}

void ring_commit(struct ring *r) {
  atomic_store_explicit(&r->slot->head, r->head, memory_order_release);
}

bool channel_answered(struct slot *s, uint32_t surveys) {
  uint64_t begin = now();
  while (atomic_load_explicit(&s->answered, memory_order_acquire) < surveys) {
    if (!channel_live()) {
      return false;
    }
    if (!tracer_alive()) {
      give_up();
      return false;
    }
    if (now() - begin > 5 * PATIENCE_NS) {
      give_up();
      return false;
    }
    nap();
  }
  return true;
}
