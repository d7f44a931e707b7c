package org.modeltracer.gate;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestReporter;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.gate.HostileFiles.Hostile;
import org.modeltracer.gate.checks.Catalogue;
import org.modeltracer.gate.checks.CheckResult;
import org.modeltracer.gate.checks.Verdict;
import org.modeltracer.gate.policy.Policy;
import org.modeltracer.gate.policy.PolicyFile;
import org.modeltracer.gguf.GgufException;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.gguf.LoadChecks;
import org.modeltracer.testing.Leftovers;
import org.modeltracer.testing.Sample;

/** Hostile files: each ends in a clean verdict, and leaves nothing behind. */
@Tag("alone")
class GateHostileTest {
  private static final int LEAST = 6000;

  /** How many of all files are judged, and of those that take a process each. */
  private static final int BROKEN = 500;

  private static final int SOUND = 6;

  private static final Pattern STACK_TRACE = Pattern.compile("\\bat [\\w.$]+\\(");

  /** One prompt and two tokens, since what is asked here is not whether the model is good. */
  private static final Policy POLICY =
      Policies.withTokens(
          Policies.withPrompts(
              Policies.within(PolicyFile.preset("smoke"), Duration.ofSeconds(60), 2L << 30),
              "The quick brown fox"),
          2,
          64);

  @TempDir Path folder;

  private record Verdicts(String name, GateResult judgement) {}

  @Test
  void everyFileEndsInACleanVerdict(TestReporter reporter) throws Exception {
    var leftovers = new Leftovers();
    leftovers.look();
    List<Hostile> all = HostileFiles.all();
    assertThat(all.size()).isGreaterThanOrEqualTo(LEAST);
    List<Hostile> files = withFewerSound(Sample.of(all, BROKEN));
    List<Verdicts> judged = judge(files);
    var counts = new EnumMap<Verdict, Integer>(Verdict.class);
    int met = 0;
    for (Verdicts one : judged) {
      check(one);
      counts.merge(one.judgement().verdict(), 1, Integer::sum);
      met += metLlama(one.judgement()) ? 1 : 0;
    }
    reporter.publishEntry(
        Map.of(
            "files", "" + files.size(), "met llama.cpp", "" + met, "verdicts", counts.toString()));
    assertThat(met).as("files that llama.cpp has met").isBetween(SOUND / 2, all.size() / 5);
    assertThat(counts.get(Verdict.FAIL)).isGreaterThan(BROKEN * 7 / 10);
    assertThat(leftovers.found()).isEmpty();
    assertThat(folder).isEmptyDirectory();
    assertThat(SupervisorTest.workers()).isEmpty();
  }

  private List<Hostile> withFewerSound(List<Hostile> all) throws IOException {
    var broken = new ArrayList<Hostile>();
    var sound = new ArrayList<Hostile>();
    Path path = folder.resolve("hostile.gguf");
    for (Hostile file : all) {
      Files.write(path, file.bytes().make());
      (sound(path) ? sound : broken).add(file);
    }
    Files.delete(path);
    broken.addAll(Sample.of(sound, SOUND));
    return broken;
  }

  private static boolean sound(Path path) {
    try {
      return LoadChecks.problems(GgufFile.read(path)).isEmpty();
    } catch (GgufException e) {
      return false;
    }
  }

  private List<Verdicts> judge(List<Hostile> files) throws Exception {
    var next = new AtomicInteger();
    try (var two = Executors.newFixedThreadPool(2)) {
      Callable<List<Verdicts>> work =
          () -> {
            var own = new ArrayList<Verdicts>();
            Path path = folder.resolve("hostile-" + Thread.currentThread().threadId() + ".gguf");
            for (int i; (i = next.getAndIncrement()) < files.size(); ) {
              own.add(judge(files.get(i), path));
            }
            Files.deleteIfExists(path);
            return own;
          };
      List<Future<List<Verdicts>>> halves = two.invokeAll(List.of(work, work));
      var all = new ArrayList<>(halves.getFirst().get());
      all.addAll(halves.getLast().get());
      return all;
    }
  }

  private static Verdicts judge(Hostile file, Path path) throws IOException {
    Files.write(path, file.bytes().make());
    return new Verdicts(file.name(), Judged.by(POLICY, path));
  }

  private static boolean metLlama(GateResult judgement) {
    return judgement.results().stream()
        .anyMatch(r -> r.id().equals("file.loads") && r.verdict() != Verdict.SKIPPED);
  }

  private static void check(Verdicts one) {
    assertThat(one.judgement().verdict()).as(one.name()).isNotEqualTo(Verdict.SKIPPED);
    assertThat(one.judgement().results()).hasSameSizeAs(Catalogue.checks());
    for (CheckResult result : one.judgement().results()) {
      assertThat(result.message())
          .as("%s: %s", one.name(), result.id())
          .isNotBlank()
          .hasSizeLessThan(700)
          .doesNotContain("\n", "internal error")
          .doesNotContainPattern(STACK_TRACE)
          .doesNotContain("ran longer", "no time was left");
    }
  }
}
