/** The KV caches of a context: which layer reads which, what each cell holds. */
@NullMarked
package org.modeltracer.cache;

import org.jspecify.annotations.NullMarked;
