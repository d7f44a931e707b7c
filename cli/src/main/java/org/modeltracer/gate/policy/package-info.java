/** What the gate asks of a file: presets, policy files, limits. */
@NullMarked
package org.modeltracer.gate.policy;

import org.jspecify.annotations.NullMarked;
