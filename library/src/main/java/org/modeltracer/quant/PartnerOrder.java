package org.modeltracer.quant;

import com.fasterxml.jackson.annotation.JsonTypeInfo;
import java.util.Set;

/** What the process with the other model is asked to do. */
@JsonTypeInfo(use = JsonTypeInfo.Id.SIMPLE_NAME)
sealed interface PartnerOrder {
  /** Open a model; comes first. */
  record Open(Setup setup) implements PartnerOrder {}

  /** Run a pass over a text, as {@link Partner#begin} says. */
  record Begin(int[] tokens, Set<String> wanted, Set<String> steered) implements PartnerOrder {}

  /** Go on with the values that follow, or, where there are none, with your own. */
  record Answer(long bytes) implements PartnerOrder {}

  /** End the pass. */
  record Cancel() implements PartnerOrder {}
}
