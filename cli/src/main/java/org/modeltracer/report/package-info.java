/** Results as one page to look at, from disk or while a model runs. */
@NullMarked
package org.modeltracer.report;

import org.jspecify.annotations.NullMarked;
