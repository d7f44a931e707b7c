/** Why a model went bad: root causes by running a pass again, and faults of the weights alone. */
@NullMarked
package org.modeltracer.diagnose;

import org.jspecify.annotations.NullMarked;
