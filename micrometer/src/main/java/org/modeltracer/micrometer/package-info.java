/** Meters of a session at work. */
@NullMarked
package org.modeltracer.micrometer;

import org.jspecify.annotations.NullMarked;
