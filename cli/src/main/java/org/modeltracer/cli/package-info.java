/** The command line: commands, terminal output, progress. */
@NullMarked
package org.modeltracer.cli;

import org.jspecify.annotations.NullMarked;
