package org.modeltracer.quant;

import com.fasterxml.jackson.annotation.JsonTypeInfo;
import java.util.List;
import org.modeltracer.graph.NodeInfo;
import org.modeltracer.llama.LlamaException;

/** What the process with the other model says. */
@JsonTypeInfo(use = JsonTypeInfo.Id.SIMPLE_NAME)
sealed interface PartnerMessage {
  /** The model is open. */
  record Opened(String version, boolean offloads, List<NodeInfo> nodes) implements PartnerMessage {}

  /** A node as in {@link Frame}; its values follow. */
  record Node(int node, int firstPosition, int rows, int width, boolean waits)
      implements PartnerMessage {}

  /** The pass is over. */
  record Over() implements PartnerMessage {}

  /** The model cannot be opened, or the pass failed. */
  record Failed(LlamaException.Kind kind, String message) implements PartnerMessage {}
}
