/** llama.cpp at work in processes that we did not start, or in other code's hands. */
@NullMarked
package org.modeltracer.attach;

import org.jspecify.annotations.NullMarked;
