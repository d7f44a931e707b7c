/**
 * The logit lens: what a model would say after every layer (nostalgebraist 2020).
 *
 * <p>A state of the residual stream is turned into scores by the model's own final norm, output
 * matrix and soft-cap, computed by ggml on the model's own weights.
 */
@NullMarked
package org.modeltracer.lens;

import org.jspecify.annotations.NullMarked;
