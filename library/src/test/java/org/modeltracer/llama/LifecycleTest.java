package org.modeltracer.llama;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.modeltracer.testing.Golden;

@SuppressWarnings("restricted")
@Tag("alone")
class LifecycleTest {
  private static final String RUNTIMES = "org.modeltracer.llama.Runtimes#all";
  private static final Golden GOLDEN = Golden.load("tinyllama-mha", "short");

  private static void expectClosed(String what, ThrowingCallable... calls) {
    for (ThrowingCallable call : calls) {
      assertThatThrownBy(call).isInstanceOf(IllegalStateException.class).hasMessage(what);
    }
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void aClosedContextSaysSo(LlamaRuntime runtime) {
    try (LlamaModel model = runtime.open(GOLDEN.file())) {
      LlamaContext context = model.context(Passes.EXACT);
      Passes.decode(context, GOLDEN.ids(), 0);
      Batch batch = context.batch();
      MemorySegment logits = context.logits(0);
      KvCache cache = context.cache();
      context.close();
      context.close();
      expectClosed(
          "this context is closed",
          () -> context.logits(0),
          () -> cache.lastPosition(0),
          () -> cache.remove(0, 0, 1),
          cache::clear,
          cache::canShift);
      assertThatThrownBy(() -> context.decode(batch)).isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(batch::clear).isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(() -> logits.get(ValueLayout.JAVA_FLOAT, 0))
          .isInstanceOf(IllegalStateException.class);
      try (LlamaContext next = model.context(Passes.EXACT)) {
        float[][] rows = Passes.decode(next, GOLDEN.ids(), 0);
        assertThat(Passes.distance(rows, GOLDEN.logits())).isLessThan(1e-4);
      }
    }
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void closingAModelClosesItsContextsFirst(LlamaRuntime runtime) {
    LlamaModel model = runtime.open(GOLDEN.file());
    Vocabulary vocabulary = model.vocabulary();
    LlamaContext one = model.context(Passes.EXACT);
    LlamaContext other = model.context(Passes.EXACT);
    Passes.decode(one, GOLDEN.ids(), 0);
    model.close();
    model.close();
    expectClosed("this context is closed", () -> one.logits(0), () -> other.cache().clear());
    expectClosed(
        "this model is closed",
        () -> model.context(Passes.EXACT),
        vocabulary::bos,
        () -> vocabulary.tokenize("text", true, true),
        () -> vocabulary.piece(53, true),
        () -> vocabulary.entry(53),
        () -> vocabulary.isControl(53));
    one.close();
    other.close();
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void aRuntimeIsLoadedOnceAndStays(LlamaRuntime runtime) {
    runtime.close();
    assertThat(LlamaRuntime.load(runtime.file())).isSameAs(runtime);
    runtime.open(GOLDEN.file()).close();
    assertThat(runtime.devices()).isNotEmpty();
    assertThat(runtime.origin()).isNotBlank();
  }

  private static long residentKilobytes() throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith("VmRSS:")) {
        return Long.parseLong(line.replaceAll("\\D", ""));
      }
    }
    throw new IllegalStateException("no VmRSS");
  }

  private static void cycle(LlamaRuntime runtime) {
    try (LlamaModel model = runtime.open(GOLDEN.file());
        LlamaContext context = model.context(Passes.EXACT)) {
      float[][] rows = Passes.decode(context, GOLDEN.ids(), 0);
      assertThat(Passes.distance(rows, GOLDEN.logits())).isLessThan(1e-4);
    }
  }

  /** Gives back what the allocator only keeps for later, where it is glibc's. */
  private static void trim() throws Throwable {
    Linker linker = Linker.nativeLinker();
    var trim = linker.defaultLookup().find("malloc_trim");
    if (trim.isPresent()) {
      int ignored =
          (int)
              linker
                  .downcallHandle(
                      trim.get(),
                      FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG))
                  .invokeExact(0L);
    }
  }

  private static long growth(LlamaRuntime runtime, int cycles) throws Throwable {
    System.gc();
    trim();
    long before = residentKilobytes();
    for (int i = 0; i < cycles; i++) {
      cycle(runtime);
    }
    System.gc();
    trim();
    return residentKilobytes() - before;
  }

  /**
   * A leak of the cache alone, 1 MiB a cycle, would show as 50 MiB in every round.
   *
   * <p>One quiet round is enough: the JVM's compilers take and return some memory now and then.
   */
  @ParameterizedTest
  @MethodSource(RUNTIMES)
  @EnabledOnOs(OS.LINUX)
  void fiftyCyclesDoNotGrow(LlamaRuntime runtime) throws Throwable {
    growth(runtime, 30);
    long least = growth(runtime, 50);
    for (int round = 1; round < 5 && least > 8_192; round++) {
      least = Math.min(least, growth(runtime, 50));
    }
    assertThat(least).as("KiB more after 50 cycles").isLessThanOrEqualTo(8_192);
  }

  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void callsFromManyThreadsTakeTurns(LlamaRuntime runtime)
      throws InterruptedException, ExecutionException {
    try (LlamaModel model = runtime.open(GOLDEN.file());
        var threads = Executors.newFixedThreadPool(8)) {
      var tasks = new ArrayList<Callable<Double>>();
      for (int i = 0; i < 24; i++) {
        tasks.add(
            () -> {
              try (LlamaContext context = model.context(Passes.EXACT)) {
                int[] ids =
                    model
                        .vocabulary()
                        .tokenize("The function returns a value to the caller.", true, false);
                return Passes.distance(Passes.decode(context, ids, 0), GOLDEN.logits());
              }
            });
      }
      for (Future<Double> distance : threads.invokeAll(tasks)) {
        assertThat(distance.get()).isLessThan(1e-4);
      }
    }
  }

  /** All builds at hand in one process, their passes interleaved. */
  @ParameterizedTest
  @MethodSource(RUNTIMES)
  void buildsLiveSideBySide(LlamaRuntime runtime) {
    List<LlamaRuntime> others =
        Runtimes.libraries().stream().map(LlamaRuntime::load).filter(r -> r != runtime).toList();
    try (LlamaModel model = runtime.open(GOLDEN.file());
        LlamaContext context = model.context(Passes.EXACT)) {
      int[] head = Passes.slice(GOLDEN.ids(), 0, 10);
      Passes.decode(context, head, 0);
      for (LlamaRuntime other : others) {
        assertThat(other.file()).isNotEqualTo(runtime.file());
        cycle(other);
      }
      float[][] rest = Passes.decode(context, Passes.slice(GOLDEN.ids(), 10, 22), 10);
      assertThat(Passes.distance(rest[11], GOLDEN.logits()[21])).isLessThan(1e-4);
    }
  }
}
