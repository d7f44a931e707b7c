package org.modeltracer.graph;

import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.modeltracer.llama.Batch;
import org.modeltracer.llama.LlamaContext;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.llama.LlamaModel;
import org.modeltracer.llama.Op;
import org.modeltracer.model.Place;
import org.modeltracer.model.Site;

/**
 * The graphs of a context, learnt by letting it run on two tokens and then on one.
 *
 * <p>llama.cpp itself warms models up in this way. Prompts and single tokens may have different
 * graphs; the same place then has a node in each.
 *
 * @param maps places by graph: prompt first, then single token, or the encoder alone
 * @param seesAhead whether tokens attend to later ones
 * @param encoder what was learnt of the encoder that reads prompts before this, or null
 */
public record ModelSurvey(List<SiteMap> maps, boolean seesAhead, @Nullable ModelSurvey encoder) {

  /** Surveys a fresh context and leaves it empty. */
  public static ModelSurvey of(LlamaContext context) {
    LlamaModel model = context.model();
    int first = Math.max(0, model.vocabulary().bos());
    boolean decodes = !model.hasEncoder() || model.hasDecoder();
    int prompt = Math.min(2, context.microBatchTokens());
    ModelSurvey encoder = model.hasEncoder() ? ofEncoder(context, prompt, first) : null;
    if (encoder != null && !decodes) {
      return encoder;
    }
    Graph.Survey several = survey(context, prompt, 0, first, false);
    Graph.Survey one = survey(context, 1, prompt, first, false);
    if (context.cache().exists()) {
      context.cache().clear();
    }
    var maps = maps(several, one);
    int layers = maps.getFirst().layers().stream().max(Integer::compare).orElse(-1) + 1;
    return new ModelSurvey(
        maps, several.seesAhead(), encoder == null ? null : encoder.after(layers));
  }

  private static ModelSurvey ofEncoder(LlamaContext context, int prompt, int token) {
    Graph.Survey one = survey(context, 1, 0, token, true);
    Graph.Survey several = survey(context, prompt, 0, token, true);
    return new ModelSurvey(List.of(maps(several, one).getFirst()), true, null);
  }

  /** The encoder's survey with its layers counted on from its decoder's. */
  private ModelSurvey after(int layers) {
    return new ModelSurvey(List.of(prompt().from(layers)), seesAhead, null);
  }

  /** Places of the two graphs, each of which tells where the other counts tokens. */
  private static List<SiteMap> maps(Graph.Survey several, Graph.Survey one) {
    Graph prompt = several.graph();
    Graph single = one.graph();
    if (prompt.nodes().isEmpty()) {
      throw new LlamaException(
          LlamaException.Kind.CONTEXT, "llama.cpp showed no node of the forward pass to its hook");
    }
    Map<GraphNode, TokenAxis> axes = TokenAxis.of(prompt, single);
    var same = new NodeTable<TokenAxis>();
    axes.forEach(same::put);
    var ofOne = new HashMap<GraphNode, TokenAxis>();
    for (GraphNode node : single.nodes()) {
      TokenAxis axis = same.get(node.identity(), node.occurrence());
      if (axis != null) {
        ofOne.put(node, axis);
      }
    }
    return List.of(new SiteMap(prompt, axes, 0), new SiteMap(single, ofOne, 0));
  }

  private static Graph.Survey survey(
      LlamaContext context, int tokens, int from, int token, boolean encode) {
    var survey = new Graph.Survey(context.model().runtime());
    Batch batch = context.batch().clear();
    for (int i = 0; i < tokens; i++) {
      batch.add(token, from + i, 0, true);
    }
    context.observe(survey);
    try {
      if (encode) {
        context.encode(batch);
      } else {
        context.decode(batch);
      }
    } finally {
      context.observe(null);
    }
    return survey;
  }

  /** Whether nodes that are computed carry a flag, which then tells apart those that are not. */
  public boolean setsFlag(int flag) {
    return maps.stream()
        .flatMap(m -> m.graph().nodes().stream())
        .anyMatch(n -> (n.flags() & flag) != 0);
  }

  /** The first graph: a prompt's, or the encoder's. */
  public SiteMap prompt() {
    return maps.getFirst();
  }

  /** Where nodes of these graphs count tokens. */
  public NodeTable<TokenAxis> axes() {
    var axes = new NodeTable<TokenAxis>();
    for (SiteMap map : maps) {
      for (GraphNode node : map.graph().nodes()) {
        TokenAxis axis = map.tokens(node);
        if (axis != null) {
          axes.put(node, axis);
        }
      }
    }
    return axes;
  }

  /** Node at a place in the first graph that has one. */
  public Optional<GraphNode> node(Place place) {
    return maps.stream().flatMap(m -> m.node(place).stream()).findFirst();
  }

  /** Every place that the first graph has, in execution order; the encoder's come last. */
  public List<FoundSite> sites() {
    Stream<FoundSite> own =
        prompt().places().entrySet().stream()
            .sorted(Comparator.comparingInt(e -> e.getKey().index()))
            .map(
                e ->
                    new FoundSite(
                        e.getValue(),
                        e.getKey().name(),
                        e.getKey().opName(),
                        e.getKey().ne(),
                        prompt().first() > 0));
    return Stream.concat(own, encoder == null ? Stream.of() : encoder.sites().stream()).toList();
  }

  /** Whether attention, other than to an encoder, runs as one fused operation. */
  public boolean fuses() {
    return prompt().places().entrySet().stream()
        .anyMatch(e -> e.getValue().site() == Site.ATTENTION && e.getKey().is(Op.FLASH_ATTN_EXT));
  }

  /** Layers of the model, ascending; not those of the encoder before it. */
  public Set<Integer> layers() {
    var layers = new LinkedHashSet<Integer>();
    maps.forEach(m -> layers.addAll(m.layers()));
    return layers;
  }
}
