package org.modeltracer.attach;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.llama.LlamaRuntime;
import org.modeltracer.llama.Runtimes;
import org.modeltracer.session.SessionOptions;
import org.modeltracer.testing.Sample;
import org.modeltracer.trace.ModelTracer;
import org.modeltracer.trace.TracerConfig;

/** Records of a real program, spoilt at random: none may bring this process down or hang it. */
class HostileRecordsTest {
  private static final Path MODEL = Path.of("models", "rand-mixtral-f32.gguf");
  private static final int[] PROMPT = {1, 70, 31, 9, 55};
  private static final int[] EXTREMES = {
    0, 1, -1, 2, 255, 1 << 16, Integer.MAX_VALUE, Integer.MIN_VALUE, 0x7f800000, 0x7fc00000
  };

  @TempDir private static Path folder;
  private static List<byte[]> records;

  @BeforeAll
  static void record() throws Exception {
    Path agent = CCompiler.agent(folder);
    Path library = Runtimes.embedded("v0.5.0").orElseThrow();
    Path driver = CCompiler.driver(folder, library);
    records = new ArrayList<>();
    for (boolean flash : new boolean[] {false, true}) {
      run(agent, driver, library, flash);
    }
    assertThat(records).hasSizeGreaterThan(100);
  }

  /** Reads a program's records by hand, as the attachment does, and keeps them. */
  private static void run(Path agent, Path driver, Path library, boolean flash) throws Exception {
    try (var channel = new Channel(1, 1 << 22, false)) {
      var command = new ArrayList<>(List.of(driver.toString()));
      command.addAll(new Driven.Task(MODEL, 1, 1, flash, 4, PROMPT).words());
      var builder = new ProcessBuilder(command);
      builder.environment().put(Channel.VARIABLE, channel.path());
      builder.environment().put("LD_PRELOAD", agent.toAbsolutePath().toString());
      builder.environment().put("DRIVER_BACKENDS", library.getParent().toAbsolutePath().toString());
      Process process = builder.start();
      Slot slot = channel.slots().getFirst();
      RemoteContext context = context(slot);
      while (process.isAlive() || slot.next() != null) {
        channel.beat();
        MemorySegment record = slot.next();
        if (record != null) {
          records.add(record.toArray(ValueLayout.JAVA_BYTE));
          take(context, record);
          slot.release();
        }
      }
      assertThat(context.failure()).isNull();
      context.end();
      assertThat(process.waitFor()).isEqualTo(7);
    }
  }

  private static RemoteContext context(Slot slot) {
    ModelTracer tracer = ModelTracer.quiet(TracerConfig.full());
    return new RemoteContext(
        LlamaRuntime.load(),
        tracer,
        slot,
        SessionOptions.defaults().sites(tracer.config()),
        c -> Optional.empty(),
        c -> {});
  }

  private static void take(RemoteContext context, MemorySegment record) {
    RecordType type = RecordType.of(record.get(ValueLayout.JAVA_INT_UNALIGNED, 4));
    if (type != null) {
      context.take(type, record);
    }
  }

  @Test
  void recordsThatAreSpoiltEndTheTracingAlone() {
    int failed = 0;
    int rounds = Sample.times(150, 5000);
    try (var channel = new Channel(1, 1 << 20, false);
        var arena = Arena.ofConfined()) {
      for (int round = 0; round < rounds; round++) {
        var random = new Random(round);
        RemoteContext context = context(channel.slots().getFirst());
        for (byte[] record : records) {
          byte[] spoilt = record.clone();
          if (random.nextInt(8) == 0) {
            spoil(spoilt, random);
          }
          if (random.nextInt(200) == 0) {
            continue;
          }
          MemorySegment memory = MemorySegment.ofArray(spoilt);
          if (spoilt.length > 4096) {
            take(context, arenaCopy(arena, spoilt));
          } else {
            take(context, nativeCopy(memory));
          }
          if (context.failure() != null) {
            failed++;
            break;
          }
        }
        context.end();
        context.tracer().summaryToJson();
      }
    }
    assertThat(failed).isBetween(rounds / 2, rounds);
  }

  private static final MemorySegment SMALL = Arena.global().allocate(4096, 64);
  private static MemorySegment large = MemorySegment.NULL;

  private static MemorySegment nativeCopy(MemorySegment record) {
    MemorySegment.copy(record, 0, SMALL, 0, record.byteSize());
    return SMALL.asSlice(0, record.byteSize());
  }

  private static MemorySegment arenaCopy(Arena arena, byte[] record) {
    if (large.byteSize() < record.length || !large.scope().isAlive()) {
      large = arena.allocate(2L * record.length, 64);
    }
    MemorySegment.copy(MemorySegment.ofArray(record), 0, large, 0, record.length);
    return large.asSlice(0, record.length);
  }

  /** A few words of it become others: near its beginning, where sizes are, or anywhere. */
  private static void spoil(byte[] record, Random random) {
    MemorySegment memory = MemorySegment.ofArray(record);
    for (int i = 1 + random.nextInt(3); i > 0; i--) {
      int words = record.length / 4;
      int at = random.nextBoolean() ? random.nextInt(Math.min(words, 40)) : random.nextInt(words);
      int value =
          random.nextBoolean() ? EXTREMES[random.nextInt(EXTREMES.length)] : random.nextInt();
      // The type of a record is what it is read by; without it nothing is.
      memory.set(ValueLayout.JAVA_INT_UNALIGNED, 4L * (at == 1 ? 0 : at), value);
    }
  }

  /** What stands where the positions of a ring are. */
  @Test
  void ringsThatAreSpoiltAreFound() {
    for (int round = 0; round < 2000; round++) {
      var random = new Random(round);
      try (var arena = Arena.ofConfined()) {
        long ring = 1 << 12;
        MemorySegment memory = arena.allocate(Channel.PAGE + Channel.PLANS + ring, 64);
        var slot = new Slot(memory, ring);
        memory.set(
            ValueLayout.JAVA_LONG,
            64,
            random.nextBoolean() ? random.nextLong() : 8L * random.nextInt(600));
        long data = Channel.PAGE + Channel.PLANS;
        for (int i = 0; i < ring / 8; i++) {
          int bytes = random.nextInt(4) == 0 ? random.nextInt() : 8 * random.nextInt(20);
          memory.set(ValueLayout.JAVA_INT, data + 8L * i, bytes);
          memory.set(ValueLayout.JAVA_INT, data + 8L * i + 4, random.nextInt(14));
        }
        int read = 0;
        try {
          for (MemorySegment record = slot.next(); record != null; record = slot.next()) {
            assertThat(record.byteSize()).isBetween(16L, ring);
            slot.release();
            read++;
          }
        } catch (Slot.Broken found) {
          assertThat(found).hasMessageNotContaining("null");
        }
        assertThat(read).isLessThanOrEqualTo((int) (ring / 16));
      }
    }
  }
}
