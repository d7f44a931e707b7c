/** How well a model predicts a text, and how differently from another. */
@NullMarked
package org.modeltracer.language;

import org.jspecify.annotations.NullMarked;
