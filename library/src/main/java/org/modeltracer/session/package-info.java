/** A model at work under a tracer: running, generating, encoding, running a pass again. */
@NullMarked
package org.modeltracer.session;

import org.jspecify.annotations.NullMarked;
