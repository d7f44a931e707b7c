/**
 * A strict reader of GGUF files: header, metadata, tensor table. Pure Java, safe on hostile files.
 */
@NullMarked
package org.modeltracer.gguf;

import org.jspecify.annotations.NullMarked;
