/** What the gate says in the forms that CI reads: SARIF, JUnit, Markdown, annotations. */
@NullMarked
package org.modeltracer.gate.output;

import org.jspecify.annotations.NullMarked;
