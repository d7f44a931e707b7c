/**
 * Attention analyses of a model at work: rows, contexts and values from a session, sizes and output
 * matrices from its file, and the standard probe that scores every head.
 */
@NullMarked
package org.modeltracer.heads;

import org.jspecify.annotations.NullMarked;
