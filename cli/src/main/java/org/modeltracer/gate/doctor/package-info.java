/** What is most likely wrong with a model, of all that the checks found, and what to try. */
@NullMarked
package org.modeltracer.gate.doctor;

import org.jspecify.annotations.NullMarked;
