/**
 * From a raw tensor to a place in a transformer, and from there into the tracer.
 *
 * <p>A session surveys a model's graph once ({@link org.modeltracer.graph.ModelSurvey}), finds the
 * places in it ({@link org.modeltracer.graph.SiteMap}), and then watches only what its tracer asks
 * for.
 */
@NullMarked
package org.modeltracer.probe;

import org.jspecify.annotations.NullMarked;
