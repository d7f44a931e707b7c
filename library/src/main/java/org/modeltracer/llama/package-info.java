/**
 * llama.cpp as Java objects: runtime, models, contexts, batches, the hook into the forward pass.
 *
 * <p>C functions are called through {@link org.modeltracer.llama.ffi}. Pointers travel as {@code
 * long}: a pointer is only an address until somebody who knows the bound of what it points to reads
 * it.
 */
@NullMarked
package org.modeltracer.llama;

import org.jspecify.annotations.NullMarked;
