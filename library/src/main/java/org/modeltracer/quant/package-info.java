/** Two models, the same tokens: the error of every node, of attention and of the logits. */
@NullMarked
package org.modeltracer.quant;

import org.jspecify.annotations.NullMarked;
