/** How the program talks to whoever started it: tables, colours, progress, exit codes. */
@NullMarked
package org.modeltracer.cli.terminal;

import org.jspecify.annotations.NullMarked;
