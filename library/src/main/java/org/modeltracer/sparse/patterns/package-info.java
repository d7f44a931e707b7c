/**
 * Patterns of attention: what shape each head's has, which heads are alike, how few keys hold most
 * of it and what that saves, and what kinds of tokens it goes to.
 */
@NullMarked
package org.modeltracer.sparse.patterns;

import org.jspecify.annotations.NullMarked;
