/**
 * llama.cpp's and ggml's C functions as typed methods: the only place with signatures, and the only
 * one that calls native code.
 */
@NullMarked
package org.modeltracer.llama.ffi;

import org.jspecify.annotations.NullMarked;
