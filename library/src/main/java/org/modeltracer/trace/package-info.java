/** The tracer: turns what a forward pass shows into small, honest numbers in bounded memory. */
@NullMarked
package org.modeltracer.trace;

import org.jspecify.annotations.NullMarked;
