/**
 * Binding of llama.cpp and ggml through the foreign function interface: no JNI.
 *
 * <p>All restricted calls of the project are in this package. Pointers travel as {@code long}: a
 * pointer is only an address until somebody who knows the bound of what it points to reads it.
 */
@NullMarked
package org.modeltracer.llama;

import org.jspecify.annotations.NullMarked;
