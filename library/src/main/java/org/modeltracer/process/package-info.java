/** Java processes that we start beside this one, and what is left of one that has ended. */
@NullMarked
package org.modeltracer.process;

import org.jspecify.annotations.NullMarked;
