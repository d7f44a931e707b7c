package org.modeltracer.cli;

import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.modeltracer.llama.CacheType;
import org.modeltracer.llama.ContextOptions;
import org.modeltracer.llama.Engine;
import org.modeltracer.quant.Setup;
import picocli.CommandLine.Option;

/** In what the second side of a comparison is run differently from the first. */
@Heading(Heading.Topic.COMPARISON)
final class OtherSide {
  @Option(
      names = "--llama-lib-b",
      paramLabel = "PATH",
      description = "Another llama.cpp for the model (the reference keeps --llama-lib's).")
  private @Nullable Path library;

  @Option(
      names = {"--backend-b", "-dev-b", "--device-b"},
      paramLabel = "NAME,…",
      split = ",",
      hideParamSyntax = true,
      description = "Device or backend for the model, where it differs from the reference's.")
  private List<String> devices = List.of();

  @Option(
      names = {"-fa-b", "--flash-attn-b"},
      paramLabel = "on|off|auto",
      description = "Flash attention for the model, where it differs from the reference's.")
  private @Nullable String flashAttention;

  @Option(
      names = {"-ctk-b", "--cache-type-k-b"},
      paramLabel = "TYPE",
      description = "Type of cached keys for the model.")
  private @Nullable String keyType;

  @Option(
      names = {"-ctv-b", "--cache-type-v-b"},
      paramLabel = "TYPE",
      description = "Type of cached values for the model.")
  private @Nullable String valueType;

  @Option(
      names = {"-t-b", "--threads-b"},
      paramLabel = "N",
      defaultValue = "0",
      description = "Threads for the model.")
  private int threads;

  /** Whether anything is different. */
  boolean differs() {
    return library != null
        || !devices.isEmpty()
        || flashAttention != null
        || keyType != null
        || valueType != null
        || threads > 0;
  }

  /** The second side: the first side's settings, but for what is different. */
  Setup apply(Setup first, Path model) {
    ContextArguments.atLeast("-t-b", threads, 0);
    ContextOptions context = first.context();
    if (flashAttention != null) {
      context = context.withFlashAttention(ContextArguments.flash("-fa-b", flashAttention));
    }
    context =
        context.withCacheTypes(
            keyType == null ? context.cache().keys() : CacheType.of(keyType),
            valueType == null ? context.cache().values() : CacheType.of(valueType));
    if (threads > 0) {
      context = context.withThreads(threads);
    }
    Engine where = first.engine();
    if (library != null) {
      where = where.onLibrary(library);
    }
    if (!devices.isEmpty()) {
      where = where.onDevices(EngineArguments.devices(devices));
    }
    return new Setup(model, where, context);
  }
}
