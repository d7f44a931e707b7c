/** Spans of a session at work. */
@NullMarked
package org.modeltracer.opentelemetry;

import org.jspecify.annotations.NullMarked;
