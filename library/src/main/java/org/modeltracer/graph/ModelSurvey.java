package org.modeltracer.graph;

import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
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
 * The graphs of a context, learnt by letting it run on two tokens, on one, and, where there can be
 * several sequences, on one token of each of two.
 *
 * <p>llama.cpp itself warms models up in this way. Prompts and single tokens may have different
 * graphs; the same place then has a node in each.
 *
 * @param maps places by graph: prompt first, then single token, or the encoder alone
 * @param axes where nodes count tokens
 * @param seesAhead whether tokens attend to later ones
 * @param encoder what was learnt of the encoder that reads prompts before this, or null
 */
public record ModelSurvey(
    List<SiteMap> maps,
    NodeTable<TokenAxis> axes,
    boolean seesAhead,
    @Nullable ModelSurvey encoder) {

  /** Surveys a fresh context and leaves it empty. */
  public static ModelSurvey of(LlamaContext context) {
    LlamaModel model = context.model();
    boolean decodes = !model.hasEncoder() || model.hasDecoder();
    ModelSurvey encoder = model.hasEncoder() ? ofEncoder(context) : null;
    if (encoder != null && !decodes) {
      return encoder;
    }
    int most = Math.min(2, context.microBatchTokens());
    Graph.Survey several = survey(context, most, 0, 1, false);
    Graph one = survey(context, 1, most, 1, false).graph();
    clear(context);
    boolean sequences = Math.min(most, context.options().sequences().count()) > 1;
    Graph parallel = sequences ? survey(context, 1, 0, 2, false).graph() : null;
    clear(context);
    NodeTable<TokenAxis> axes = TokenAxis.of(one, several.graph(), parallel);
    var maps = List.of(new SiteMap(several.graph(), axes, 0), new SiteMap(one, axes, 0));
    int layers = maps.getFirst().layers().stream().max(Integer::compare).orElse(-1) + 1;
    return new ModelSurvey(
        maps, axes, several.seesAhead(), encoder == null ? null : encoder.after(layers));
  }

  /**
   * What graphs that ran elsewhere show, the one with the most to tell first.
   *
   * @param axes where their nodes count tokens
   */
  public static ModelSurvey of(List<Graph> graphs, NodeTable<TokenAxis> axes) {
    return new ModelSurvey(
        graphs.stream().map(graph -> new SiteMap(graph, axes, 0)).toList(), axes, false, null);
  }

  private static void clear(LlamaContext context) {
    if (context.cache().exists()) {
      context.cache().clear();
    }
  }

  private static ModelSurvey ofEncoder(LlamaContext context) {
    Graph one = survey(context, 1, 0, 1, true).graph();
    Graph several = survey(context, Math.min(2, context.microBatchTokens()), 0, 1, true).graph();
    NodeTable<TokenAxis> axes = TokenAxis.of(one, several, null);
    return new ModelSurvey(List.of(new SiteMap(several, axes, 0)), axes, true, null);
  }

  /** The encoder's survey with its layers counted on from its decoder's. */
  private ModelSurvey after(int layers) {
    return new ModelSurvey(List.of(prompt().from(layers)), axes, seesAhead, null);
  }

  private static Graph.Survey survey(
      LlamaContext context, int tokens, int from, int sequences, boolean encode) {
    var survey = new Graph.Survey(context.model().runtime());
    int token = Math.max(0, context.model().vocabulary().bos());
    Batch batch = context.batch().clear();
    for (int i = 0; i < tokens * sequences; i++) {
      batch.add(token, from + i % tokens, i / tokens, true);
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
    if (survey.graph().nodes().isEmpty()) {
      throw new LlamaException(
          LlamaException.Kind.CONTEXT, "llama.cpp showed no node of the forward pass to its hook");
    }
    return survey;
  }

  /** Whether nodes that are computed carry a flag, which then distinguishes those that are not. */
  public boolean setsFlag(int flag) {
    return maps.stream()
        .flatMap(m -> m.graph().nodes().stream())
        .anyMatch(n -> (n.flags() & flag) != 0);
  }

  /** The first graph: a prompt's, or the encoder's. */
  public SiteMap prompt() {
    return maps.getFirst();
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
