package org.modeltracer.graph;

import java.util.ArrayList;
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
    var maps = new ArrayList<SiteMap>();
    int first = Math.max(0, model.vocabulary().bos());
    boolean decodes = !model.hasEncoder() || model.hasDecoder();
    int prompt = Math.min(2, context.microBatchTokens());
    Graph.Survey encoder = model.hasEncoder() ? survey(context, prompt, 0, first, true) : null;
    if (encoder != null && !decodes) {
      return new ModelSurvey(List.of(map(encoder, 0)), true, null);
    }
    Graph.Survey several = survey(context, prompt, 0, first, false);
    maps.add(map(several, 0));
    maps.add(map(survey(context, 1, prompt, first, false), 0));
    if (context.cache().exists()) {
      context.cache().clear();
    }
    var decoder = new ModelSurvey(List.copyOf(maps), several.seesAhead(), null);
    if (encoder == null) {
      return decoder;
    }
    int layers = decoder.layers().stream().max(Integer::compare).orElse(-1) + 1;
    var before = new ModelSurvey(List.of(map(encoder, layers)), true, null);
    return new ModelSurvey(decoder.maps, decoder.seesAhead, before);
  }

  private static SiteMap map(Graph.Survey survey, int first) {
    Graph graph = survey.graph();
    if (graph.nodes().isEmpty()) {
      throw new LlamaException(
          LlamaException.Kind.CONTEXT, "llama.cpp showed no node of the forward pass to its hook");
    }
    return new SiteMap(graph, first);
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
                        e.getKey().op(),
                        e.getKey().ne(),
                        prompt().first() > 0));
    return Stream.concat(own, encoder == null ? Stream.of() : encoder.sites().stream()).toList();
  }

  /** Whether attention, other than to an encoder, runs as one fused operation. */
  public boolean fuses() {
    return prompt().places().entrySet().stream()
        .anyMatch(e -> e.getValue().site() == Site.ATTENTION && e.getKey().is("FLASH_ATTN_EXT"));
  }

  /** Layers of the model, ascending; not those of the encoder before it. */
  public Set<Integer> layers() {
    var layers = new LinkedHashSet<Integer>();
    maps.forEach(m -> layers.addAll(m.layers()));
    return layers;
  }
}
