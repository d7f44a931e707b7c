/**
 * The weights as they are in the file: mapping, hashes, block layout, faults that show without
 * running.
 */
@NullMarked
package org.modeltracer.weights;

import org.jspecify.annotations.NullMarked;
