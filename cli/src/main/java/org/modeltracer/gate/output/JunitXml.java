package org.modeltracer.gate.output;

import java.io.StringWriter;
import java.util.List;
import java.util.Locale;
import javax.xml.stream.XMLOutputFactory;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamWriter;
import org.jspecify.annotations.Nullable;
import org.modeltracer.gate.Fault;
import org.modeltracer.gate.checks.CheckResult;
import org.modeltracer.gate.checks.Evidence;
import org.modeltracer.gate.checks.Verdict;
import org.modeltracer.gate.policy.Policy;

/** JUnit XML as CI systems read it: a file is a suite, a check is a test case. */
public final class JunitXml {
  private final StringWriter text = new StringWriter();
  private final XMLStreamWriter xml;
  private int depth;

  private JunitXml() throws XMLStreamException {
    xml = XMLOutputFactory.newInstance().createXMLStreamWriter(text);
  }

  /** The report on files. */
  public static String of(List<GateReport> reports) {
    try {
      var junit = new JunitXml();
      junit.write(reports);
      return junit.text.toString();
    } catch (XMLStreamException e) {
      throw new IllegalStateException("a string takes whatever is written to it", e);
    }
  }

  private void write(List<GateReport> reports) throws XMLStreamException {
    xml.writeStartDocument("UTF-8", "1.0");
    begin("testsuites", "name", "modeltracer");
    for (GateReport report : reports) {
      suite(report);
    }
    end();
    xml.writeEndDocument();
    xml.writeCharacters("\n");
    xml.close();
  }

  private void suite(GateReport report) throws XMLStreamException {
    List<CheckResult> results = report.result().results();
    begin(
        "testsuite",
        "name",
        "modeltracer check " + report.file(),
        "tests",
        String.valueOf(results.size()),
        "failures",
        String.valueOf(report.results(Verdict.FAIL).size()),
        "errors",
        String.valueOf(report.results(Verdict.ERROR).size()),
        "skipped",
        String.valueOf(report.results(Verdict.SKIPPED).size()),
        "time",
        seconds(report.seconds().values().stream().mapToDouble(Double::doubleValue).sum()));
    begin("properties");
    Policy policy = report.result().request().policy();
    property("policy", policy.name());
    property("prompt_set_sha256", policy.workload().promptHash());
    property("verdict", report.result().verdict().id());
    end();
    for (CheckResult result : results) {
      testCase(report, result);
    }
    end();
  }

  private void property(String name, String value) throws XMLStreamException {
    empty("property", "name", name, "value", value);
  }

  private void testCase(GateReport report, CheckResult result) throws XMLStreamException {
    Double seconds = report.secondsOf(result);
    begin(
        "testcase",
        "name",
        result.id(),
        "classname",
        "modeltracer." + result.id().replaceFirst("\\..*", ""),
        "time",
        seconds == null ? null : seconds(seconds));
    switch (result.verdict()) {
      case PASS -> {}
      case SKIPPED -> empty("skipped", "message", result.message());
      case FAIL -> problem("failure", result);
      case ERROR -> problem("error", result);
    }
    end();
  }

  private void problem(String element, CheckResult result) throws XMLStreamException {
    String rule = result.evidence().isEmpty() ? result.id() : result.evidence().getFirst().rule();
    begin(element, "type", rule, "message", result.message());
    for (Fault fault : Fault.of(List.of(result))) {
      Evidence evidence = fault.evidence();
      xml.writeCharacters(
          legal(
              "\n%s %s: %s"
                  .formatted(evidence.severity().id(), evidence.rule(), fault.sentence())));
    }
    xml.writeEndElement();
    depth--;
  }

  private void begin(String element, @Nullable String... attributes) throws XMLStreamException {
    indent();
    xml.writeStartElement(element);
    attributes(attributes);
    depth++;
  }

  private void empty(String element, String... attributes) throws XMLStreamException {
    indent();
    xml.writeEmptyElement(element);
    attributes(attributes);
  }

  private void attributes(@Nullable String... attributes) throws XMLStreamException {
    for (int i = 0; i < attributes.length; i += 2) {
      String value = attributes[i + 1];
      if (value != null) {
        xml.writeAttribute(String.valueOf(attributes[i]), legal(value));
      }
    }
  }

  private void end() throws XMLStreamException {
    depth--;
    indent();
    xml.writeEndElement();
  }

  private void indent() throws XMLStreamException {
    xml.writeCharacters("\n" + "  ".repeat(depth));
  }

  private static String seconds(double seconds) {
    return String.format(Locale.ROOT, "%.3f", seconds);
  }

  /** Without the characters that XML 1.0 has no way to write. */
  private static String legal(String text) {
    return text.codePoints()
        .map(
            c ->
                c == '\t'
                        || c == '\n'
                        || c == '\r'
                        || (c >= 0x20 && c < 0xd800)
                        || (c >= 0xe000 && c < 0xfffe)
                        || c >= 0x10000
                    ? c
                    : 0xfffd)
        .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
        .toString();
  }
}
