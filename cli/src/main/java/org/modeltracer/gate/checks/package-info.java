/** The questions that the gate asks of a file, one class each. */
@NullMarked
package org.modeltracer.gate.checks;

import org.jspecify.annotations.NullMarked;
