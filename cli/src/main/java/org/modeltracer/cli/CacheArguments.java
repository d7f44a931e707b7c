package org.modeltracer.cli;

import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.session.CachePolicy;
import org.modeltracer.session.TracedSession;
import picocli.CommandLine.Option;

/**
 * What becomes of the KV cache when a prompt comes or the context is full; llama-server's words.
 */
@Heading(Heading.Topic.CACHE)
final class CacheArguments {
  @Option(
      names = "--context-shift",
      description =
          "When the context is full, drop half of its tokens and go on (default: stop there).")
  boolean shift;

  @Option(
      names = "--keep",
      paramLabel = "N",
      defaultValue = "0",
      description =
          "Tokens of the prompt that --context-shift spares, -1 for all (default:"
              + " ${DEFAULT-VALUE}).")
  int keep;

  @Option(
      names = "--cache-reuse",
      paramLabel = "N",
      defaultValue = "0",
      description =
          "Fewest tokens of an earlier text, found again beyond the common beginning, that are"
              + " moved into place rather than computed; 0 for none (default: ${DEFAULT-VALUE}).")
  int reuse;

  @Option(
      names = "--kv-stats",
      description = "Read the KV cache at the end: statistics by layer, poisoned cells.")
  boolean statistics;

  CachePolicy policy() {
    ContextArguments.atLeast("--keep", keep, -1);
    ContextArguments.atLeast("--cache-reuse", reuse, 0);
    CachePolicy policy = CachePolicy.defaults().withReuseChunk(reuse);
    return shift ? policy.withShift(keep) : policy;
  }

  /** Refuses what a session's cache cannot do. */
  void check(TracedSession session) {
    String option = shift ? "--context-shift" : "--cache-reuse";
    if (policy().moves() && !session.cache().canShift()) {
      throw new CliException(
          ExitCode.USAGE,
          option
              + ": positions in this model's KV cache cannot be moved (recurrent state, window"
              + " caches or this -ctk); leave it out");
    }
    if (statistics && session.cache().capacity() == 0) {
      throw new CliException(ExitCode.USAGE, "--kv-stats: this model has no KV cache to read");
    }
  }
}
