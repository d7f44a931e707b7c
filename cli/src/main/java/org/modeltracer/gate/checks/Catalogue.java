package org.modeltracer.gate.checks;

import java.util.List;
import java.util.Optional;

/** Every check there is, in the order in which they run: cheap ones first. */
public final class Catalogue {
  private static final List<Check> CHECKS =
      List.of(
          // One per line, in the order in which they run.
          new FileStructure(),
          new FileMetadata(),
          new FileData(),
          new ReferenceMetadata(),
          new FileLoads(),
          new TokenizerParity(),
          new TokenizerRoundTrip(),
          new TokenizerSpecial(),
          new TokenizerTemplate(),
          new ForwardFinite(),
          new ForwardAnomalies(),
          new ForwardHeadroom(),
          new BackendHeadroom(),
          new AttentionHealth(),
          new AttentionSparse(),
          new LanguagePerplexity(),
          new GenerationSanity(),
          new DeterminismRepeat(),
          new DeterminismBatch(),
          new KvReuse(),
          new TokenizerReference(),
          new ReferenceLogits(),
          new ReferenceEmbeddings(),
          new ReferenceLayers());

  private Catalogue() {}

  /** All checks. */
  public static List<Check> checks() {
    return CHECKS;
  }

  /** A check by its name. */
  public static Optional<Check> find(String id) {
    return CHECKS.stream().filter(c -> c.id().equals(id)).findFirst();
  }

  /**
   * The checks of a name, or of a group such as {@code tokenizer}; none when nothing is so named.
   */
  public static List<Check> matching(String name) {
    return CHECKS.stream()
        .filter(c -> c.id().equals(name) || c.id().startsWith(name + "."))
        .toList();
  }

  /** Names of all checks. */
  public static List<String> names() {
    return CHECKS.stream().map(Check::id).toList();
  }
}
