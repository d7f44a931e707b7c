/** Whether a chat template is well-formed Jinja, without running it. */
@NullMarked
package org.modeltracer.jinja;

import org.jspecify.annotations.NullMarked;
