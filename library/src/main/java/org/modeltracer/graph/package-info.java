/**
 * The graph of a forward pass, surveyed once: its nodes, the places of the transformer among them,
 * and how to read a tensor.
 */
@NullMarked
package org.modeltracer.graph;

import org.jspecify.annotations.NullMarked;
