package org.modeltracer.gate.checks;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.gate.Gguf;
import org.modeltracer.gate.Policies;
import org.modeltracer.gguf.ArrayValue;
import org.modeltracer.gguf.GgufException;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.LoadChecks;
import org.modeltracer.gguf.SilentDefault;
import org.modeltracer.gguf.Value;
import org.modeltracer.llama.LlamaException;
import org.modeltracer.testing.Architectures;
import org.modeltracer.testing.ModelsAtHand;
import org.modeltracer.testing.Sample;
import org.modeltracer.testing.TinyModels;

/** The table of silent defaults against llama.cpp: each key of each model at hand, taken away. */
class MissingKeysTest {
  private static final int[] PROMPT = IntStream.range(0, 64).map(i -> (i * 37 + 11) % 90).toArray();

  @TempDir Path folder;

  /** A key of a model's file. */
  private record Case(Path model, String key) {}

  /**
   * Whatever llama.cpp reads and does not miss is in the table: a file with another value computes
   * something else than one without the key. What the table says is taken computes the same as
   * nothing, bit for bit, when the file spells it.
   */
  @Test
  void whatIsTakenInSilenceIsInTheTable() throws IOException {
    Set<String> known =
        SilentDefault.table().stream().map(SilentDefault::key).collect(Collectors.toSet());
    List<Case> listed = new ArrayList<>();
    List<Case> others = new ArrayList<>();
    for (Path model : ModelsAtHand.in(folder).values()) {
      GgufFile file = GgufFile.read(model);
      String prefix = file.architecture().orElseThrow() + ".";
      for (String key : file.metadata().keys()) {
        if (key.startsWith(prefix)) {
          boolean inTable = known.contains(key.substring(prefix.length()));
          (inTable ? listed : others).add(new Case(model, key));
        }
      }
    }
    long silent = Sample.of(listed, 16).stream().filter(this::agrees).count();
    assertThat(silent).isGreaterThan(Sample.times(0, 40));
    Sample.of(others, 4).forEach(this::agrees);
  }

  /** No line is hidden behind one that fits whatever fits it. */
  @Test
  void everyLineCanCount() {
    List<SilentDefault> table = SilentDefault.table();
    for (int i = 0; i < table.size(); i++) {
      SilentDefault line = table.get(i);
      assertThat(table.subList(0, i))
          .as(line.toString())
          .noneMatch(
              before ->
                  before.key().equals(line.key())
                      && (before.architectures().isEmpty()
                          || !line.architectures().isEmpty()
                              && before.architectures().containsAll(line.architectures()))
                      && line.conditions().containsAll(before.conditions()));
    }
  }

  @Test
  void healthyModelsRaiseNoAlarm() throws IOException {
    for (Path model : ModelsAtHand.all(folder).values()) {
      assertThat(missing(model)).as(model.toString()).noneMatch(e -> e.severity() != Severity.INFO);
    }
  }

  /** Where the rest of the file shows that another value was meant, the check fails. */
  @ParameterizedTest
  @CsvSource({
    "deepseek2-moe-f16, deepseek2.expert_gating_func, takes 1: the softmax",
    "deepseek2-moe-f16, deepseek2.expert_weights_norm, takes false",
    "command-r-dense-f16, command-r.logit_scale, takes 0: logits are not scaled",
    "gemma3-dense-f16, gemma3.attention.sliding_window, takes 0: all layers see all of the text",
    "phi3-dense-f16, phi3.rope.scaling.original_context_length, takes 256",
    "qwen3-dense-f16, qwen3.rope.scaling.type, takes linear",
  })
  void whatTheFileContradictsFails(String model, String key, String taken) {
    Path without =
        new Gguf(Architectures.model(model)).remove(key).write(folder.resolve("without.gguf"));
    assertThat(missing(without))
        .filteredOn(e -> e.severity() == Severity.WARNING)
        .singleElement()
        .satisfies(
            e ->
                assertThat(e.message())
                    .startsWith(key + " is missing: llama.cpp ")
                    .contains(taken));
  }

  /** A model that no model at hand is: the base of BERT, and a scale that YaRN has lost. */
  @Test
  void soDoesWhatNoModelOfItsKindHas() {
    Path bert = TinyModels.of("bert").write(folder);
    assertThat(
            missing(
                new Gguf(bert)
                    .remove("bert.attention.causal")
                    .write(folder.resolve("seeing.gguf"))))
        .anyMatch(
            e -> e.severity() == Severity.WARNING && e.message().contains("attention.causal"));
    Path yarn =
        new Gguf(Architectures.model("qwen3-dense-f16"))
            .text("qwen3.rope.scaling.type", "yarn")
            .remove("qwen3.rope.scaling.factor")
            .write(folder.resolve("yarn.gguf"));
    assertThat(missing(yarn))
        .anyMatch(e -> e.severity() == Severity.WARNING && e.message().contains("scaling.factor"));
  }

  /** Cells of latent attention that are not as wide as they must be end llama.cpp's process. */
  @ParameterizedTest
  @CsvSource({
    "deepseek2, attention.key_length, 288",
    "deepseek2, attention.value_length, 256",
    "deepseek32, attention.key_length, 288",
  })
  void whatWouldEndTheProcessIsRefused(String architecture, String name, long needed) {
    Path model = Architectures.model(architecture + "-moe-f16");
    String key = architecture + "." + name;
    Path without = new Gguf(model).remove(key).write(folder.resolve("without.gguf"));
    assertThat(LoadChecks.problems(GgufFile.read(without)))
        .extracting(LoadChecks.Problem::message)
        .containsExactly(key + " is missing: it must be " + needed + ", by attention.kv_lora_rank");
  }

  private List<Evidence> missing(Path model) {
    try (var subject = new Subject(CheckRequest.of(model, Policies.PATIENT))) {
      return new FileMetadata()
          .ask(subject).evidence().stream().filter(e -> e.rule().equals("silent_default")).toList();
    }
  }

  /** Whether the key's absence was silent; fails where the table says otherwise. */
  private boolean agrees(Case one) {
    Path without = new Gguf(one.model).remove(one.key).write(folder.resolve("without.gguf"));
    Outputs nothing = outputs(without);
    if (nothing == null) {
      return false;
    }
    Value value = GgufFile.read(one.model).metadata().get(one.key).orElseThrow();
    Outputs something = outputs(changed(one, value));
    if (something == null || nothing.against(something).identical()) {
      return false;
    }
    Optional<SilentDefault> line = line(without, one.key);
    assertThat(line).as(one.toString()).isPresent();
    spelt(without, line.get(), value)
        .ifPresent(
            spelt ->
                assertThat(outputs(spelt).against(nothing).identical())
                    .as("%s as the table spells it", one)
                    .isTrue());
    return true;
  }

  /** The model with another value, where any is as good as another; else as it is. */
  private Path changed(Case one, Value value) {
    Path target = folder.resolve("changed.gguf");
    return switch (value) {
      case Value.Real real when Double.isFinite(real.value()) ->
          new Gguf(one.model)
              .f32(one.key, real.value() == 0 ? 0.5f : 1.5f * (float) real.value())
              .write(target);
      case Value.Bool bool -> new Gguf(one.model).bool(one.key, !bool.value()).write(target);
      default -> one.model;
    };
  }

  private static Optional<SilentDefault> line(Path model, String key) {
    GgufFile file = GgufFile.read(model);
    return SilentDefault.of(file).stream().filter(line -> line.key(file).equals(key)).findFirst();
  }

  /** The file with the key as the table spells it, in the type that it had before. */
  private Optional<Path> spelt(Path without, SilentDefault line, Value before) {
    GgufFile file = GgufFile.read(without);
    var gguf = new Gguf(without);
    String key = line.key(file);
    return line.taken(file)
        .map(
            taken ->
                (switch (before) {
                      case Value.Bool _ -> gguf.bool(key, Boolean.parseBoolean(taken));
                      case Value.Text _ -> gguf.text(key, taken);
                      case Value.Real _ -> gguf.f32(key, Float.parseFloat(taken));
                      case Value.Int _, ArrayValue _ -> gguf.u32(key, Long.parseLong(taken));
                    })
                    .write(folder.resolve("spelt.gguf")));
  }

  /** What a model makes of the prompt; null where llama.cpp refuses it. */
  private @Nullable Outputs outputs(Path model) {
    try (var subject = new Subject(CheckRequest.of(model, Policies.PATIENT));
        var runs = BareRuns.open(subject)) {
      return runs.whole(PROMPT);
    } catch (LlamaException | GgufException e) {
      return null;
    }
  }
}
