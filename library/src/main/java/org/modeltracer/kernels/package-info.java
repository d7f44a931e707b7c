/**
 * Arithmetic over many floats at the machine's speed: each kernel once with vectors and once
 * without, alike but for rounding.
 */
@NullMarked
package org.modeltracer.kernels;

import org.jspecify.annotations.NullMarked;
