/** Files that people write by hand, read within bounds whatever lies behind their names. */
@NullMarked
package org.modeltracer.input;

import org.jspecify.annotations.NullMarked;
