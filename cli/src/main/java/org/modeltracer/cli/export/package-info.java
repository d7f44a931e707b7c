/** Files of results: NumPy arrays, whole or not there at all. */
@NullMarked
package org.modeltracer.cli.export;

import org.jspecify.annotations.NullMarked;
