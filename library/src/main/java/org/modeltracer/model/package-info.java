/** The words everyone speaks: places in a transformer, heads, rows of attention, statistics. */
@NullMarked
package org.modeltracer.model;

import org.jspecify.annotations.NullMarked;
