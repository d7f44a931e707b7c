package org.modeltracer.gate.output;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.networknt.schema.Schema;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SpecificationVersion;
import java.io.IOException;
import java.io.StringReader;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.xml.XMLConstants;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.transform.stream.StreamSource;
import javax.xml.validation.SchemaFactory;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.anomaly.AnomalyKind;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.gate.Baseline;
import org.modeltracer.gate.Deadline;
import org.modeltracer.gate.Fault;
import org.modeltracer.gate.FileHashes;
import org.modeltracer.gate.GateResult;
import org.modeltracer.gate.Judged;
import org.modeltracer.gate.Schemas;
import org.modeltracer.gate.checks.CheckRequest;
import org.modeltracer.gate.checks.CheckResult;
import org.modeltracer.gate.checks.Evidence;
import org.modeltracer.gate.checks.Verdict;
import org.modeltracer.gate.policy.PolicyFile;
import org.modeltracer.input.SmallFile;
import org.modeltracer.testing.SummarySchema;
import org.modeltracer.testing.Weights;
import org.modeltracer.trace.Json;
import org.modeltracer.weights.WeightFault;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.xml.sax.InputSource;
import tools.jackson.databind.JsonNode;

class GateOutputsTest {
  private static final Path MODEL = Path.of("models", "rand-gpt2-f32.gguf");
  private static final String NASTY =
      "a\0b\u0007<&>\"'|`*_ ]]> \uD800 \uFFFF\n::error::x, 50%\ttab";

  @TempDir Path folder;

  private static GateResult judgement(CheckResult... results) {
    return new GateResult(
        CheckRequest.of(MODEL, PolicyFile.preset("strict")), List.of(results), null);
  }

  private static CheckResult result(
      String id, Verdict verdict, String message, Evidence... evidence) {
    Map<String, @Nullable Object> signals = new LinkedHashMap<>();
    signals.put("count", 3);
    signals.put("share", Double.NaN);
    signals.put("name", null);
    return new CheckResult(id, verdict, signals, message, List.of(evidence));
  }

  private static final Evidence NAN =
      new Evidence("nan", Severity.CRITICAL, NASTY, "blk.2.ffn_down.weight", "MUL_MAT", 2, 4711L);

  private static GateReport report(GateResult result, Map<String, Double> seconds) {
    Deadline deadline = Deadline.in(result.request().policy().budget().time());
    return new GateReport(result, seconds, FileHashes.of(result.request().file(), deadline));
  }

  /** One of everything, with text that no format likes. */
  private static GateReport everything() {
    return report(
        judgement(
            result("file.structure", Verdict.PASS, "12 tensors"),
            result(
                "file.data",
                Verdict.FAIL,
                NASTY,
                NAN,
                Evidence.of("absurd_scale", Severity.WARNING, "large")),
            result("file.metadata", Verdict.PASS, "ok", Evidence.of("note", Severity.INFO, "")),
            result("tokenizer.parity", Verdict.SKIPPED, "not byte-level BPE"),
            result("forward.finite", Verdict.ERROR, "killed by SIGSEGV: " + NASTY),
            result("kv.reuse", Verdict.FAIL, "")),
        Map.of("file.data", 1.5, "file.structure", 0.0004));
  }

  @Test
  void junitXmlObeysItsPublishedSchema() throws Exception {
    String xml = JunitXml.of(List.of(everything(), everything()));
    var schema =
        SchemaFactory.newInstance(XMLConstants.W3C_XML_SCHEMA_NS_URI)
            .newSchema(Path.of("cli/src/test/resources/schemas/junit-10.xsd").toFile());
    schema.newValidator().validate(new StreamSource(new StringReader(xml)));
    Document document =
        DocumentBuilderFactory.newInstance()
            .newDocumentBuilder()
            .parse(new InputSource(new StringReader(xml)));
    assertThat(document.getElementsByTagName("testsuite").getLength()).isEqualTo(2);
    var suite = (Element) document.getElementsByTagName("testsuite").item(0);
    assertThat(suite.getAttribute("tests")).isEqualTo("6");
    assertThat(suite.getAttribute("failures")).isEqualTo("2");
    assertThat(suite.getAttribute("errors")).isEqualTo("1");
    assertThat(suite.getAttribute("skipped")).isEqualTo("1");
    assertThat(suite.getElementsByTagName("testcase").getLength()).isEqualTo(6);
    var failure = (Element) suite.getElementsByTagName("failure").item(0);
    assertThat(failure.getAttribute("type")).isEqualTo("nan");
    assertThat(failure.getTextContent()).contains("<&>\"'").contains("absurd_scale");
    assertThat(((Element) failure.getParentNode()).getAttribute("time")).isEqualTo("1.500");
  }

  @Test
  void sarifObeysItsPublishedSchema() throws IOException {
    Schema schema =
        SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_4)
            .getSchema(
                Files.readString(Path.of("cli/src/test/resources/schemas/sarif-2.1.0-rtm.5.json")));
    String sarif = Sarif.of(List.of(everything()));
    assertThat(Schemas.errors(schema, sarif)).isEmpty();
    assertThat(Schemas.errors(schema, sarif.replace("\"level\"", "\"levle\""))).isNotEmpty();
    JsonNode run = Json.mapper().readTree(sarif).get("runs").get(0);
    JsonNode first = run.get("results").get(0);
    assertThat(first.get("ruleId").asString()).isEqualTo("nan");
    assertThat(first.get("level").asString()).isEqualTo("error");
    JsonNode location = first.get("locations").get(0);
    assertThat(location.at("/physicalLocation/artifactLocation/uri").asString())
        .isEqualTo("models/rand-gpt2-f32.gguf");
    assertThat(location.at("/physicalLocation/region/byteOffset").asInt()).isEqualTo(4711);
    assertThat(location.get("logicalLocations").valueStream().map(l -> l.get("kind").asString()))
        .containsExactly("tensor", "op", "layer");
    assertThat(run.at("/tool/driver/rules/0").propertyNames())
        .containsExactly("id", "shortDescription", "fullDescription", "help");
    assertThat(first.get("properties").propertyNames())
        .containsExactly("check", "checks", "consequences", "verdict");
    assertThat(location.at("/logicalLocations/0").propertyNames())
        .containsExactly("kind", "name", "fullyQualifiedName");
    for (JsonNode result : run.get("results")) {
      int index = result.get("ruleIndex").asInt();
      assertThat(run.at("/tool/driver/rules").get(index).get("id")).isEqualTo(result.get("ruleId"));
    }
    assertThat(run.get("results").valueStream().map(r -> r.get("level").asString()))
        .containsExactly("error", "warning", "note", "error");
    assertThat(run.at("/invocations/0/executionSuccessful").asBoolean()).isFalse();
    assertThat(run.at("/invocations/0/toolExecutionNotifications").size()).isEqualTo(2);
    assertThat(Sarif.uri(Path.of("a dir", "ü#?.gguf"))).isEqualTo("a%20dir/%C3%BC%23%3F.gguf");
  }

  @Test
  void summaryAndShortFormObeyTheirSchemas() {
    GateReport report = everything();
    String summary = Json.pretty(report.summary());
    assertThat(SummarySchema.errors(summary)).isEmpty();
    JsonNode json = Json.mapper().readTree(summary);
    assertThat(Schemas.errors(Schemas.CHECK, json.get("verdict").toString())).isEmpty();
    assertThat(Schemas.errors(Schemas.CHECK, Json.line(report.json()))).isEmpty();
    assertThat(Schemas.errors(Schemas.CHECK, "{\"verdict\": \"fine\"}")).isNotEmpty();
    assertThat(json.at("/verdict/policy/prompt_set_sha256").asString())
        .isEqualTo(PolicyFile.preset("strict").workload().promptHash());
    assertThat(json.at("/verdict/checks/1/signals/share").isNull()).isTrue();
    assertThat(json.get("timing").get("checks").get("file.data").asDouble()).isEqualTo(1.5);
  }

  /** The hashes are those of sha256sum and of a reader of tensors that is not ours. */
  @Test
  void summaryHasTheHashOfTheFileAndOfEveryTensor() throws Exception {
    JsonNode model = Json.mapper().readTree(Json.pretty(everything().summary())).get("model");
    assertThat(model.get("sha256").asString())
        .isEqualTo("cfc9e88c4e0bac52847321ad718c0f126aa369549cf0f36d1f907cb542f0f103");
    var weights = new Weights(MODEL);
    assertThat(model.get("tensors").size()).isEqualTo(weights.file().tensors().size());
    String name = weights.file().tensors().getLast().name();
    float[] values = weights.get(name);
    var bytes = ByteBuffer.allocate(4 * values.length);
    bytes.order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().put(values);
    assertThat(model.get("tensors").get(name).asString())
        .isEqualTo(
            HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes.array())));
  }

  @Test
  void annotationsAreOneLineACheck() {
    String lines = Annotations.of(everything());
    assertThat(lines.lines()).hasSize(3).allMatch(line -> line.startsWith("::error file=models/"));
    assertThat(lines)
        .contains("title=modeltracer file.data::")
        .contains("%0A::error")
        .contains("50%25");
    assertThat(Annotations.of(report(judgement(), Map.of()))).isEmpty();
  }

  /** One bad weight is one finding, wherever its NaN shows. */
  @Test
  void aCauseIsToldOnceWithItsConsequences() {
    var weight = "blk.2.ffn_down.weight";
    var bad = new Evidence("nan", Severity.CRITICAL, "the weight is bad", weight, null, 2, 64L);
    GateReport report =
        report(
            judgement(
                new CheckResult("file.data", Verdict.FAIL, Map.of(), "x", List.of(bad)),
                new CheckResult(
                    "forward.finite",
                    Verdict.FAIL,
                    Map.of(),
                    "y",
                    List.of(consequence("first", weight), consequence("second", weight))),
                new CheckResult(
                    "generation.sanity",
                    Verdict.FAIL,
                    Map.of(),
                    "z",
                    List.of(consequence("third", weight), consequence("other", "node-3")))),
            Map.of());
    assertThat(report.faults())
        .extracting(Fault::sentence)
        .containsExactly(
            "the weight is bad; 3 consequences, the first: first",
            "because of node-3; 1 consequence, the first: other");
    assertThat(report.faults().getFirst().checks())
        .containsExactly("file.data", "forward.finite", "generation.sanity");
    JsonNode results = Json.mapper().readTree(Sarif.of(List.of(report))).at("/runs/0/results");
    assertThat(results).hasSize(2);
    assertThat(results.at("/0/properties/consequences").asInt()).isEqualTo(3);
    assertThat(results.at("/0/locations/0/physicalLocation/region/byteOffset").asInt())
        .isEqualTo(64);
    assertThat(JunitXml.of(List.of(report)))
        .containsOnlyOnce("the first: first")
        .doesNotContain("second");
    assertThat(Markdown.of(report)).containsOnlyOnce("the weight is bad");
  }

  private static Evidence consequence(String message, String guilty) {
    return new Evidence(
        "nan",
        Severity.CRITICAL,
        message,
        guilty,
        "MUL_MAT",
        3,
        null,
        null,
        "because of " + guilty);
  }

  /** A note about the guilty tensor does not make its consequences notes. */
  @Test
  void whatFailsSpeaksForWhatDoesNot() {
    var weight = "blk.2.ffn_down.weight";
    var note = new Evidence("few_bits", Severity.INFO, "few bits", weight, null, null, null);
    GateReport report =
        report(
            judgement(
                new CheckResult("file.data", Verdict.PASS, Map.of(), "x", List.of(note)),
                new CheckResult(
                    "forward.finite",
                    Verdict.FAIL,
                    Map.of(),
                    "y",
                    List.of(consequence("first", weight)))),
            Map.of());
    JsonNode results = Json.mapper().readTree(Sarif.of(List.of(report))).at("/runs/0/results");
    assertThat(results).hasSize(1);
    assertThat(results.at("/0/level").asString()).isEqualTo("error");
    assertThat(results.at("/0/ruleId").asString()).isEqualTo("nan");
  }

  /** Every class of finding that the source knows has words for people who meet it. */
  @Test
  void everyRuleHasHelp() throws IOException {
    var rules = new TreeSet<String>();
    Stream.of(AnomalyKind.values()).map(AnomalyKind::id).forEach(rules::add);
    Stream.of(WeightFault.values()).map(WeightFault::id).forEach(rules::add);
    var literal =
        Pattern.compile(
            "(?:Evidence\\.of(?:Tensor|Byte)?|new Evidence|problems\\.(?:say|add))"
                + "\\(\\s*\"([a-z0-9_]+)\"");
    Path sources = Path.of("cli", "src", "main", "java", "org", "modeltracer", "gate", "checks");
    try (Stream<Path> files = Files.list(sources)) {
      for (Path file : files.toList()) {
        literal.matcher(Files.readString(file)).results().forEach(m -> rules.add(m.group(1)));
      }
    }
    assertThat(rules).hasSizeGreaterThan(40).allMatch(RuleHelp::knows);
  }

  @Test
  void markdownKeepsToItsCells() {
    String text = Markdown.of(everything());
    assertThat(text).startsWith("## 💥 `models/rand-gpt2-f32.gguf`: error\n");
    assertThat(text).contains("2 passed, 2 failed, 1 skipped, 1 errored");
    assertThat(text.lines().filter(line -> line.startsWith("| ")).toList())
        .hasSize(7)
        .allSatisfy(
            line -> assertThat(line.replace("\\|", "").chars().filter(c -> c == '|')).hasSize(4));
    assertThat(text).doesNotContain("<&").contains("* **critical** nan (file.data): ");
  }

  @Test
  void theSameJudgementIsWrittenTheSame() {
    assertThat(Sarif.of(List.of(everything()))).isEqualTo(Sarif.of(List.of(everything())));
    assertThat(JunitXml.of(List.of(everything()))).isEqualTo(JunitXml.of(List.of(everything())));
    assertThat(Json.pretty(everything().summary())).isEqualTo(Json.pretty(everything().summary()));
  }

  private Baseline baseline(GateReport report) {
    try {
      return Baseline.read(
          Files.write(
              folder.resolve("summary.json"),
              Json.pretty(report.summary()).getBytes(StandardCharsets.UTF_8)),
          SmallFile.PATIENCE);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void whatTheBaselineKnewIsForgivenAndNothingElse() {
    Baseline known = baseline(everything());
    GateResult same = known.forgive(everything().result());
    assertThat(Judged.ids(same, Verdict.FAIL)).isEmpty();
    assertThat(Judged.ids(same, Verdict.ERROR)).containsExactly("forward.finite");
    assertThat(Judged.result(same, "file.data").message()).startsWith("known since the baseline: ");

    Evidence elsewhere =
        new Evidence("nan", Severity.CRITICAL, "new", "blk.3.ffn_down.weight", "MUL_MAT", 3, null);
    GateResult other =
        known.forgive(judgement(result("file.data", Verdict.FAIL, "x", NAN, elsewhere)));
    assertThat(Judged.result(other, "file.data").verdict()).isEqualTo(Verdict.FAIL);
    assertThat(Judged.result(other, "file.data").message())
        .contains("worse than the baseline: new");

    var more = new CheckResult("file.data", Verdict.FAIL, Map.of("count", 4), "x", List.of(NAN));
    assertThat(known.forgive(judgement(more)).verdict()).isEqualTo(Verdict.FAIL);
    var fewer = new CheckResult("file.data", Verdict.FAIL, Map.of("count", 2), "x", List.of(NAN));
    assertThat(known.forgive(judgement(fewer)).verdict()).isEqualTo(Verdict.PASS);
    var passedThen = new CheckResult("file.metadata", Verdict.FAIL, Map.of(), "x", List.of());
    assertThat(known.forgive(judgement(passedThen)).verdict()).isEqualTo(Verdict.FAIL);
    var top1 = new CheckResult("kv.reuse", Verdict.FAIL, Map.of("same_top1", 0.5), "x", List.of());
    Baseline better =
        baseline(
            report(
                judgement(
                    new CheckResult(
                        "kv.reuse", Verdict.FAIL, Map.of("same_top1", 0.9), "x", List.of())),
                Map.of()));
    assertThat(better.forgive(judgement(top1)).verdict()).isEqualTo(Verdict.FAIL);
  }

  @Test
  void aFileThatCannotBeLoadedIsNeverForgiven() {
    var broken = judgement(result("file.structure", Verdict.FAIL, "magic"));
    assertThat(baseline(report(broken, Map.of())).forgive(broken).unreadable()).isTrue();
  }

  /** What {@code check --json} prints is a baseline, with its head and, as once, without. */
  @Test
  void aBaselineNeedsNoHead() throws IOException {
    GateResult known = judgement(result("file.data", Verdict.FAIL, "x", NAN));
    var printed = report(known, Map.of()).json();
    for (boolean head : List.of(true, false)) {
      if (!head) {
        printed.keySet().removeAll(Set.of("schema_version", "tool", "model"));
      }
      byte[] text = Json.pretty(printed).getBytes(StandardCharsets.UTF_8);
      Path file = Files.write(folder.resolve("b.json"), text);
      GateResult now = Baseline.read(file, SmallFile.PATIENCE).forgive(known);
      assertThat(Judged.ids(now, Verdict.PASS)).containsExactly("file.data");
    }
  }

  @Test
  void whatIsNoBaselineIsRefused() throws IOException {
    for (String text : List.of("", "[]", "{}", "{\"verdict\": null}", "no json")) {
      Path file = Files.writeString(folder.resolve("b.json"), text);
      assertThatIllegalArgumentException()
          .isThrownBy(() -> Baseline.read(file, SmallFile.PATIENCE))
          .withMessageStartingWith(file + ": ");
    }
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Baseline.read(folder.resolve("absent"), SmallFile.PATIENCE))
        .withMessageContaining("absent");
  }
}
