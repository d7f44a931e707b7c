/** A GGUF file's vocabulary: its tokens, and its byte-level BPE as a jtokkit encoding. */
@NullMarked
package org.modeltracer.tokens;

import org.jspecify.annotations.NullMarked;
