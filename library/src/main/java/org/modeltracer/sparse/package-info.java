/**
 * Sparse attention: which keys a model's own indexer selects, how much of what its attention wants
 * that covers, and what a dense model would lose under selections of other kinds.
 */
@NullMarked
package org.modeltracer.sparse;

import org.jspecify.annotations.NullMarked;
