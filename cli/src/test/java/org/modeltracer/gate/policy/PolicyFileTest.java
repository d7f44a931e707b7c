package org.modeltracer.gate.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.networknt.schema.InputFormat;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.gate.Schemas;
import org.modeltracer.gate.checks.Catalogue;

class PolicyFileTest {
  @TempDir Path folder;

  private Policy read(String text) {
    return read("policy.yaml", text);
  }

  private Policy read(String name, String text) {
    try {
      return PolicyFile.read(Files.writeString(folder.resolve(name), text));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"strict", "default", "smoke"})
  void presetsAreWholeAndObeyTheSchema(String name) {
    Policy policy = PolicyFile.preset(name);
    assertThat(policy.name()).isEqualTo(name);
    assertThat(policy.workload().prompts()).isNotEmpty();
    assertThat(policy.workload().tokens()).isPositive();
    assertThat(policy.budget().time()).isPositive();
    assertThat(policy.rules().limits().keySet())
        .isEqualTo(PolicyFile.preset("default").rules().limits().keySet());
    assertThat(Schemas.POLICY.validate(PolicyFile.presetText(name), InputFormat.YAML)).isEmpty();
  }

  @Test
  void limitsBelongToChecks() {
    assertThat(PolicyFile.preset("default").rules().limits().keySet())
        .allSatisfy(
            limit ->
                assertThat(limit)
                    .satisfiesAnyOf(
                        l -> assertThat(l).startsWith("baseline."),
                        l -> assertThat(Catalogue.names()).anyMatch(id -> sameGroup(id, l))));
  }

  private static boolean sameGroup(String id, String limit) {
    return limit.startsWith(id.substring(0, id.indexOf('.') + 1));
  }

  @Test
  void aFileStartsFromThePresetThatItNames() {
    Policy strict = PolicyFile.preset("strict");
    Policy policy =
        read(
            """
            preset: strict
            name: mine
            tokens: 5
            seed: 4294967295
            fail_on: critical
            timeout: 2.5
            memory: 100
            checks: {file: false}
            limits:
              file.data.zero_rows: 0.125
            thresholds: {headroom_bits: 1.5, kv_window: 7}
            baseline: old/summary.json
            """);
    assertThat(policy.name()).isEqualTo("mine");
    assertThat(policy.workload().tokens()).isEqualTo(5);
    assertThat(policy.workload().seed()).isEqualTo(4294967295L);
    assertThat(policy.rules().failOn()).isEqualTo(Severity.CRITICAL);
    assertThat(policy.budget().time()).isEqualTo(Duration.ofMillis(2500));
    assertThat(policy.budget().memoryBytes()).isEqualTo(100L << 20);
    assertThat(Catalogue.matching("file"))
        .isNotEmpty()
        .noneMatch(check -> policy.wants(check.id()));
    assertThat(policy.limit("file.data.zero_rows")).isEqualTo(0.125);
    assertThat(policy.thresholds().headroomBits()).isEqualTo(1.5);
    assertThat(policy.thresholds().kvWindow()).isEqualTo(7);
    assertThat(policy.baseline()).isEqualTo(folder.resolve("old/summary.json").toString());
    assertThat(policy.workload().context()).isEqualTo(strict.workload().context());
    assertThat(policy.workload().prompts()).isEqualTo(strict.workload().prompts());
    assertThatIllegalArgumentException()
        .isThrownBy(() -> policy.limit("nonsense"))
        .withMessageContaining("nonsense");
  }

  @Test
  void jsonSaysTheSame() {
    String json =
        """
        {
        \t"preset": "smoke",
        \t"tokens": 3, "limits": {"file.data.zero_rows": 1e-3}
        }
        """;
    Policy policy = read("policy.json", json);
    assertThat(policy.workload().tokens()).isEqualTo(3);
    assertThat(policy.limit("file.data.zero_rows")).isEqualTo(1e-3);
    assertThat(policy).isEqualTo(read("policy.json", json));
    assertThat(Schemas.errors(Schemas.POLICY, json)).isEmpty();
  }

  @Test
  void numbersInYamlMayHaveExponents() {
    assertThat(read("limits: {file.data.zero_rows: 2e-3}").limit("file.data.zero_rows"))
        .isEqualTo(2e-3);
    assertThat(read("").workload().prompts())
        .isEqualTo(PolicyFile.preset("default").workload().prompts());
    assertThat(read("# nothing\n").name()).isEqualTo("default");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          toknes: 3                       | unknown key 'toknes'; known: preset, name,
          tokens: many                    | tokens must be a whole number from 1 to 1048576, not 'many'
          tokens: 0                       | tokens must be a whole number
          tokens: 2.5                     | tokens must be a whole number
          seed: -1                        | seed must be a whole number
          timeout: 0                      | timeout must be a number above 0
          timeout: .inf                   | timeout must be a number above 0
          fail_on: never                  | fail_on must be info, warning or critical, not 'never'
          preset: lax                     | preset must be one of [strict, default, smoke], not 'lax'
          prompts: []                     | prompts must be a list of texts
          prompts: [1]                    | prompts must be a list of texts
          prompts: text                   | prompts must be a list of texts
          checks: {file.strcture: false}  | unknown check 'file.strcture'; known: file.structure
          checks: {file.structure: maybe} | checks.file.structure must be true or false, not 'maybe'
          limits: {file.data.rows: 1}     | unknown limit 'file.data.rows'; known:
          limits: {file.data.zero_rows: x}| limits.file.data.zero_rows must be a number
          limits: {file.data.zero_rows: -1}| limits.file.data.zero_rows must be a number
          thresholds: {bits: 1}           | 'bits' is not a limit
          checks: 3                       | checks must be an object
          name: [a]                       | name must be a text
          - a list                        | a policy is an object
          tokens: [                       | :1:
          """)
  void whatCannotBeMeantIsRefusedInOneLine(String text, String message) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> read(text))
        .withMessageStartingWith(folder.resolve("policy.yaml").toString())
        .withMessageContaining(message)
        .satisfies(e -> assertThat(e.getMessage().lines()).hasSize(1));
  }

  @Test
  void theSameKeyTwiceIsRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> read("tokens: 3\ntokens: 4\n"))
        .withMessageContaining("policy.yaml:2")
        .withMessageContaining("tokens");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> read("{\"tokens\": 3, \"tokens\": 4}"))
        .withMessageContaining("tokens");
  }

  @Test
  void whatTheReaderRefusesTheSchemaRefusesToo() {
    for (String text :
        List.of(
            "{\"toknes\": 3}",
            "{\"tokens\": 0}",
            "{\"tokens\": \"many\"}",
            "{\"fail_on\": \"never\"}",
            "{\"prompts\": []}",
            "{\"checks\": {\"file.structure\": 1}}",
            "{\"limits\": {\"file.data.zero_rows\": -1}}")) {
      assertThat(Schemas.errors(Schemas.POLICY, text)).as(text).isNotEmpty();
    }
  }

  @Test
  void memoryIsAShareOfTheMachinesUnlessToldOtherwise() throws IOException {
    long preset = PolicyFile.preset("strict").budget().memoryBytes();
    assertThat(preset).isPositive().isEqualTo(read("memory: auto").budget().memoryBytes());
    assertThat(read("memory: 0").budget().memoryBytes()).isZero();
    Path machine = Path.of("/proc/meminfo");
    if (Files.isReadable(machine)) {
      long kilobytes = Long.parseLong(Files.readAllLines(machine).getFirst().replaceAll("\\D", ""));
      assertThat(preset).isLessThanOrEqualTo(kilobytes * 1024 / 5 * 4);
    }
  }

  @Test
  void filesThatAreNoTextAreRefused() throws IOException {
    Path binary = Files.write(folder.resolve("binary"), new byte[] {(byte) 0xff, (byte) 0xfe, 0});
    for (Path path : List.of(binary, folder, folder.resolve("absent.yaml"))) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> PolicyFile.named(path.toString()))
          .withMessageContaining(path.toString())
          .satisfies(e -> assertThat(e.getMessage().lines()).hasSize(1));
    }
    assertThatIllegalArgumentException()
        .isThrownBy(() -> PolicyFile.preset("lax"))
        .withMessageContaining("strict");
  }

  @Test
  void promptHashIsThatOfTheirBytes() throws NoSuchAlgorithmException {
    Policy policy = read("prompts: [é, b]");
    byte[] bytes = "é\0b\0".getBytes(StandardCharsets.UTF_8);
    assertThat(policy.workload().promptHash())
        .isEqualTo(HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes)))
        .isNotEqualTo(read("prompts: [éb]").workload().promptHash());
  }
}
