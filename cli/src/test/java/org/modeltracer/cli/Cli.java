package org.modeltracer.cli;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import org.modeltracer.trace.Json;
import tools.jackson.databind.JsonNode;

/**
 * What the program answered.
 *
 * @param code exit code
 * @param out what it wrote to stdout
 * @param err what it wrote to stderr
 */
record Cli(int code, String out, String err) {
  static final String MODEL = "models/tinyllama-mha-f32.gguf";

  /** Runs the program in this process. */
  static Cli run(Object... args) {
    var out = new StringWriter();
    var err = new StringWriter();
    String[] words = List.of(args).stream().map(Object::toString).toArray(String[]::new);
    int code = Main.run(new PrintWriter(out), new PrintWriter(err), words);
    return new Cli(code, out.toString(), err.toString());
  }

  /** Stdout, which must be one JSON document and nothing else. */
  JsonNode json() {
    return Json.mapper().readTree(out);
  }

  /** The message of a failure, without the hint below it. */
  String message() {
    return err.lines().findFirst().orElse("");
  }
}
