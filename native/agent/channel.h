/*
 * The shared memory between a traced process and its tracer, and the records in it.
 *
 * The tracer makes the memory and owns it; a traced process maps it and only ever writes into the
 * slots that it has claimed. A slot is one context of llama.cpp: one producer, one consumer. The
 * Java side of this file is org.modeltracer.attach.Channel; both change together.
 */
#ifndef MODELTRACER_CHANNEL_H
#define MODELTRACER_CHANNEL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHANNEL_MAGIC UINT64_C(0x4843415454414d31)
#define PAGE 4096u
#define MAX_TOPOLOGIES 16u
#define MAX_NODES 16384u
#define MAX_HEADS 1024u
#define PLANS_BYTES (MAX_TOPOLOGIES * MAX_NODES)

/* Written by the tracer. */
struct channel {
  uint64_t magic;
  uint32_t slots;
  uint32_t tracer_pid;
  uint64_t ring_bytes;
  _Atomic uint32_t overflow; /* 0: wait for room, 1: drop */
  _Atomic uint32_t closed;   /* the tracer wants nothing any more */
  _Atomic uint64_t heartbeat; /* CLOCK_MONOTONIC, nanoseconds */
  _Atomic uint32_t gave_up;   /* a program has waited too long and tells no more */
};

enum slot_state { SLOT_FREE, SLOT_LIVE, SLOT_DONE };

/* One page, then the plans, then the ring. */
struct slot {
  _Atomic uint32_t state;
  uint32_t pid;
  char pad0[56];
  _Atomic uint64_t head; /* written by the traced process */
  char pad1[56];
  _Atomic uint64_t tail; /* written by the tracer, as all below */
  char pad2[56];
  _Atomic uint32_t answered; /* surveys for which there is a plan */
  _Atomic uint32_t plan_version;
  _Atomic uint32_t any_order; /* sums may be taken in whatever order is fast */
  char pad3[52];
  uint8_t heads[MAX_HEADS / 8]; /* heads whose rows are wanted */
};

/* What is wanted of a node: a byte of a plan. */
enum want {
  WANT_STATISTICS = 1,
  WANT_DATA = 2,
  WANT_INPUT = 4,  /* source 1, before the node runs: tokens, positions, cells */
  WANT_MASK = 8,   /* with a node that is attention */
  WANT_ROWS = 16,  /* the softmax rows of a fused attention, computed here */
};

enum record_type {
  RECORD_PAD = 1,
  RECORD_HELLO,
  RECORD_SURVEY,
  RECORD_DECODE,
  RECORD_PASS,
  RECORD_VALUE,
  RECORD_CHUNK,
  RECORD_PASS_END,
  RECORD_DECODE_END,
  RECORD_NOTE,
  RECORD_MEMORY,
  RECORD_INPUT,
};

/* Lengths are multiples of 8 and include this. Dropped records leave gaps in the sequence. */
struct record {
  uint32_t bytes;
  uint32_t type;
  uint64_t sequence;
};

struct hello_record {
  struct record r;
  uint64_t context; /* llama_context, 0 where it is not known */
  uint64_t scheduler;
  uint32_t pid;
  uint32_t thread;
  uint32_t path_bytes; /* of the library that computes; follows, NUL-padded */
  uint32_t reserved;
};

/* A tensor of a graph: sources and views name earlier tensors of the table, plus one. */
struct survey_tensor {
  uint64_t address;
  int64_t ne[4];
  uint64_t nb[4];
  uint64_t view_offset;
  int32_t type;
  int32_t flags;
  int32_t params[16];
  uint32_t op; /* of the survey's names */
  int32_t node; /* place in execution order, -1 for a leaf */
  uint32_t view;
  uint32_t sources[10];
  uint32_t reserved;
  char name[64];
};

/* An operation: its name, such as UNARY, and its description, such as SILU. */
struct survey_op {
  char name[32];
  char description[32];
};

struct survey_record {
  struct record r;
  uint32_t topology;
  uint32_t tensors;
  uint32_t nodes;
  uint32_t ops; /* survey_op[ops], then survey_tensor[tensors] */
};

struct token_entry {
  int32_t token;
  int32_t position; /* -1 where the program left it to llama.cpp */
  int32_t sequence;
  int32_t output;
};

struct decode_record {
  struct record r;
  uint32_t tokens; /* token_entry[tokens] follow */
  uint32_t warmup;
};

struct changed_tensor {
  uint32_t index;
  int32_t flags;
  int64_t ne[4];
  uint64_t nb[4];
  uint64_t view_offset;
};

/* Data of a tensor: padded to a multiple of 8. */
struct part {
  uint32_t tensor;
  uint32_t kind;
  uint64_t bytes;
};

enum part_kind { PART_DATA, PART_ROWS, PART_CHUNKED = 0x100 };

struct pass_record {
  struct record r;
  uint32_t topology;
  uint32_t changed; /* changed_tensor[changed], then parts with their data */
  uint32_t parts;
  uint32_t known; /* 1 if a DECODE record tells its tokens, plus twice the version of the plan */
};

struct statistics {
  int64_t count, nan, inf, zero, finite, first_bad;
  double min, max, mean, m2, squares;
};

struct value_record {
  struct record r;
  uint32_t node;
  uint32_t has_statistics;
  struct statistics statistics;
  uint32_t parts;
  uint32_t reserved;
};

struct chunk_record {
  struct record r;
  uint64_t offset;
  uint64_t bytes; /* data follow */
};

struct end_record {
  struct record r;
  int32_t code;
  uint32_t reserved;
};

/* An operation of the program on its KV cache. */
struct memory_record {
  struct record r;
  int32_t what; /* enum memory_op */
  int32_t sequence;
  int32_t other;
  int32_t from;
  int32_t to;
  int32_t delta;
};

enum memory_op { MEMORY_CLEAR, MEMORY_REMOVE, MEMORY_COPY, MEMORY_KEEP, MEMORY_SHIFT };

/* An input in a device's memory: it is there when the first node that takes it is asked for. */
struct input_record {
  struct record r;
  uint32_t tensor;
  uint32_t reserved;
  uint64_t bytes; /* data follow */
};

struct note_record {
  struct record r;
  uint64_t bytes; /* text follows */
};

/* channel.c */

/* Maps the memory that the tracer named; false leaves this process untraced. */
bool channel_open(const char *path);

/* Counts the tracers that have come. */
uint32_t channel_generation(void);

/* Gives the memory of a tracer back that was killed, when nobody writes any more. */
void channel_forget(void);

/* Waits until the tracer has answered so many surveys; false when it does not. */
struct slot;
bool channel_answered(struct slot *s, uint32_t surveys);

/* Whether there is a tracer that still takes records. */
bool channel_live(void);

/* A slot of this process, or null when all are taken. */
struct slot *slot_claim(void);
void slot_done(struct slot *s);
const uint8_t *slot_plan(const struct slot *s, uint32_t topology);

/* The producer's side of a slot. */
struct ring {
  struct slot *slot;
  char *data;
  uint64_t size;
  uint64_t head;
  uint64_t sequence;
};

void ring_open(struct ring *r, struct slot *s);

/* Largest record that is written in one piece. */
uint64_t ring_most(const struct ring *r);

/* Room for a record, or null: dropped. What is written into it shows after ring_commit. */
void *ring_begin(struct ring *r, uint32_t type, uint64_t bytes);
void ring_commit(struct ring *r);

static inline uint64_t padded(uint64_t bytes) { return (bytes + 7) & ~UINT64_C(7); }

#endif
