/*
 * Loads the agent into a process that runs already: modeltracer-inject PID AGENT CHANNEL
 *
 * One thread of the process is stopped for a moment, made to call dlopen and the agent's own
 * beginning, and put back as it was. It is taken where it cannot hold a lock that dlopen needs:
 * outside of libc and the loader, or waiting in a system call that allocates nothing. What cannot be
 * done is one line on stderr.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TRIES = 400, MOST_THREADS = 256, TEXT = 4096 };

#if defined(__x86_64__)
typedef struct user_regs_struct registers;
static uint64_t pc_of(const registers *r) { return r->rip; }
static uint64_t sp_of(const registers *r) { return r->rsp; }
static uint64_t result_of(const registers *r) { return r->rax; }
/* Number of the system call that a stopped thread waits in, -1 outside of any. */
static long call_of(pid_t thread, const registers *r) { (void)thread; return (long)r->orig_rax; }
static void set_call(registers *r, uint64_t function, uint64_t stack, const uint64_t *args, int count) {
  uint64_t *where[] = {(uint64_t *)&r->rdi, (uint64_t *)&r->rsi, (uint64_t *)&r->rdx};
  for (int i = 0; i < count; i++) *where[i] = args[i];
  r->rip = function;
  r->rsp = stack - 8; /* the return address, zero */
  r->rax = 0;
  r->orig_rax = (uint64_t)-1;
}
static void no_restart(pid_t thread) { (void)thread; }
#elif defined(__aarch64__)
typedef struct user_regs_struct registers;
static uint64_t pc_of(const registers *r) { return r->pc; }
static uint64_t sp_of(const registers *r) { return r->sp; }
static uint64_t result_of(const registers *r) { return r->regs[0]; }
static long call_of(pid_t thread, const registers *r) {
  int number = -1;
  struct iovec v = {&number, sizeof number};
  (void)r;
  return ptrace(PTRACE_GETREGSET, thread, (void *)0x404, &v) == 0 ? number : -1;
}
static void set_call(registers *r, uint64_t function, uint64_t stack, const uint64_t *args, int count) {
  for (int i = 0; i < count; i++) r->regs[i] = args[i];
  r->regs[30] = 0;
  r->pc = function;
  r->sp = stack;
}
/* The kernel would go back to the interrupted call before ours. */
static void no_restart(pid_t thread) {
  int none = -1;
  struct iovec v = {&none, sizeof none};
  ptrace(PTRACE_SETREGSET, thread, (void *)0x404, &v);
}
#else
#error "attaching to a running process is written for x86-64 and arm64"
#endif

static int fail(const char *format, const char *what) {
  fprintf(stderr, format, what);
  fputc('\n', stderr);
  return 1;
}

static bool get(pid_t thread, registers *r) {
  struct iovec v = {r, sizeof *r};
  return ptrace(PTRACE_GETREGSET, thread, (void *)NT_PRSTATUS, &v) == 0;
}

static bool set(pid_t thread, registers *r) {
  struct iovec v = {r, sizeof *r};
  return ptrace(PTRACE_SETREGSET, thread, (void *)NT_PRSTATUS, &v) == 0;
}

/* Where a library that both processes have begins over there; 0 when it is not the same file. */
static uint64_t base_in(pid_t pid, const char *path, uint64_t address, uint64_t *end) {
  char name[64];
  char line[TEXT];
  uint64_t found = 0;
  snprintf(name, sizeof name, "/proc/%d/maps", (int)pid);
  FILE *maps = fopen(name, "re");
  if (maps == NULL) return 0;
  while (fgets(line, sizeof line, maps) != NULL) {
    unsigned long from, to;
    char *file = strchr(line, '/');
    if (sscanf(line, "%lx-%lx", &from, &to) != 2 || file == NULL) continue;
    file[strcspn(file, "\n")] = 0;
    bool same = path != NULL ? strcmp(file, path) == 0 : address >= from && address < to;
    if (same) {
      if (found == 0) found = from;
      *end = to;
    }
  }
  fclose(maps);
  return found;
}

/* Whether an address lies in the C library or the loader, whose locks it may hold. */
static bool in_libc(pid_t pid, uint64_t address) {
  char name[64];
  char line[TEXT];
  bool inside = false;
  snprintf(name, sizeof name, "/proc/%d/maps", (int)pid);
  FILE *maps = fopen(name, "re");
  if (maps == NULL) return true;
  while (fgets(line, sizeof line, maps) != NULL) {
    unsigned long from, to;
    if (sscanf(line, "%lx-%lx", &from, &to) == 2 && address >= from && address < to) {
      inside = strstr(line, "/libc.so") != NULL || strstr(line, "/libc-") != NULL ||
               strstr(line, "/ld-linux") != NULL || strstr(line, "/libdl") != NULL ||
               strstr(line, "/ld-2") != NULL || strstr(line, "/libpthread") != NULL;
    }
  }
  fclose(maps);
  return inside;
}

static bool waits_safely(long call) {
  switch (call) {
    case SYS_futex:
    case SYS_epoll_pwait:
    case SYS_ppoll:
    case SYS_clock_nanosleep:
    case SYS_nanosleep:
    case SYS_read:
    case SYS_accept:
    case SYS_accept4:
    case SYS_recvfrom:
    case SYS_recvmsg:
    case SYS_pselect6:
    case SYS_rt_sigtimedwait:
    case SYS_wait4:
    case SYS_waitid:
#if defined(__x86_64__)
    case SYS_epoll_wait:
    case SYS_poll:
    case SYS_select:
    case SYS_pause:
#endif
      return true;
    default:
      return false;
  }
}

static void nap(long milliseconds) {
  struct timespec t = {0, milliseconds * 1000000};
  nanosleep(&t, NULL);
}

/* Stops a thread where it can be borrowed; the registers it had are returned. */
static bool borrow(pid_t pid, pid_t thread, registers *r) {
  if (ptrace(PTRACE_SEIZE, thread, NULL, NULL) != 0) return false;
  for (int i = 0; i < TRIES / 8; i++) {
    int status = 0;
    if (ptrace(PTRACE_INTERRUPT, thread, NULL, NULL) != 0 || waitpid(thread, &status, __WALL) != thread ||
        !WIFSTOPPED(status)) {
      return false;
    }
    bool trap = status >> 16 == PTRACE_EVENT_STOP;
    if (trap && get(thread, r)) {
      long call = call_of(thread, r);
      if (call >= 0 ? waits_safely(call) : !in_libc(pid, pc_of(r))) return true;
    }
    ptrace(PTRACE_CONT, thread, NULL, trap ? 0 : WSTOPSIG(status));
    nap(1);
  }
  ptrace(PTRACE_INTERRUPT, thread, NULL, NULL);
  int status = 0;
  waitpid(thread, &status, __WALL);
  ptrace(PTRACE_DETACH, thread, NULL, NULL);
  return false;
}

static bool poke(pid_t pid, uint64_t address, const void *from, size_t bytes) {
  struct iovec mine = {(void *)from, bytes};
  struct iovec theirs = {(void *)address, bytes};
  return process_vm_writev(pid, &mine, 1, &theirs, 1, 0) == (ssize_t)bytes;
}

/* Has a borrowed thread call a function, which returns to nowhere and so comes back to us. */
static bool call(pid_t pid, pid_t thread, const registers *before, uint64_t function, const uint64_t *args,
                 int count, uint64_t stack, uint64_t *result) {
  registers r = *before;
  uint64_t none = 0;
  set_call(&r, function, stack, args, count);
  if (!poke(pid, stack - 8, &none, sizeof none) || !set(thread, &r)) return false;
  no_restart(thread);
  int pending = 0;
  while (true) {
    int status = 0;
    if (ptrace(PTRACE_CONT, thread, NULL, 0) != 0 || waitpid(thread, &status, __WALL) != thread ||
        !WIFSTOPPED(status)) {
      return false;
    }
    if (!get(thread, &r)) return false;
    if (WSTOPSIG(status) == SIGSEGV && pc_of(&r) == 0) break;
    if (WSTOPSIG(status) == SIGSEGV || WSTOPSIG(status) == SIGBUS || WSTOPSIG(status) == SIGILL) return false;
    if (status >> 16 != PTRACE_EVENT_STOP) pending = WSTOPSIG(status);
  }
  *result = result_of(&r);
  if (pending != 0) syscall(SYS_tgkill, pid, thread, pending);
  return true;
}

static const char *forbidden(void) {
  FILE *f = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
  int scope = 0;
  if (f != NULL) {
    if (fscanf(f, "%d", &scope) != 1) scope = 0;
    fclose(f);
  }
  if (scope == 3) return "this kernel forbids it to everybody (kernel.yama.ptrace_scope = 3): start the program by attach -- COMMAND";
  if (scope == 2) return "this kernel forbids it to all but root (kernel.yama.ptrace_scope = 2): run as root, or start the program by attach -- COMMAND";
  if (scope == 1) return "this kernel allows it to parents alone (kernel.yama.ptrace_scope = 1): sudo sysctl kernel.yama.ptrace_scope=0, or start the program by attach -- COMMAND";
  return "it belongs to another user, is traced already, or a container forbids ptrace: run as that user, or start the program by attach -- COMMAND";
}

int main(int argc, char **argv) {
  if (argc != 4) return fail("usage: modeltracer-inject PID AGENT CHANNEL%s", "");
  pid_t pid = (pid_t)atol(argv[1]);
  char proc[64];
  snprintf(proc, sizeof proc, "/proc/%d/task", (int)pid);
  DIR *tasks = opendir(proc);
  if (tasks == NULL) return fail("no process %s", argv[1]);
  /* A library of C that both have is what tells where its functions are over there. */
  Dl_info info;
  uint64_t end = 0;
  if (dladdr((void *)&dlopen, &info) == 0) return fail("no dlopen in this program%s", "");
  char real[TEXT];
  if (realpath(info.dli_fname, real) == NULL) return fail("no C library at %s", info.dli_fname);
  uint64_t base = base_in(pid, real, 0, &end);
  if (base == 0) {
    closedir(tasks);
    char maps[64];
    snprintf(maps, sizeof maps, "/proc/%d/maps", (int)pid);
    return access(maps, R_OK) != 0 ? fail("%s", forbidden())
                                   : fail("it is a static executable, or has another C library than this program (%s)", real);
  }
  uint64_t shift = base - (uint64_t)(uintptr_t)info.dli_fbase;
  pid_t threads[MOST_THREADS];
  int count = 0;
  for (struct dirent *e = readdir(tasks); e != NULL && count < MOST_THREADS; e = readdir(tasks)) {
    if (e->d_name[0] != '.') threads[count++] = (pid_t)atol(e->d_name);
  }
  closedir(tasks);
  registers before;
  pid_t thread = 0;
  for (int i = 0; i < count && thread == 0; i++) {
    errno = 0;
    if (borrow(pid, threads[i], &before)) {
      thread = threads[i];
    } else if (errno == EPERM) {
      return fail("%s", forbidden());
    }
  }
  if (thread == 0) return fail("no thread of it can be stopped where it holds no lock: try again%s", "");
  /* Beyond the red zone, with room for what is written. */
  uint64_t stack = (sp_of(&before) - 1024 - 2 * TEXT) & ~UINT64_C(15);
  uint64_t text = stack + 64;
  uint64_t handle = 0, begin = 0, code = 1;
  size_t agent = strlen(argv[2]) + 1, channel = strlen(argv[3]) + 1;
  bool done = agent < TEXT && channel < TEXT && poke(pid, text, argv[2], agent) &&
              call(pid, thread, &before, (uint64_t)(uintptr_t)&dlopen + shift,
                   (uint64_t[]){text, RTLD_NOW | RTLD_LOCAL}, 2, stack, &handle);
  const char *name = "modeltracer_attach";
  if (done && handle != 0) {
    done = poke(pid, text, name, strlen(name) + 1) &&
           call(pid, thread, &before, (uint64_t)(uintptr_t)&dlsym + shift, (uint64_t[]){handle, text}, 2, stack,
                &begin);
  }
  if (done && begin != 0) {
    done = poke(pid, text, argv[3], channel) &&
           call(pid, thread, &before, begin, (uint64_t[]){text}, 1, stack, &code);
  }
  set(thread, &before);
  ptrace(PTRACE_DETACH, thread, NULL, 0);
  if (!done) return fail("its thread did not come back from a call; it may be damaged%s", "");
  if (handle == 0 || begin == 0) return fail("it cannot load %s: may it read that file?", argv[2]);
  switch ((int)code) {
    case 0: return 0;
    case 1: return fail("it cannot open the tracer's memory: it runs as another user or in another container%s", "");
    default: return fail("it has no library that calls a shared llama.cpp: a static executable, or one linked with -Bsymbolic, cannot be traced%s", "");
  }
}
