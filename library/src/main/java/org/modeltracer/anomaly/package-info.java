/** What can go wrong in a forward pass, how it is recognized, and why it happened. */
@NullMarked
package org.modeltracer.anomaly;

import org.jspecify.annotations.NullMarked;
