package org.modeltracer.report;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * The page's modules as one script, so that a file on disk needs no other.
 *
 * <p>Each module becomes a function that returns what it exports, in an order in which all that a
 * module imports comes before it. This takes the forms of import and export that the sources use:
 * {@code import { a, b } from "./x.js";} on one line, and {@code export} before a declaration; no
 * text or expression has a doc comment's beginning in it.
 */
final class Bundle {
  private static final Pattern IMPORT =
      Pattern.compile("(?m)^import \\{([^}]*)\\} from \"\\./([\\w.]+)\";$");
  private static final Pattern EXPORT =
      Pattern.compile("(?m)^export ((?:async )?(?:function|class|const) (\\w+))");

  /** Types, and words for those who read the sources. */
  private static final Pattern DOC = Pattern.compile("(?s)/\\*\\*.*?\\*/");

  private final Map<String, String> modules = new LinkedHashMap<>();

  private Bundle() {}

  /** The script that begins with a module. */
  static String of(String module) {
    var bundle = new Bundle();
    bundle.add(module);
    return bundle.modules.entrySet().stream()
        .map(
            entry ->
                "modules[\"" + entry.getKey() + "\"] = (() => {\n" + entry.getValue() + "})();")
        .collect(Collectors.joining("\n", "const modules = {};\n", "\n"));
  }

  private void add(String module) {
    if (modules.containsKey(module)) {
      return;
    }
    String source = DOC.matcher(resource(module)).replaceAll("");
    List<String> names = new ArrayList<>();
    IMPORT.matcher(source).results().forEach(found -> add(found.group(2)));
    EXPORT.matcher(source).results().forEach(found -> names.add(found.group(2)));
    String imported = IMPORT.matcher(source).replaceAll("const {$1} = modules[\"$2\"];");
    String inner = EXPORT.matcher(imported).replaceAll("$1");
    modules.put(module, inner + "return { " + String.join(", ", names) + " };\n");
  }

  /** A file of the page's sources. */
  static String resource(String name) {
    try (InputStream in = Bundle.class.getResourceAsStream(name)) {
      if (in == null) {
        throw new IllegalStateException("the page's " + name + " is missing beside the program");
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
