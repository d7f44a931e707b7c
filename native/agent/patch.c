#define _GNU_SOURCE
#include "patch.h"

#include <elf.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__x86_64__)
enum { JUMP_SLOT = R_X86_64_JUMP_SLOT, GLOB_DAT = R_X86_64_GLOB_DAT };
#elif defined(__aarch64__)
enum { JUMP_SLOT = R_AARCH64_JUMP_SLOT, GLOB_DAT = R_AARCH64_GLOB_DAT };
#else
enum { JUMP_SLOT = -1, GLOB_DAT = -1 };
#endif

enum { MOST_PATCHES = 256 };

struct patched {
  _Atomic(void *) *slot;
  bool sealed;
  void *before;
  void *after;
};

static struct patched patches[MOST_PATCHES];
static int patch_count;
static pthread_mutex_t patching = PTHREAD_MUTEX_INITIALIZER;

struct work {
  const struct replacement *replacements;
  int count;
  int found;
};

/* Full RELRO makes the slots read-only once they are bound: sealed ones become so again. */
static bool write_slot(_Atomic(void *) *slot, void *value, bool sealed) {
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  void *from = (void *)((uintptr_t)slot & ~(page - 1));
  if (sealed && mprotect(from, page, PROT_READ | PROT_WRITE) != 0) {
    return false;
  }
  atomic_store(slot, value);
  if (sealed) {
    mprotect(from, page, PROT_READ);
  }
  return true;
}

static bool is_sealed(const struct dl_phdr_info *info, const void *slot) {
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *p = &info->dlpi_phdr[i];
    uintptr_t from = info->dlpi_addr + p->p_vaddr;
    if (p->p_type == PT_GNU_RELRO && (uintptr_t)slot >= from && (uintptr_t)slot < from + p->p_memsz) {
      return true;
    }
  }
  return false;
}

static void relocations(const struct dl_phdr_info *info, const ElfW(Rela) *rela, size_t bytes,
                        const ElfW(Sym) *symbols, const char *strings, struct work *w) {
  for (size_t i = 0; i < bytes / sizeof *rela; i++) {
    int type = (int)ELF64_R_TYPE(rela[i].r_info);
    if (type != JUMP_SLOT && type != GLOB_DAT) {
      continue;
    }
    const char *name = strings + symbols[ELF64_R_SYM(rela[i].r_info)].st_name;
    for (int k = 0; k < w->count; k++) {
      if (strcmp(name, w->replacements[k].name) != 0) {
        continue;
      }
      _Atomic(void *) *slot = (_Atomic(void *) *)(info->dlpi_addr + rela[i].r_offset);
      void *before = atomic_load(slot);
      void *after = w->replacements[k].function;
      if (before == after) {
        w->found++;
        continue;
      }
      if (before == NULL) {
        /* A function that is not there, for code that asks. */
        continue;
      }
      bool sealed = is_sealed(info, (const void *)slot);
      if (patch_count < MOST_PATCHES && write_slot(slot, after, sealed)) {
        patches[patch_count++] = (struct patched){slot, sealed, before, after};
        w->found++;
      }
    }
  }
}

static int object(struct dl_phdr_info *info, size_t size, void *data) {
  (void)size;
  const ElfW(Dyn) *dynamic = NULL;
  uintptr_t self = (uintptr_t)&patch_all;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *p = &info->dlpi_phdr[i];
    uintptr_t from = info->dlpi_addr + p->p_vaddr;
    if (p->p_type == PT_LOAD && self >= from && self < from + p->p_memsz) {
      return 0;
    }
    if (p->p_type == PT_DYNAMIC) {
      dynamic = (const ElfW(Dyn) *)from;
    }
  }
  const ElfW(Sym) *symbols = NULL;
  const char *strings = NULL;
  const ElfW(Rela) *jump = NULL, *rela = NULL;
  size_t jump_bytes = 0, rela_bytes = 0;
  bool with_addend = true;
  for (const ElfW(Dyn) *d = dynamic; d != NULL && d->d_tag != DT_NULL; d++) {
    /* The loader has made these absolute, but in the vDSO. */
    switch (d->d_tag) {
      case DT_SYMTAB: symbols = (const void *)d->d_un.d_ptr; break;
      case DT_STRTAB: strings = (const void *)d->d_un.d_ptr; break;
      case DT_JMPREL: jump = (const void *)d->d_un.d_ptr; break;
      case DT_PLTRELSZ: jump_bytes = d->d_un.d_val; break;
      case DT_RELA: rela = (const void *)d->d_un.d_ptr; break;
      case DT_RELASZ: rela_bytes = d->d_un.d_val; break;
      case DT_PLTREL: with_addend = d->d_un.d_val == DT_RELA; break;
      default: break;
    }
  }
  if (symbols == NULL || strings == NULL || (uintptr_t)symbols < info->dlpi_addr) {
    return 0;
  }
  if (jump != NULL && with_addend) {
    relocations(info, jump, jump_bytes, symbols, strings, data);
  }
  if (rela != NULL) {
    relocations(info, rela, rela_bytes, symbols, strings, data);
  }
  return 0;
}

int patch_all(const struct replacement *replacements, int count) {
  struct work w = {replacements, count, 0};
  pthread_mutex_lock(&patching);
  dl_iterate_phdr(object, &w);
  pthread_mutex_unlock(&patching);
  return w.found;
}

void patch_undo(void) {
  pthread_mutex_lock(&patching);
  for (int i = 0; i < patch_count; i++) {
    /* Whoever came later keeps what they have put there. */
    if (atomic_load(patches[i].slot) == patches[i].after) {
      write_slot(patches[i].slot, patches[i].before, patches[i].sealed);
    }
  }
  patch_count = 0;
  pthread_mutex_unlock(&patching);
}
