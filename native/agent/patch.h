/* Jump slots of the libraries of this process. */
#ifndef MODELTRACER_PATCH_H
#define MODELTRACER_PATCH_H

#include <stdbool.h>

struct replacement {
  const char *name;
  void *function;
};

/*
 * Points the slots of the named functions, in every library but this one, at others; returns how
 * many there were. Slots that already point there are left as they are.
 */
int patch_all(const struct replacement *replacements, int count);

/* Puts back what was there. */
void patch_undo(void);

#endif
